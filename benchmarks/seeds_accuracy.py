"""How well the seed documents' examples learn: medians over seeds, and whether they hold what is promised.

    DLBD_TEST_DATA=... python benchmarks/seeds_accuracy.py [000_cnn ...] [--seeds 5]

The examples themselves are run, as they are, on real data; the figures are those that they print. Writes
results/seeds_accuracy.json and a table beside it; what is not run keeps its entry.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples" / "seeds"
RESULTS = HERE / "results" / "seeds_accuracy.json"


@dataclass(frozen=True)
class Claim:
    """What is read of an example's variables after it has run, and what the median of it must be."""

    example: str
    what: str
    read: Callable[[dict[str, Any]], float]
    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def wanted(self) -> str:
        if self.at_least is None and self.at_most is None:
            return ""
        return f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"


def _accuracy(ran: dict[str, Any]) -> float:
    return float(ran["accuracy"])


def _right(name: str) -> Callable[[dict[str, Any]], float]:
    return lambda ran: ran["right"][name]


def _error(name: str) -> Callable[[dict[str, Any]], float]:
    return lambda ran: ran["errors"][name]


def _of_persistence(ran: dict[str, Any]) -> float:
    return float(ran["errors"]["the same network, stopped"] / ran["errors"]["persistence (as now)"])


CLAIMS = [
    Claim("000_cnn", "MNIST-10k: accuracy on the last 2,000 after 5 epochs", _accuracy, at_least=0.98),
    Claim("000_lstm", "ETTh1: squared error of the LSTM", _error("the same network, stopped")),
    Claim("000_lstm", "ETTh1: squared error of persistence", _error("persistence (as now)")),
    Claim("000_lstm", "ETTh1: squared error of ridge regression", _error("ridge regression")),
    Claim("000_lstm", "ETTh1: squared error of the document's 100 epochs", _error("the document's program")),
    Claim("000_lstm", "ETTh1: the LSTM's error as a share of persistence's", _of_persistence, at_most=1.0),
    Claim("000_attention", "ETTh1: lost readings put in the right band of ten", _right("with attention")),
    Claim("000_attention", "the same without attention", _right("without")),
    Claim("000_gan", "MNIST-10k: digits of which the GAN makes 3%", lambda ran: ran["judge"].classes, at_least=8),
    Claim("000_gan", "its Frechet distance as a share of the untrained", lambda ran: ran["judge"].ratio, at_most=0.25),
    Claim("002_cnn", "MNIST-10k: accuracy on the last 2,000 after 5 epochs", _accuracy),
    Claim("003_sentiment", "polarity: accuracy on the tenth held out", _accuracy, at_least=0.74),
    Claim("004_dense", "ETTh1: warmer in three hours, accuracy in the test months", _accuracy),
]


def values_of(example: str, seed: int) -> list[float]:
    """In a process of its own: the example reads its options and draws its random numbers as a user's would."""
    call = [sys.executable, __file__, "--values", example, "--seed", str(seed)]
    out = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: list[float] = json.loads(out.splitlines()[-1])
    return found


def print_values(example: str, seed: int) -> None:
    sys.argv = [example, "--seed", str(seed)]
    sys.path.insert(0, str(EXAMPLES))
    ran = runpy.run_path(str(EXAMPLES / f"{example}.py"))
    print("\n" + json.dumps([float(claim.read(ran)) for claim in CLAIMS if claim.example == example]))


def table(results: dict[str, Any]) -> str:
    lines = [
        "| example | what | seeds | median | lowest | highest | wanted |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for claim in CLAIMS:
        if claim.example in results:
            of_seeds = results[claim.example][claim.what]
            figures = [f"{f(of_seeds):.4g}" for f in (statistics.median, min, max)]
            lines.append(
                " | ".join([f"| {claim.example}", claim.what, f"{len(of_seeds)}", *figures, f"{claim.wanted()} |"])
            )
    return "\n".join(lines)


def main() -> None:
    names = list(dict.fromkeys(claim.example for claim in CLAIMS))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", nargs="*", help=f"some of {', '.join(names)}; all by default")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--values", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.values:
        return print_values(options.values, options.seed)
    if not os.environ.get("DLBD_TEST_DATA"):
        parser.error("set DLBD_TEST_DATA to the folder with the data: the claims are about real data")

    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    failed = []
    for example in options.examples or names:
        runs = [values_of(example, seed) for seed in range(options.seeds)]
        claims = [claim for claim in CLAIMS if claim.example == example]
        results[example] = {c.what: list(of_seeds) for c, of_seeds in zip(claims, zip(*runs, strict=True), strict=True)}
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        RESULTS.with_suffix(".md").write_text(
            f"Written by `benchmarks/seeds_accuracy.py`, on the CPU: seeds from 0 on.\n\n{table(results)}\n"
        )
        for claim in claims:
            median = statistics.median(results[example][claim.what])
            verdict = "ok" if claim.holds(median) else "NOT KEPT"
            failed += [] if verdict == "ok" else [claim.what]
            print(f"{verdict:8} {example}: {claim.what}: {median:.4g} {claim.wanted()}", flush=True)
    sys.exit(f"not kept: {failed}" if failed else 0)


if __name__ == "__main__":
    main()
