"""The seed's program for Spark, and what follows it: in a process of its own, since it starts Java and stops Spark."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

OF_SPARK = (
    r"\s*$|\[Stage |Using Spark's default log4j|Setting default log level|To adjust logging level"
    r"|.*WARN NativeCodeLoader|WARNING: Using incubator|.*FutureWarning: PySpark does not yet fully"
    r"|  require_minimum_pandas_version"
)
SEEDS = Path(__file__).parents[2] / "examples" / "seeds"


@pytest.mark.timeout(300)
def test_003_pyspark_counts_as_pandas_does_and_learns(tmp_path: Path):
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    result = run([str(SEEDS / "003_pyspark.py"), "--quick"], tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    assert unexpected(result.stderr) == []
    table = pd.read_csv(SEEDS / "penguins.csv").dropna()
    counts = table["species"].value_counts().to_dict()
    assert ast.literal_eval(re.search(r"as pandas has them: (.*)", result.stdout)[1]) == counts  # type: ignore[index]
    for species, count in counts.items():
        assert re.search(rf"\| *{species}\| *{count}\|", result.stdout)  # of the document's show()
    assert float(re.search(r"held out: ([\d.]+)% right", result.stdout)[1]) > 60  # type: ignore[index]
    assert not any(tmp_path.iterdir())


@pytest.mark.timeout(300)
def test_the_guide_on_spark_runs_as_it_is_printed(tmp_path: Path):
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    page = (SEEDS.parents[1] / "docs" / "guide" / "big-data.md").read_text()
    blocks = re.findall(r"^```python.*?\n(.*?)^```$", page[page.index("### Spark") :], re.MULTILINE | re.DOTALL)
    first = re.search(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]  # type: ignore[index]
    result = run(["-c", first + blocks[0] + "spark.stop()"], tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout == ""
    assert unexpected(result.stderr) == []
    assert len(pd.read_parquet(tmp_path / "scored")) == 200


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Python with this package, in a folder of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "SPARK_LOCAL_IP": "127.0.0.1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)


def unexpected(stderr: str) -> list[str]:
    """What is printed beside what Spark itself always prints."""
    return [line for line in stderr.splitlines() if not re.match(OF_SPARK, line)]


def test_without_pyspark_it_says_which_extra():
    code = f"import sys, runpy; sys.modules['pyspark'] = None; runpy.run_path({str(SEEDS / '003_pyspark.py')!r})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SEEDS), *sys.path])}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "pip install 'dlbd[spark]'" in result.stderr
    assert "Traceback" not in result.stderr
