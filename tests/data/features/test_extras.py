"""What is missing is named, with the extra to install."""

from __future__ import annotations

import sys

import pytest

import dlbd
from dlbd.data import Features, Image, rank_features


def test_images_need_pillow(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install 'dlbd\[images\]'"):
        Features([Image("i", size=(4, 4))]).to_numpy(dlbd.data.open({"i": [b"x"]}))


def test_information_gain_needs_scikit_learn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sklearn.feature_selection", None)
    with pytest.raises(ImportError, match=r"pip install 'dlbd\[sklearn\]'"):
        rank_features(dlbd.data.open({"x": [1, 2], "y": ["a", "b"]}), "y")
