"""Fail on a skipped test whose reason is not on the committed list. Usage: check_skips.py LOG_OF_PYTEST_-ra"""

import pathlib
import re
import sys


def main() -> int:
    listed = (pathlib.Path(__file__).parent / "allowed_skips.txt").read_text().splitlines()
    allowed = [line for line in listed if line and not line.startswith("#")]
    log = pathlib.Path(sys.argv[1]).read_text()
    skips = re.findall(r"^SKIPPED .*$", log, flags=re.MULTILINE)
    counted = re.search(r"(\d+) skipped", log)
    if counted and not skips:
        print("tests were skipped, but the log does not say which: run pytest with -ra")
        return 1
    bad = [line for line in skips if not any(reason in line for reason in allowed)]
    for line in bad:
        print(f"not allowed: {line}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
