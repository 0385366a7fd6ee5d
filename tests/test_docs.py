"""Every Python block of the guide runs, page by page, as a reader meets them; the reference is whole."""

import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
KERAS_FILES = sorted((ROOT / "tests" / "golden" / "keras_files").glob("images.*"))
MODULES = (
    *("", "activations", "callbacks", "config", "constraints", "data", "datasets", "initializers", "layers", "losses"),
    *("metrics", "models", "ops", "ops.image", "optimizers", "optimizers.schedules", "random", "regularizers"),
    *("saving", "sklearn", "spark", "utils"),
)
_REFERENCE = re.compile(r"^::: (\S+)$", re.MULTILINE)
_FILE = re.compile(r"`((?:examples|benchmarks|tests)/[\w/.-]+)`")
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
    assert set(marked) <= {"big-data.md", "coming-from-keras.md", "coming-from-pytorch.md", "003.md", "004.md"}


def documented() -> list[int]:
    """What the reference shows."""
    names = [name for page in PAGES for name in _REFERENCE.findall(page.read_text())]
    return [id(inspect.unwrap(pkgutil.resolve_name(name))) for name in names]


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_stands_in_the_reference(name: str):
    module = import_module(f"dlbd.{name}".rstrip("."))
    own = [n for n, v in vars(module).items() if callable(v) and v.__module__.startswith("dlbd")]
    public = {n: getattr(module, n) for n in getattr(module, "__all__", own) if not n.startswith("_")}
    shown = documented()
    missing = [n for n, v in public.items() if callable(v) and id(inspect.unwrap(v)) not in shown]
    assert missing == [], f"add them to a page of docs/reference: '::: {module.__name__}.<name>'"


def test_nothing_stands_in_the_reference_twice():
    shown = documented()
    assert len(set(shown)) == len(shown)


def test_pages_name_all_examples_and_no_file_that_is_not_there():
    named = {name for page in PAGES for name in _FILE.findall(page.read_text())}
    assert [name for name in named if not (ROOT / name).exists()] == []
    examples = {str(path.relative_to(ROOT)) for path in (ROOT / "examples" / "seeds").glob("[0-9]*.py")}
    assert examples - named == set()
