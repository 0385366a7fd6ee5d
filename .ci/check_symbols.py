"""Fail when a per-ISA object file defines a weak code symbol outside its own namespace.

The linker keeps one copy of a weak symbol: if std::max<long> were emitted by the AVX-512 build too, a machine without
AVX-512 could end up running that copy. Usage: check_symbols.py BUILD_DIRECTORY
"""

import pathlib
import subprocess
import sys


def leaks(object_file: pathlib.Path, isa: str) -> list[str]:
    listing = subprocess.run(["nm", "-C", str(object_file)], capture_output=True, text=True, check=True).stdout
    found = []
    for line in listing.splitlines():
        fields = line.split(maxsplit=2)
        if len(fields) == 3 and fields[1] in "WVu" and f"dlbd::{isa}::" not in fields[2]:
            found.append(fields[2])
    return found


def main() -> int:
    objects = sorted(pathlib.Path(sys.argv[1]).rglob("dlbd_kernels_*.dir/**/*.o"))
    if not objects:
        print(f"no kernel objects under {sys.argv[1]}")
        return 1
    bad = 0
    for path in objects:
        isa = next(p for p in path.parts if p.startswith("dlbd_kernels_")).removeprefix("dlbd_kernels_")[: -len(".dir")]
        for symbol in leaks(path, isa):
            print(f"{path.name} ({isa}): {symbol}")
            bad += 1
    print(f"{len(objects)} objects, {bad} leaked symbols")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
