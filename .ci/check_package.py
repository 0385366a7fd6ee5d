"""Check the budgets of the built package: wheel size and import time. Usage: check_package.py WHEEL_FOLDER"""

import os
import pathlib
import subprocess
import sys
import zipfile

# 2.8 MB of it are kernels for three instruction sets, compressed; the front end is 0.45.
MAX_WHEEL_BYTES = 3_800_000
MAX_IMPORT_MS = 60


def import_ms(statement: str) -> float:
    code = (
        f"import time, sys; import numpy; t = time.perf_counter(); {statement}; print((time.perf_counter() - t) * 1e3)"
    )
    # As for users: modules were compiled once, whatever this shell says about keeping that.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def main() -> int:
    (wheel,) = pathlib.Path(sys.argv[1]).glob("*.whl")
    size = wheel.stat().st_size
    names = zipfile.ZipFile(wheel).namelist()
    strangers = [n for n in names if not n.startswith(("dlbd/", "dlbd-"))]
    milliseconds = min(import_ms("import dlbd") for _ in range(7))
    print(f"wheel {size / 1e6:.2f} MB, import dlbd {milliseconds:.1f} ms beyond NumPy")
    failures = []
    if size > MAX_WHEEL_BYTES:
        failures.append(f"the wheel is larger than {MAX_WHEEL_BYTES} bytes")
    if milliseconds > MAX_IMPORT_MS:
        failures.append(f"import takes longer than {MAX_IMPORT_MS} ms")
    if strangers:
        failures.append(f"the wheel holds files of nobody's: {strangers[:5]}")
    if "dlbd/py.typed" not in names or "dlbd/_cpu.pyi" not in names:
        failures.append("py.typed or _cpu.pyi is missing from the wheel")
    print("\n".join(failures))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
