"""Models as files: weights, configuration, and what training needs to go on, in one file of the safetensors format.

Arrays: ``weights/<path>``, ``state/<path>`` (random layers, stateful layers), ``optimizers/<path>/<number>``. Metadata:
"format", "format_version", and in JSON "model", "layers", "compile", "optimizers", "features". See
:mod:`dlbd.saving.state` for the paths and :mod:`dlbd.saving.tensor_file` for the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from dlbd import __version__
from dlbd.backend import Array
from dlbd.layers.base import Layer
from dlbd.saving import building, compiling
from dlbd.saving.features import features_config, features_from_config
from dlbd.saving.objects import deserialize_keras_object, serialize_keras_object
from dlbd.saving.state import Parts, parts_of, set_states, states_of
from dlbd.saving.tensor_file import TensorFile, write
from dlbd.saving.text import from_text, to_text

FORMAT, VERSION = "dlbd", 1
_SUFFIXES = (".dlbd", ".safetensors")
_KERAS = (".keras", ".h5", ".hdf5")


def save_model(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Save a model with everything that :func:`load_model` needs to go on with it: ``model.save(...)``.

    Args:
        model: the model.
        filepath: where; it ends in ".dlbd".
        overwrite: whether a file of that name may be replaced.

    Features that make inputs of raw rows (see :meth:`dlbd.Model.fit`) are saved with it.

    Raises:
        ValueError: the name ends otherwise, or something in the model cannot be said in plain data.
        FileExistsError: there is such a file, and ``overwrite`` is False.
        OSError: the disk is full, the folder cannot be written to: nothing has changed then.

    Example:
        >>> import os, tempfile
        >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(1)])
        >>> path = os.path.join(tempfile.mkdtemp(), "m.dlbd")
        >>> dlbd.saving.save_model(model, path)
        >>> np.array_equal(dlbd.saving.load_model(path).get_weights()[0], model.get_weights()[0])
        True
    """
    path = _checked_path(filepath, (".dlbd",), overwrite)
    parts = parts_of(model)
    metadata = {"model": serialize_keras_object(model), "compile": model.get_compile_config()}
    arrays, notes = optimizer_arrays(parts)
    arrays |= {f"state/{name}": array for name, array in states_of(parts).items()}
    features = features_config(getattr(model, "features", None))
    write_parts(path, parts, arrays, {**metadata, "optimizers": notes, "features": features})


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Save the weights alone, for :func:`load_weights`: ``model.save_weights(...)``.

    Args:
        model, overwrite: as for :func:`save_model`.
        filepath: where; it ends in ".dlbd" or ".safetensors", as in "m.weights.dlbd".

    Raises:
        ValueError: the name ends otherwise, or the model is not built.
        FileExistsError, OSError: as for :func:`save_model`.

    Example:
        >>> import os, tempfile
        >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(1)])
        >>> path = os.path.join(tempfile.mkdtemp(), "m.weights.dlbd")
        >>> dlbd.saving.save_weights(model, path)
        >>> dlbd.saving.load_weights(model, path)
    """
    path = _checked_path(filepath, _SUFFIXES, overwrite)
    if not model.built:
        raise ValueError(f"[{model.name}] has no weights to save yet: call it, or build() with an input shape")
    write_parts(path, parts_of(model), {}, {})


def _checked_path(filepath: Any, suffixes: tuple[str, ...], overwrite: bool) -> str:
    path: str = os.fspath(filepath)
    if not path.endswith(suffixes):
        stem = path.removesuffix(".h5") if path.endswith(".weights.h5") else os.path.splitext(path)[0]
        hint = " (Keras's files are read, but not written)" if path.endswith(_KERAS) else ""
        raise ValueError(
            f"a file name that ends in {' or '.join(suffixes)} is needed, {stem}.dlbd for one; received {path}{hint}"
        )
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{path} is there already; pass overwrite=True to replace it")
    return path


def write_parts(path: str, parts: Parts, arrays: Mapping[str, Array], metadata: Mapping[str, Any]) -> None:
    weights = {f"weights/{name}": v.array for name, v in parts.weights.items()}
    texts = {name: to_text(value) for name, value in metadata.items() if value is not None}
    texts |= {"layers": to_text(building.layer_table(parts))}
    about = {"format": FORMAT, "format_version": str(VERSION), "dlbd_version": __version__}
    write(path, {**weights, **arrays}, {**about, **texts})


def optimizer_arrays(parts: Parts) -> tuple[dict[str, Array], dict[str, Any]]:
    names = {id(v): name for name, v in parts.weights.items()}
    notes = {path: compiling.optimizer_note(optimizer, names) for path, optimizer in parts.optimizers.items()}
    arrays = {
        f"optimizers/{path}/{i}": v.array
        for path, optimizer in parts.optimizers.items()
        for i, v in enumerate(optimizer.variables)
    }
    return arrays, notes


# Loading


def load_model(
    filepath: Any, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """The model in a file: our own (".dlbd") or Keras 3's (".keras", which needs the extra ``h5``).

    A file is data: its weights and names of classes, which are looked up among ours and those that the program
    registered or passes. Nothing that stands in it is run, and no other file is opened.

    Args:
        filepath: the file.
        custom_objects: {name: class or function} of the program's own.
        compile: whether to compile it as it was, with the optimizer's state. Training then goes on where it stopped.
        safe_mode: must be True.

    Returns:
        The model, on the current device.

    Raises:
        ValueError: the file is cut off, broken, or made by somebody who wanted something else; or it names a class
            that is not known. The message begins with the file's name.
        OSError: it cannot be opened.

    Example:
        >>> import os, tempfile
        >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> path = os.path.join(tempfile.mkdtemp(), "m.dlbd")
        >>> model.save(path)
        >>> dlbd.models.load_model(path).optimizer
        <Adam learning_rate=0.001>
    """
    path = os.fspath(filepath)
    if path.endswith(_KERAS):
        from dlbd.saving.keras_file import load_keras_model

        return load_keras_model(path, custom_objects, compile, safe_mode)
    with TensorFile(path) as file:
        try:
            return _loaded(SavedFile(file), custom_objects, compile, safe_mode)
        except Exception as error:  # whatever a configuration may bring about in classes of ours and of the user
            raise as_fault(file.path, error) from error


def as_fault(path: str, error: Exception) -> Exception:
    """What went wrong while a file was loaded, as an error about the file."""
    if isinstance(error, (OSError, MemoryError, ImportError)) or str(error).startswith(f"{path}: "):
        return error
    if isinstance(error, RecursionError):
        return ValueError(f"{path}: its configuration is nested too deeply")
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
    return ValueError(f"{path}: cannot be loaded: {kind}{error}")


class SavedFile:
    """A file of the format above."""

    def __init__(self, file: TensorFile) -> None:
        self.file = file
        if file.metadata.get("format") != FORMAT or not file.sealed:
            raise file.fault(
                'is no file of dlbd\'s; weights of PyTorch are loaded by load_weights(..., format="torch")'
            )
        version = file.metadata.get("format_version")
        if version != str(VERSION):
            raise file.fault(f"has format version {version!r}; this dlbd reads {VERSION}: a newer one made it")
        self.layers = self.text("layers")

    def text(self, name: str) -> Any:
        """What stands in the metadata under ``name``; None if nothing does."""
        found = self.file.metadata.get(name)
        return None if found is None else from_text(found, f"its {name!r}")

    def names(self, kind: str) -> list[str]:
        """Those of the arrays of one kind."""
        return [name.removeprefix(f"{kind}/") for name in self.file if name.startswith(f"{kind}/")]

    def read(self, kind: str, name: str) -> Array:
        return self.file.read(f"{kind}/{name}")

    def assign(self, parts: Parts, skip_mismatch: bool = False) -> None:
        offered = {name: building.Offer(*self.file.entry(f"weights/{name}")) for name in self.names("weights")}
        building.assign(parts.weights, offered, lambda n: self.read("weights", n), self.file.path, skip_mismatch)


def _loaded(given: SavedFile, custom_objects: Mapping[str, Any] | None, compile: bool, safe_mode: bool) -> Any:
    config = given.text("model")
    if config is None:
        raise ValueError("it holds weights only: make the model and call model.load_weights()")
    with building.weights_within(given.file.total_bytes()):
        model = deserialize_keras_object(config, custom_objects, safe_mode)
        if not isinstance(model, Layer):
            raise ValueError(f"it holds a {type(model).__name__}, which is no model")
        parts = building.build_layers(model, given.layers["shapes"])
    given.assign(parts)
    building.freeze(parts, given.layers)
    set_states(parts, {name: given.read("state", name) for name in given.names("state")})
    features = features_from_config(given.text("features"), custom_objects)
    if features is not None:
        model.features = features
    compiled = given.text("compile")
    if compile and compiled is not None:
        compile_saved(model, compiled, custom_objects)
        restore_optimizers(parts_of(model), given.text("optimizers"), given)
    return model


def compile_saved(model: Any, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None) -> None:
    from dlbd.saving.registration import CustomObjectScope

    try:
        with CustomObjectScope(custom_objects or {}):
            model.compile_from_config(config)
    except Exception as error:
        raise ValueError(f"{error} (load_model(..., compile=False) leaves the optimizer and the loss out)") from error


def restore_optimizers(parts: Parts, notes: Mapping[str, Any], given: Any) -> None:
    """The state of the optimizers that the model has by now."""
    for path, optimizer in parts.optimizers.items():
        count = len([n for n in given.names(f"optimizers/{path}") if "/" not in n])
        state = [given.read(f"optimizers/{path}", str(i)) for i in range(count)]
        compiling.restore_optimizer(optimizer, notes[path], parts.weights, state)


def load_weights(
    model: Any, filepath: Any, skip_mismatch: bool = False, format: str | None = None, **kwargs: Any
) -> None:
    """Put the weights in a file into a model: ``model.load_weights(...)``.

    Args:
        model: a model of the structure that the weights were saved from. If it is not built yet, the file says how.
        filepath: a file of :func:`save_weights` or :func:`save_model`, one of Keras 3 (".weights.h5", ".keras"; both
            need the extra ``h5``), or with ``format="torch"`` a PyTorch state dict in a ".safetensors" file.
        skip_mismatch: leave weights alone that are missing or have another shape; a warning lists them.
        format: "torch", see :func:`dlbd.saving.load_torch_weights`, which also tells of ``kwargs``; None by default.

    Raises:
        ValueError: the file is cut off or broken, or holds other weights; no weight is changed then.
        OSError: it cannot be opened.

    Example:
        >>> import os, tempfile
        >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(1)])
        >>> path = os.path.join(tempfile.mkdtemp(), "m.weights.dlbd")
        >>> model.save_weights(path)
        >>> before = model.get_weights()
        >>> model.set_weights([np.zeros((3, 1)), np.zeros(1)])
        >>> model.load_weights(path)
        >>> np.array_equal(model.get_weights()[0], before[0])
        True
    """
    path = os.fspath(filepath)
    if format not in (None, "torch"):
        raise ValueError(f'format must be "torch" or None; received {format!r}')
    if format == "torch":
        from dlbd.saving.torch_weights import load_torch_weights

        load_torch_weights(model, path, **kwargs)
        return
    if kwargs:
        raise TypeError(f'load_weights() takes {sorted(kwargs)} only with format="torch"')
    if path.endswith(_KERAS):
        from dlbd.saving.keras_file import load_keras_weights

        load_keras_weights(model, path, skip_mismatch)
        return
    with TensorFile(path) as file:
        given = SavedFile(file)
        file.verify()
        try:
            if not model.built:
                with building.weights_within(file.total_bytes(), zeros=False):
                    building.build_layers(model, given.layers["shapes"])
            given.assign(parts_of(model), skip_mismatch)
        except (KeyError, TypeError, AttributeError) as error:  # the list of layers is not what it should be
            raise as_fault(file.path, error) from error
