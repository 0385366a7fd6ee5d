"""The table on the screen, and the summary of the issue's targets."""

from __future__ import annotations

from typing import Any

from benchmarks.cli import duration
from benchmarks.gpu_cases.case import TARGETS


def rate(per_second: float, family: str) -> str:
    if family == "memory_bound":
        return f"{per_second / 1e9:8.0f} GB/s"
    return f"{per_second:8.0f} steps/s" if family == "training" else f"{per_second / 1e12:8.2f} TFLOP/s"


def line(row: dict[str, Any]) -> str:
    """name, our time, speed, fraction of the limit, our time / each peer's, targets."""
    failed = "; ".join(f"{who} FAILED: {why.strip().splitlines()[-1][:120]}" for who, why in row["failures"].items())
    if "dlbd" not in row["peers"]:
        return f"  {row['name']:52} {failed}"
    ours = row["peers"]["dlbd"]
    ratios = ", ".join(f"{100 / p['ratio']:.0f}% of {name}" for name, p in row["peers"].items() if name != "dlbd")
    part = f"{row['fraction']:5.0%} of limit" if "fraction" in row else ""
    marks = {True: "pass", False: "MISS", None: "no peer"}
    judged = " ".join(marks[t["met"]] for t in row.get("targets", []))
    speed = rate(row["per_second"], row["family"])
    cells = f"{duration(ours['median_seconds'])} ±{ours['spread']:3.0%} {speed:17} {part:15}"
    return f"  {row['name']:52} {cells} {judged:5} {ratios}{'; ' + failed if failed else ''}"


def targets(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each line of the issue: how many rows were judged, how many pass, and the worst."""
    found = []
    for target in TARGETS.values():
        judged = [
            (t["value"], row["family"] + ": " + row["name"], t["met"])
            for row in rows
            for t in row.get("targets", [])
            if t["text"] == target.text and t["value"] is not None
        ]
        worst = (min if target.metric == "fraction" else max)(judged, default=None, key=lambda j: j[0])
        found.append(
            {
                "text": target.text,
                "metric": target.metric,
                "bound": target.bound,
                "rows": len(judged),
                "met": sum(met for _, _, met in judged),
                "worst": worst and {"value": worst[0], "row": worst[1]},
            }
        )
    return found


def target_line(target: dict[str, Any]) -> str:
    if not target["rows"]:
        return f"  not measured   {target['text']}"
    verdict = "pass" if target["met"] == target["rows"] else "MISS"
    worst = target["worst"]
    value = (
        f"{worst['value']:.0%} of the limit" if target["metric"] == "fraction" else f"{worst['value']:.2f} x its time"
    )
    return f"  {verdict} {target['met']:3}/{target['rows']:<3}   {target['text']}; worst: {worst['row']} at {value}"


def dropped_lines(dropped: list[dict[str, str]]) -> list[str]:
    """What was left out and why, the cases of a family together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for d in dropped:
        what, _, name = d["what"].partition(": ")
        groups.setdefault((what, d["why"].partition("\n")[0]), []).append(name)
    return [f"  {what}{': ' + '; '.join(names) if any(names) else ''} ({why})" for (what, why), names in groups.items()]
