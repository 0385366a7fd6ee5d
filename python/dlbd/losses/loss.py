"""Loss: what training makes small. The mean over the samples, or the sum and the count that it is made of."""

from __future__ import annotations

from typing import Any, ClassVar

from dlbd.backend import Array, Versioned
from dlbd.ops import losses as launches
from dlbd.tensor import Tensor, as_tensor

_COUNTING = {"sum_over_batch_size": "rows", "mean": "rows", "sum": "one", "mean_with_sample_weight": "weights"}


def checked_reduction(reduction: str | None) -> str | None:
    if reduction is None or reduction == "none":
        return None
    if reduction not in _COUNTING:
        raise ValueError(f"[loss] reduction must be one of {sorted(_COUNTING)} or None; received {reduction!r}")
    return reduction


class Loss(Versioned):
    """Base of all losses. A loss of your own overrides :meth:`call`, which gives one value per sample.

    Args:
        name: made from the class name by default.
        reduction: "sum_over_batch_size" (the default, or "mean"): the weighted sum over the number of samples that the
            mask keeps, whatever their weights; "sum"; "mean_with_sample_weight": the weighted sum over the sum of the
            weights; None or "none": every sample's value.
        dtype: taken for Keras's sake; a loss is computed in the dtype of the predictions.

    Raises:
        ValueError: ``reduction`` is unknown.

    Example:
        >>> class Cubed(dlbd.losses.Loss):
        ...     def call(self, y_true, y_pred):
        ...         return dlbd.ops.mean(abs(dlbd.ops.subtract(y_true, y_pred)) ** 3, axis=-1)
        >>> float(Cubed()([[0.0], [0.0]], [[1.0], [3.0]]))
        14.0
    """

    _parameters: ClassVar[tuple[str, ...]] = ()  # attributes that belong to the configuration

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        self.name = name or _snake_case(type(self).__name__)
        self.reduction = checked_reduction(reduction)
        self.dtype = dtype

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value per sample: a tensor of the shape of ``y_pred`` without its last axis."""
        raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred)")

    def _terms(self, y_true: Any, y_pred: Any) -> tuple[str, Any, Any, dict[str, Any]]:
        """The kernel's name for the loss, its two operands and its options."""
        return "identity", None, self.call(y_true, y_pred), {}

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        """The loss of a batch.

        Args:
            y_true: labels.
            y_pred: predictions; their ``mask``, where they carry one, leaves samples out.
            sample_weight: one weight per sample, or per step of each sample; None for 1.

        Returns:
            A scalar tensor, or with ``reduction=None`` one value per sample.

        Raises:
            ValueError: shapes do not fit, or a label is out of range.

        Example:
            >>> loss = dlbd.losses.MeanSquaredError()
            >>> float(loss([[0.0], [0.0]], [[1.0], [2.0]], sample_weight=[3.0, 1.0]))  # (3 * 1 + 1 * 4) / 2
            3.5
        """
        if self.reduction is None:
            return self._launch("vector" if sample_weight is None else "none", y_true, y_pred, sample_weight)[0]
        return self._launch("sum" if self.reduction == "sum" else "mean", y_true, y_pred, sample_weight)[0]

    def sum_and_count(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tuple[Tensor, Tensor]:
        """The two scalars whose quotient is the loss: the optimizer of ``fit`` divides the gradient by the count.

        Args:
            y_true, y_pred, sample_weight: as for a call.

        Raises:
            ValueError: the loss has no reduction, or as for a call.

        Example:
            >>> total, count = dlbd.losses.MeanSquaredError().sum_and_count([[0.0], [0.0]], [[1.0], [2.0]])
            >>> float(total), float(count)
            (5.0, 2.0)
        """
        if self.reduction is None:
            raise ValueError(f"[{self.name}] training needs a loss with a reduction; this one has None")
        total, count = self._launch("sum", y_true, y_pred, sample_weight)
        return total, Tensor(count)

    def _launch(self, result: str, y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[Tensor, Array]:
        kind, true, pred, options = self._terms(y_true, y_pred)
        mask = y_pred.mask if isinstance(y_pred, Tensor) else None
        counting = _COUNTING[self.reduction] if self.reduction else "rows"
        return launches.launch(kind, true, pred, result, counting, sample_weight, mask, options)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as a dict."""
        own = {name: getattr(self, name) for name in self._parameters}
        return {"name": self.name, "reduction": self.reduction, **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """The loss that :meth:`get_config` describes."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class FunctionLoss(Loss):
    """A function ``f(y_true, y_pred)`` that gives one value per sample, as a loss."""

    def __init__(self, function: Any, name: str | None = None, reduction: str | None = "sum_over_batch_size") -> None:
        super().__init__(name=name or getattr(function, "__name__", "loss"), reduction=reduction)
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(as_tensor(y_true), as_tensor(y_pred))


def _snake_case(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))
