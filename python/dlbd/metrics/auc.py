"""The area under a curve that all thresholds together draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd import ops
from dlbd.backend import FLOAT64, Array
from dlbd.metrics.metric import as_result, ratio
from dlbd.metrics.thresholds import Counts, ThresholdMetric
from dlbd.tensor import Tensor, as_float

_CURVES = ("ROC", "PR", "PRGAIN")
_METHODS = ("interpolation", "minoring", "majoring")
_EPSILON = 1e-7  # the outer thresholds lie this far outside of [0, 1], as in Keras


class AUC(ThresholdMetric):
    """The area under the ROC curve (true positive rate over false positive rate) or the precision-recall curve.

    Args:
        num_thresholds: how many points the curve has, at thresholds evenly from 0 to 1; at least 2, 200 by default.
        curve: "ROC" (the default), "PR" or "PRGAIN" (Flach and Kull, 2015).
        summation_method: "interpolation" (the default): trapezia for ROC, for PR the curve of Davis and Goadrich
            (2006); "minoring" and "majoring": rectangles below and above.
        name: "auc" by default.
        dtype: taken for Keras's sake: the result is float32.
        thresholds: where the curve has points besides both ends, in (0, 1), in place of ``num_thresholds``.
        multi_label: the mean of the areas of the labels, predictions (batch, labels); by default one curve for all.
        num_labels: how many labels; told by the first batch by default.
        label_weights: of each label, in the mean with ``multi_label`` and otherwise in the counts; 1 by default.
        from_logits: predictions are logits, not probabilities; False by default.

    ``update_state(y_true, y_pred, sample_weight=None)`` takes labels (0 or 1) and predictions of the same shape.

    Raises:
        ValueError: an argument is out of range, or (at the update) the shapes do not fit.

    Example:
        >>> metric = dlbd.metrics.AUC(num_thresholds=3)
        >>> metric.update_state([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9])
        >>> float(metric.result())
        0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        self.curve = _one_of("curve", curve.upper(), _CURVES)
        self.summation_method = _one_of("summation_method", summation_method.lower(), _METHODS)
        if num_labels and not multi_label:
            raise ValueError("[auc] num_labels is of use with multi_label=True only")
        if thresholds is None and num_thresholds < 2:
            raise ValueError(f"[auc] num_thresholds must be at least 2; received {num_thresholds}")
        inner = None if thresholds is None else np.sort(np.asarray(thresholds, float))
        if inner is not None and not np.all((inner >= 0) & (inner <= 1)):
            raise ValueError(f"[auc] thresholds must lie in [0, 1]; received {thresholds!r}")
        even = np.linspace(0, 1, num_thresholds if inner is None else len(inner) + 2)
        self.num_thresholds = len(even)
        if inner is None:
            inner = even[1:-1]
        self._given = None if thresholds is None else inner.tolist()
        self.thresholds = [-_EPSILON, *inner.tolist(), 1 + _EPSILON]
        super().__init__(
            self.thresholds,
            even=np.allclose(inner, even[1:-1], rtol=0, atol=_EPSILON),
            labels=num_labels if multi_label else 1,
            name=name,
            dtype=dtype,
        )
        self.multi_label, self.num_labels, self.from_logits = multi_label, num_labels, from_logits
        self.label_weights = None if label_weights is None else [float(w) for w in label_weights]
        if self.label_weights is not None and not (min(self.label_weights) >= 0 and sum(self.label_weights) > 0):
            raise ValueError(
                f"[{self.name}] label_weights must be 0 or more, and not all 0; received {label_weights!r}"
            )
        flat = self.label_weights if not multi_label else None
        self._factor = None if flat is None else ops.convert_to_tensor(flat, FLOAT64)

    def _exceeded(self, pred: Tensor) -> Tensor:
        exceeded = super()._exceeded(pred)
        return ops.maximum(exceeded, 1) if self._even else exceeded  # 0 lies above the first threshold

    def _add(self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any, factor: Tensor | None = None) -> None:
        pred = as_float(y_pred)
        if self.multi_label and pred.ndim != 2:
            raise ValueError(f"[{self.name}] multi_label=True needs predictions (batch, labels); received {pred.shape}")
        if self.from_logits:
            pred = ops.sigmoid(pred)
        super()._add(y_true, pred, sample_weight, mask, self._factor)

    def result(self) -> Tensor:
        """The area so far, 0 where there are no true or no false labels: a scalar."""
        counts = self._counts()
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = _interpolated_pr(counts)
        else:
            x, y = self._points(counts)
            pairs = y[:-1], y[1:]
            if self.summation_method == "interpolation":
                heights = (pairs[0] + pairs[1]) / 2
            else:
                heights = (np.minimum if self.summation_method == "minoring" else np.maximum)(*pairs)
            areas = (x[:-1] - x[1:]) * heights
        area = np.atleast_1d(areas.sum(0))
        return as_result(np.average(area, weights=self.label_weights if self.multi_label else None))

    def _points(self, counts: Counts) -> tuple[Array, Array]:
        tp, fp, tn, fn = counts
        recall = ratio(tp, tp + fn)
        if self.curve == "ROC":
            return ratio(fp, fp + tn), recall
        if self.curve == "PR":
            return recall, ratio(tp, tp + fp)
        scale = ratio(tp + fn, tn + fp)
        none = tp == 0
        recall_gain = np.where(none, 0.0, np.maximum(1 - scale * ratio(fn, tp), 0))
        return recall_gain, np.where(none, 1.0, 1 - scale * ratio(fp, tp))

    def get_config(self) -> dict[str, Any]:
        names = ("num_thresholds", "curve", "summation_method", "multi_label", "num_labels", "label_weights")
        own = {name: getattr(self, name) for name in (*names, "from_logits")}
        return {**super().get_config(), **own, **({} if self._given is None else {"thresholds": self._given})}


def _interpolated_pr(counts: Counts) -> Array:
    """The area of each step if true and false positives grow evenly in it.

    With P = TP + FP, precision is (TP_1 + slope (P - P_1)) / P between a threshold (1) and the one below it, whose
    integral is slope (TP - TP_1 + (TP_1 - slope P_1) log(P / P_1)) / (TP_1 + FN_1).
    """
    tp, predicted = counts.true_positives, counts.true_positives + counts.false_positives
    gained = tp[:-1] - tp[1:]
    slope = ratio(gained, predicted[:-1] - predicted[1:])
    intercept = tp[1:] - slope * predicted[1:]
    growth = np.where(predicted[1:] > 0, ratio(predicted[:-1], predicted[1:]), 1.0)
    area = slope * (gained + intercept * np.log(growth))
    return np.asarray(ratio(area, tp[1:] + counts.false_negatives[1:]))


def _one_of(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"[auc] {name} must be one of {list(known)}; received {value!r}")
    return value
