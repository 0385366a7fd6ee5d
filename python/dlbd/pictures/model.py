"""plot_model: the layers of a model as boxes, what flows between them as arrows."""

from __future__ import annotations

import os
from typing import Any


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] | None = "model.png",
    show_shapes: bool = True,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: float = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
) -> Any:
    """Draw the layers of a model and what flows between them.

    Every call of a layer is a box, coloured by what the layer does; the frame of a layer that is called several times
    is dashed. Needs the extra ``plot`` (``pip install dlbd[plot]``), and neither pydot nor Graphviz. Unlike in Keras,
    shapes and names are shown by default: a picture without them says little.

    Args:
        model: made of Inputs, or Sequential.
        to_file: where to save it; the ending tells the format: png, svg or pdf. None: nowhere.
        show_shapes: the shapes of one sample along the arrows, ? for a size that varies.
        show_dtype: their dtypes, too.
        show_layer_names: the names of the layers in their boxes.
        rankdir: "TB" draws from top to bottom, "LR" from left to right.
        expand_nested: draw the layers of models inside this one.
        dpi: dots per inch of a png; 200 by default.
        show_layer_activations: the activations in their boxes.
        show_trainable: whether training changes the weights in the boxes.

    Returns:
        The matplotlib figure, which a notebook shows.

    Raises:
        ImportError: matplotlib is missing.
        ValueError: the model is a subclass whose ``call`` alone knows how its layers are connected, it has no layers,
            or ``rankdir`` is neither "TB" nor "LR".

    Example:
        >>> import tempfile
        >>> model = dlbd.Sequential([dlbd.Input((28, 28, 1)), dlbd.layers.Conv2D(8, 3), dlbd.layers.Flatten()])
        >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
        ...     figure = dlbd.utils.plot_model(model, file.name)
    """
    if rankdir not in ("TB", "LR"):
        raise ValueError(f'[plot_model] rankdir must be "TB" or "LR"; received {rankdir!r}')
    from dlbd.models.outline import outline

    calls = outline(model)
    if not calls or (len(calls) > 1 and not any(call.sources for call in calls)):
        raise ValueError(
            f"[plot_model] nothing tells how the layers of model {model.name!r} are connected: make it of Inputs, "
            "Model(inputs, outputs), or as a Sequential"
        )
    try:
        from dlbd.pictures.boxes import MARGIN, Drawing, Shown
        from dlbd.pictures.style import Picture
    except ImportError as error:
        raise ImportError("[plot_model] needs the extra: pip install dlbd[plot]") from error
    shown = Shown(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    drawing = Drawing(calls, shown, rankdir == "LR", expand_nested)
    width, height = (side + 2 * MARGIN for side in drawing.size)
    figure = Picture(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    drawing.draw(axes, MARGIN, MARGIN)
    if to_file is not None:
        figure.write(to_file, dpi)
    return figure
