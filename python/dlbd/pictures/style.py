"""What all pictures share: a figure that a notebook shows and a script saves, and colours."""

from __future__ import annotations

import io
import os
from typing import Any

from matplotlib.figure import Figure

INK, MUTED, FAINT = "#1f2933", "#66737f", "#d5dbe1"
BLUE, ORANGE = "#2b6cb0", "#dd7a1f"

# Agg cannot draw more pixels than this along a side.
MOST_PIXELS = 60_000


class Picture(Figure):
    """A figure of its own, without pyplot's state: safe in threads and without a display."""

    def _repr_png_(self) -> bytes:
        made = io.BytesIO()
        self.savefig(made, format="png")
        return made.getvalue()

    def write(self, path: Any, dpi: float | None = None) -> None:
        """Save; the ending tells the format: png, svg, pdf."""
        chosen = dpi or self.dpi
        self.savefig(os.fspath(path), dpi=min(chosen, MOST_PIXELS / max(self.get_size_inches())))
