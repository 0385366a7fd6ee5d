"""A result file of run.py as a Markdown page: `python benchmarks/table.py RESULT.json > docs/benchmarks.md`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def duration(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def page(run: dict[str, Any]) -> str:
    """Median time of ours, fraction of the measured limit, and time of each peer divided by ours."""
    machine, results = run["machine"], run["results"]
    peers = sorted({peer for r in results for peer in r["peers"]} - {"dlbd"})
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    lines = [
        "# Benchmarks",
        "",
        f"One run of `python benchmarks/run.py` on {machine['cpu']}, {machine['threads']} threads,",
        f"{machine['date'][:10]}: {versions}. Every result was checked before it was timed. The peers ran in turn with",
        "ours, a process each; a peer's column says how many times as long as dlbd it took (above 1: dlbd is faster),",
        "the median over the rounds.",
        "Machines differ and this one is shared: only the ratios within the run mean anything.",
        "",
        "| limit of the machine | measured |",
        "| --- | --- |",
        *(f"| {name} | {value:.3g} |" for name, value in run["limits"].items()),
    ]
    family = None
    for r in results:
        if "dlbd" not in r["peers"]:
            continue
        if r["family"] != family:
            family = r["family"]
            lines += ["", f"## {family.replace('_', ' ')}", "", f"| case | dlbd | of the limit | {' | '.join(peers)} |"]
            lines.append("| --- " * (3 + len(peers)) + "|")
        ours = r["peers"]["dlbd"]
        fraction = "" if ours["fraction_of_limit"] is None else f"{100 * ours['fraction_of_limit']:.0f}%"
        cells = []
        for peer in peers:
            ratio = r["peers"].get(peer, {}).get("ratio")
            cells.append("" if not ratio else f"{1 / ratio:.3g}")
        name = r["name"] + (", forward + backward" if r["training"] else "")
        lines.append(f"| {name} | {duration(ours['median_seconds'])} | {fraction} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), end="")
