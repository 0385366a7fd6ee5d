"""Files of Keras 3: models (``.keras``, a ZIP archive of config.json and model.weights.h5) and ``.weights.h5``."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dlbd import symbolic
from dlbd.layers.base import Layer, map_shapes
from dlbd.saving import building, compiling
from dlbd.saving.keras_config import place_vocabularies, translated
from dlbd.saving.keras_weights import KerasWeights, named
from dlbd.saving.model_file import as_fault, compile_saved
from dlbd.saving.objects import deserialize_keras_object
from dlbd.saving.registration import CustomObjectScope
from dlbd.saving.state import parts_of
from dlbd.saving.text import from_text
from dlbd.symbolic import KerasTensor

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_VOCABULARY = "/vocabulary.txt"
_MAX_CONFIG = 100_000_000  # bytes; as the headers of our own files


def load_keras_model(
    path: str, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """What :func:`dlbd.saving.load_model` does with a file of Keras 3."""
    if not path.endswith(".keras"):
        raise ValueError(
            f"{path}: only the weights of an .h5 file are read: model.load_weights(), or save it as .keras"
        )
    with _archive(path) as archive:
        try:
            config = from_text(_member(archive, _CONFIG), f"its {_CONFIG}")
            place_vocabularies(config, "assets", _vocabularies(archive))
            weights = KerasWeights(io.BytesIO(_member(archive, _WEIGHTS)), _WEIGHTS)
            # floats of half the size become ours
            with building.weights_within(2 * weights.total_bytes()):
                model = deserialize_keras_object(translated(config), custom_objects, safe_mode)
                if not isinstance(model, Layer):
                    raise ValueError(f"it holds a {type(model).__name__}, which is no model")
                with CustomObjectScope(custom_objects or {}):
                    _build(model, config.get("build_config"))
            _assign(model, weights, path, skip_mismatch=False)
            compiled = config.get("compile_config")
            if compile and compiled:
                _compile(model, compiled, weights, custom_objects)
        except Exception as error:  # whatever a configuration may bring about
            raise as_fault(path, error) from error
    return model


def load_keras_weights(model: Any, path: str, skip_mismatch: bool) -> None:
    """What :func:`dlbd.saving.load_weights` does with a file of Keras 3."""
    if not all(layer.built for layer in model.walk()):
        raise ValueError(f"[{model.name}] has no weights yet for those of {path}: call it, or build() it first")
    if path.endswith(".keras"):
        with _archive(path) as archive:
            _assign(model, KerasWeights(io.BytesIO(_member(archive, _WEIGHTS)), path), path, skip_mismatch)
        return
    with open(path, "rb") as file:
        _assign(model, KerasWeights(file, path), path, skip_mismatch)


@contextmanager
def _archive(path: str) -> Iterator[zipfile.ZipFile]:
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield archive
        except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError) as error:
            raise ValueError(f"{path}: is cut off, broken or no file of Keras: {error}") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A file in the archive, which lies there as it is: so it cannot be larger than the archive."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"it has no {name}") from None
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise ValueError(f"its {name} is compressed, which Keras's files are not")
    if name == _CONFIG and info.file_size > _MAX_CONFIG:
        raise ValueError(f"its {name} has {info.file_size} bytes; at most {_MAX_CONFIG} are read")
    return archive.read(info)


def _vocabularies(archive: zipfile.ZipFile) -> dict[str, list[str]]:
    """Lists of words, by the paths of the layers that they belong to."""
    names = [name for name in archive.namelist() if name.endswith(_VOCABULARY)]
    return {n.removesuffix(_VOCABULARY): _member(archive, n).decode().split("\n") for n in names}


def _build(model: Layer, config: Any) -> None:
    """Weights for a model of the user's own, which are made by a first call."""
    shapes = (config or {}).get("input_shape")
    if shapes is None or all(layer.built for layer in model.walk()):
        return
    symbolic.infer(model, (map_shapes(lambda shape: KerasTensor(shape, model.dtype), building.as_shapes(shapes)),), {})


def _assign(model: Any, weights: KerasWeights, path: str, skip_mismatch: bool) -> None:
    mine = parts_of(model).weights
    offers, places = weights.offers(model, named(mine))
    building.assign(mine, offers, lambda name: weights.read(places[name]), path, skip_mismatch)


def _compile(
    model: Any, config: Mapping[str, Any], weights: KerasWeights, custom_objects: Mapping[str, Any] | None
) -> None:
    known = {k: translated(v) for k, v in config.items() if k not in ("jit_compile", "steps_per_execution")}
    compile_saved(model, known, custom_objects)
    state = [weights.read(p) for p in weights.variables("optimizer")]
    if not state:  # it was compiled, and never trained
        return
    names = named(parts_of(model).weights)
    trained = [names[id(v)] for v in model.variables_to_train()]
    built = len(state) > len(model.optimizer.variables)  # which has no more than step and learning rate before
    note = {"variables": trained if built else None, "without_decay": []}
    compiling.restore_optimizer(model.optimizer, note, parts_of(model).weights, state)
