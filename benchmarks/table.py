"""A result file of run.py as a Markdown page: `python benchmarks/table.py RESULT.json > docs/benchmarks.md`."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any


def duration(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def row(result: dict[str, Any], peers: list[str]) -> str:
    ours = result["peers"]["dlbd"]
    fraction = ours["fraction_of_limit"]
    cells = [
        result["name"] + (", forward + backward" if result["training"] else ""),
        duration(ours["median_seconds"]),
        "" if fraction is None else f"{100 * fraction:.0f}%",
    ]
    for peer in peers:
        ratio = result["peers"].get(peer, {}).get("ratio")
        cells.append(f"{1 / ratio:.3g}" if ratio else "failed" if peer in result["failures"] else "")
    return f"| {' | '.join(cells)} |"


def page(run: dict[str, Any]) -> str:
    """Median time of ours, fraction of the measured limit, and time of each peer divided by ours."""
    machine, results = run["machine"], run["results"]
    peers = [peer for peer in run["versions"] if peer != "dlbd"]
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    lines = [
        "# Benchmarks",
        "",
        *textwrap.wrap(
            f"One run of `python benchmarks/run.py` on {machine['cpu']}, {machine['threads']} threads, "
            f"{machine['date'][:10]}: {versions}. Every result was checked before it was timed. The peers ran in turn "
            "with ours, a process each; a peer's column says how many times as long as dlbd it took (above 1: dlbd is "
            "faster), the median over the rounds. Machines differ and this one is shared: only ratios within the run "
            "mean anything.",
            width=120,
        ),
        "",
        "| limit of the machine | measured |",
        "| --- | --- |",
        *(f"| {name} | {value:.3g} |" for name, value in run["limits"].items()),
    ]
    ours = [r for r in results if "dlbd" in r["peers"]]
    for family in dict.fromkeys(r["family"] for r in ours):
        rows = [r for r in ours if r["family"] == family]
        present = [peer for peer in peers if any(peer in {**r["peers"], **r["failures"]} for r in rows)]
        lines += ["", f"## {family.replace('_', ' ')}", "", f"| case | dlbd | of the limit | {' | '.join(present)} |"]
        lines.append("| --- " * (3 + len(present)) + "|")
        lines += [row(r, present) for r in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), end="")
