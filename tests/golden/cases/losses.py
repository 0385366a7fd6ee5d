"""Losses, each with every reduction, with weights and masks, and metrics after several updates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import Array, Table, drawn

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", None)
CLASSES = 3  # of "classes"
_SPARSE = "sparse"  # a class for each row of the predictions


def _array(kind: str, shape: tuple[int, ...]) -> Array:
    if kind == _SPARSE:
        return Array("ids", shape[:-1], shape[-1])
    return Array("ids", shape, CLASSES) if kind == "classes" else Array(kind, shape)


@dataclass(frozen=True)
class LossCase:
    """A loss of labels and predictions of the kinds of :class:`Array`, "sparse" or "classes"."""

    build: str
    labels: str
    predictions: str
    shape: tuple[int, ...] = (6, 4)

    @property
    def name(self) -> str:
        of = f" of {self.predictions}" if self.predictions != "normal" else ""
        return self.build + of + (" in 3-D" if len(self.shape) == 3 else "")

    def arrays(self, purpose: str = "loss") -> tuple[np.ndarray, np.ndarray]:
        kinds = (self.labels, self.predictions)
        y_true, y_pred = drawn((_array(kind, self.shape) for kind in kinds), self.name, purpose)
        return y_true, y_pred

    def sample_weights(self) -> dict[str, np.ndarray]:
        """Per sample, and per step where there are steps."""
        shapes = {"rows": self.shape[:1]}
        if len(self.shape) == 3:
            shapes = {"rows": (self.shape[0], 1), "steps": self.shape[:-1]}
        found = {kind: Array("positive", shape) for kind, shape in shapes.items()}
        return dict(zip(found, drawn(found.values(), self.name, "weights"), strict=True))

    def mask(self) -> np.ndarray:
        mask = np.ones(self.shape[:-1], bool)
        mask[0] = mask[-1, ...] = False
        if mask.ndim > 1:
            mask[-1, 0] = True
        return mask

    def variants(self) -> list[tuple[str, str | None, Any, Any]]:
        """(name, reduction, weights, mask)"""
        if any(part in self.build for part in ("axis=0", "Dice(", "Tversky(")):  # there is no value per sample
            return [(f"{reduction}/", reduction, None, None) for reduction in REDUCTIONS]
        by_kind: dict[str, Any] = {"": None} | self.sample_weights()
        found = []
        for reduction in REDUCTIONS:
            for kind, weight in by_kind.items():
                if (reduction, len(self.shape), kind) != ("mean_with_sample_weight", 3, "rows"):  # docs/deviations.md
                    found.append((f"{reduction}/{kind}", reduction, weight, None))
            found.append((f"{reduction}/masked", reduction, None, self.mask()))
            weight = by_kind.get("steps", by_kind["rows"])
            found.append((f"{reduction}/masked-weighted", reduction, weight, self.mask()))
        return found


LOSSES = Table()


def _loss(build: str, labels: str = "normal", predictions: str = "normal") -> None:
    LOSSES.put(LossCase(f"losses.{build}", labels, predictions))
    if build.endswith("()"):
        LOSSES.put(LossCase(f"losses.{build}", labels, predictions, (3, 4, 5)))


_loss("MeanSquaredError()")
_loss("MeanAbsoluteError()")
_loss("MeanAbsolutePercentageError()")
_loss("MeanSquaredLogarithmicError()", "positive", "positive")
_loss("Huber()")
_loss("Huber(delta=0.3)")
_loss("LogCosh()")
_loss("CosineSimilarity()")
_loss("CosineSimilarity(axis=0)")
_loss("Poisson()", "positive", "positive")
_loss("KLDivergence()", "simplex", "simplex")
_loss("Hinge()", "signs")
_loss("Hinge(name='of_bits')", "bits")
_loss("SquaredHinge()", "signs")
_loss("CategoricalHinge()", "one-hot")
_loss("BinaryCrossentropy()", "bits", "unit")
_loss("BinaryCrossentropy(from_logits=True)", "bits")
_loss("BinaryCrossentropy(from_logits=True, label_smoothing=0.2)", "bits")
_loss("BinaryCrossentropy(label_smoothing=0.2)", "bits", "unit")
_loss("BinaryCrossentropy(axis=0)", "bits", "unit")
_loss("BinaryFocalCrossentropy()", "bits", "unit")
_loss("BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.3, gamma=1.5)", "bits", "unit")
_loss("BinaryFocalCrossentropy(from_logits=True, label_smoothing=0.1)", "bits")
_loss("CategoricalCrossentropy()", "one-hot", "simplex")
_loss("CategoricalCrossentropy()", "one-hot", "unit")
_loss("CategoricalCrossentropy(from_logits=True)", "one-hot")
_loss("CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)", "one-hot")
_loss("CategoricalCrossentropy(label_smoothing=0.1)", "one-hot", "simplex")
_loss("CategoricalFocalCrossentropy()", "one-hot", "simplex")
_loss("CategoricalFocalCrossentropy(alpha=[0.1, 0.2, 0.3, 0.4], gamma=1.0)", "one-hot", "simplex")
_loss("CategoricalFocalCrossentropy(from_logits=True, label_smoothing=0.1)", "one-hot")
_loss("SparseCategoricalCrossentropy()", _SPARSE, "simplex")
_loss("SparseCategoricalCrossentropy(from_logits=True)", _SPARSE)
_loss("SparseCategoricalCrossentropy(ignore_class=2)", _SPARSE, "simplex")
_loss("SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)", _SPARSE)
_loss("Dice()", "bits", "unit")
_loss("Dice(axis=(1,))", "bits", "unit")
_loss("Tversky()", "bits", "unit")
_loss("Tversky(alpha=0.3, beta=0.7)", "bits", "unit")


@dataclass(frozen=True)
class MetricCase(LossCase):
    """A metric; the arguments are those of a loss."""

    UPDATES = 3

    def updates(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
        """Labels, predictions and weights: the second update has some."""
        rows = self.shape[:1]
        # Keras makes integers of weights for intersections over unions (docs/deviations.md).
        kind = Array("ids", rows) if "IoU" in self.build else Array("positive", rows)
        (weight,) = drawn([kind], self.name, "weights")
        batches = [self.arrays(f"update {n}") for n in range(self.UPDATES)]
        return [(*batch, weight.astype(np.float32) if n == 1 else None) for n, batch in enumerate(batches)]


METRICS = Table()


def _metric(build: str, labels: str = "normal", predictions: str = "normal", *shape: int) -> None:
    METRICS.put(MetricCase(f"metrics.{build}", labels, predictions, shape or (6, 4)))


_metric("MeanSquaredError()")
_metric("RootMeanSquaredError()")
_metric("MeanAbsoluteError()")
_metric("MeanAbsolutePercentageError()")
_metric("MeanSquaredLogarithmicError()", "positive", "positive")
_metric("LogCoshError()")
_metric("CosineSimilarity()")
_metric("CosineSimilarity(axis=1)", "positive")
_metric("R2Score()")
_metric("R2Score(class_aggregation=None)")
_metric("R2Score(class_aggregation='variance_weighted_average')")
_metric("R2Score(num_regressors=3)", "normal", "normal", 12, 1)
_metric("PearsonCorrelation()")
_metric("ConcordanceCorrelation()")
_metric("Poisson()", "positive", "positive")
_metric("KLDivergence()", "simplex", "simplex")
_metric("Hinge()", "signs")
_metric("SquaredHinge()", "signs")
_metric("CategoricalHinge()", "one-hot")
_metric("BinaryCrossentropy()", "bits", "unit")
_metric("BinaryCrossentropy(from_logits=True, label_smoothing=0.1)", "bits")
_metric("CategoricalCrossentropy()", "one-hot", "simplex")
_metric("CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)", "one-hot")
_metric("SparseCategoricalCrossentropy()", _SPARSE, "simplex")
_metric("SparseCategoricalCrossentropy(from_logits=True)", _SPARSE)
_metric("Accuracy()", "classes", "classes", 30)
_metric("BinaryAccuracy()", "bits", "unit")
_metric("BinaryAccuracy(threshold=0.3)", "bits", "unit")
_metric("CategoricalAccuracy()", "one-hot", "simplex")
_metric("CategoricalAccuracy()", "one-hot", "simplex", 4, 3, 5)
_metric("SparseCategoricalAccuracy()", _SPARSE, "simplex")
_metric("TopKCategoricalAccuracy(k=2)", "one-hot", "simplex")
_metric("SparseTopKCategoricalAccuracy(k=2)", _SPARSE, "simplex")
for _kind in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives", "Precision", "Recall"):
    _metric(f"{_kind}()", "bits", "unit")
    _metric(f"{_kind}(thresholds=[0.2, 0.5, 0.8])", "bits", "unit")
for _kind in ("Precision", "Recall"):
    _metric(f"{_kind}(class_id=1)", "bits", "unit")
    _metric(f"{_kind}(top_k=2)", "bits", "unit")
    _metric(f"{_kind}(top_k=2, class_id=3)", "bits", "unit")
    _metric(f"{_kind}(thresholds=0.7)", "bits", "unit")
_metric("AUC()", "bits", "unit", 40, 1)
_metric("AUC(curve='PR')", "bits", "unit", 40, 1)
_metric("AUC(num_thresholds=20)", "bits", "unit", 40, 1)
_metric("AUC(summation_method='majoring')", "bits", "unit", 40, 1)
_metric("AUC(summation_method='minoring', curve='PR')", "bits", "unit", 40, 1)
_metric("AUC(thresholds=[0.1, 0.4, 0.5, 0.9])", "bits", "unit", 40, 1)
_metric("AUC(from_logits=True)", "bits", "normal", 40, 1)
_metric("AUC(multi_label=True)", "bits", "unit", 40, 3)
_metric("AUC(multi_label=True, num_labels=3, label_weights=[0.1, 0.5, 0.4])", "bits", "unit", 40, 3)
_metric("PrecisionAtRecall(0.6)", "bits", "unit", 40, 1)
_metric("RecallAtPrecision(0.55)", "bits", "unit", 40, 1)
_metric("SensitivityAtSpecificity(0.6)", "bits", "unit", 40, 1)
_metric("SpecificityAtSensitivity(0.6, num_thresholds=50)", "bits", "unit", 40, 1)
for _average in ("None", "'micro'", "'macro'", "'weighted'"):
    _metric(f"F1Score(average={_average})", "one-hot", "simplex")
    _metric(f"FBetaScore(average={_average}, beta=2.0, threshold=0.4)", "bits", "unit")
_metric("F1Score(threshold=0.5)", "bits", "unit")
_metric("IoU(num_classes=3, target_class_ids=[0, 2])", "classes", "classes", 30)
_metric("MeanIoU(num_classes=3)", "classes", "classes", 30)
_metric("MeanIoU(num_classes=3, ignore_class=1)", "classes", "classes", 30)
_metric("BinaryIoU()", "bits", "unit", 30)
_metric("BinaryIoU(target_class_ids=[1], threshold=0.3)", "bits", "unit", 30)
_metric("OneHotIoU(num_classes=4, target_class_ids=[1, 2])", "one-hot", "simplex")
_metric("OneHotMeanIoU(num_classes=4)", "one-hot", "simplex")
