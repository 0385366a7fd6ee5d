"""The picture: ours / peer for every case, one mark per peer, on a logarithmic axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.harness import Result


def draw(results: list[Result], machine: dict[str, Any], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shown = [r for r in results if "dlbd" in r.seconds and len(r.seconds) > 1]
    peers = sorted({peer for r in shown for peer in r.seconds if peer != "dlbd"})
    figure, axes = plt.subplots(figsize=(10, 1.6 + 0.24 * len(shown)), layout="constrained")
    for peer, mark in zip(peers, "os^vDP*X", strict=False):
        rows = [(i, r.ratio(peer)) for i, r in enumerate(shown) if peer in r.seconds]
        axes.plot([1 / ratio for _, ratio in rows if ratio], [i for i, ratio in rows if ratio], mark, label=peer, ms=5)
    axes.axvline(1, color="black", lw=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(shown)), [r.case.label for r in shown], fontsize=7)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlabel("times as fast as the peer (right of 1: dlbd is faster)")
    axes.set_title(f"{machine['cpu']}, {machine['threads']} threads, {machine['date'][:10]}", fontsize=9)
    axes.grid(axis="x", which="both", alpha=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(file, dpi=150)
    plt.close(figure)
