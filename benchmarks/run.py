"""python benchmarks/run.py [--quick] [--only gemm,conv] [--peers pytorch] [--threads N] [--plot FILE] [--json FILE]"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
