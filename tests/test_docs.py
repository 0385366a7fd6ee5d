"""Every Python block of the guide runs, page by page, in the order in which a reader meets them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
KERAS_FILES = sorted((ROOT / "tests" / "golden" / "keras_files").glob("images.*"))
_BLOCK = re.compile(r"^( *)```python(?P<options>[^\n]*)\n(?P<code>.*?)^\1```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[int, str]]:
    """(line, code) of each block; one that is marked ``{.no-run}`` shows what is not to be done, or another library."""
    text = page.read_text()
    found = []
    for match in _BLOCK.finditer(text):
        if ".no-run" not in match["options"]:
            indent = len(match[1])
            code = "\n".join(line[indent:] for line in match["code"].splitlines())
            found.append((text.count("\n", 0, match.start()) + 2, code))
    return found


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in KERAS_FILES:
        (tmp_path / file.name).symlink_to(file)
    namespace: dict = {"__name__": "__main__"}
    for line, code in blocks(page):
        exec(compile("\n" * (line - 1) + code, str(page), "exec"), namespace)


def test_only_blocks_that_say_so_do_not_run():
    marked = {p.name: p.read_text().count(".no-run") for p in PAGES if ".no-run" in p.read_text()}
    assert set(marked) <= {"coming-from-keras.md", "coming-from-pytorch.md", "004.md"}
