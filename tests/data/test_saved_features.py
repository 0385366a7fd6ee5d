"""What sources teach a model is copied, saved and loaded with it."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import dlbd
from tests.data.test_fit_sources import as_they_are, classifier, columns, program, source


def test_copies_and_files_have_the_features(tmp_path):
    model = classifier()
    model.fit(source(), target="label", verbose=0)
    raw = columns(20, seed=1)
    wanted = model.predict(raw)
    model.save(tmp_path / "m.dlbd")
    for other in (
        copy.copy(model),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        dlbd.models.load_model(tmp_path / "m.dlbd"),
    ):
        assert other.features.classes == ["high", "low", "mid"]
        np.testing.assert_array_equal(other.predict(raw), wanted)
    clone = dlbd.models.clone_model(model)
    assert clone.features.get_config() == model.features.get_config()
    assert clone.features is not model.features
    assert dlbd.models.clone_model(classifier()).features is None


def test_a_new_process_loads_the_features(tmp_path):
    model = classifier()
    model.fit(source(), target="label", verbose=0)
    model.save(tmp_path / "m.dlbd")
    running = program(
        f"""
        import dlbd
        print(dlbd.models.load_model({str(tmp_path / "m.dlbd")!r}).features.classes)
        """
    )
    out, err = running.communicate()
    assert out.strip() == "['high', 'low', 'mid']", err


def changed(path, text: str, other: str) -> None:
    """Write other text into the features of a model's file, which is sealed anew."""
    from dlbd.saving.tensor_file import TensorFile, write

    with TensorFile(path) as file:
        arrays = {name: file.read(name).copy() for name in file}
        metadata = dict(file.metadata)
    assert text in metadata["features"]
    metadata["features"] = metadata["features"].replace(text, other)
    write(path, arrays, metadata)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ('"Number"', '"Lambda"'),
        ('"Number"', '["Number"]'),
        ('"dlbd>Features"', '"os>system"'),
        ('"columns"', '"rows"'),
        ('{"columns"', '[{"columns"'),
    ],
)
def test_features_that_somebody_has_tampered_with_are_an_error(tmp_path, text, other):
    model = classifier()
    model.fit(source(), features=as_they_are(), verbose=0)
    path = str(tmp_path / "m.dlbd")
    model.save(path)
    changed(path, text, other)
    with pytest.raises(ValueError, match=r"m\.dlbd: "):
        dlbd.models.load_model(path)


def test_a_model_with_features_loads_without_their_extra(tmp_path):
    model = classifier()
    model.fit(source(), features=as_they_are(), verbose=0)
    model.save(tmp_path / "m.dlbd")
    running = program(
        f"""
        import sys
        sys.modules["pyarrow"] = None
        import copy, numpy as np, dlbd
        model = dlbd.models.load_model({str(tmp_path / "m.dlbd")!r})
        print(model.predict(np.ones((2, 3))).shape, copy.deepcopy(model).predict(np.ones((40, 3))).shape)
        model.save({str(tmp_path / "again.dlbd")!r})
        try:
            model.predict({{"a": [1.0], "b": [1.0], "c": [1.0]}})
        except ImportError as error:
            print(error)
        """
    )
    out, err = running.communicate()
    assert out.splitlines() == ["(2, 3) (40, 3)", "raw rows need the extra data: pip install 'dlbd[data]'"], err
    again = dlbd.models.load_model(tmp_path / "again.dlbd")
    np.testing.assert_array_equal(again.predict(columns(9)), model.predict(columns(9)))
