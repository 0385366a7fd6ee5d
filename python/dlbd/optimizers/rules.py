"""The rules, with Keras's names and defaults. The formulas stand in csrc/cpu/optimizer.cpp."""

from __future__ import annotations

from typing import Any

from dlbd.optimizers.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent: ``m = momentum m - lr g; p += m``; with ``nesterov``, ``p += momentum m - lr g``.

    Args:
        learning_rate: 0.01 unless given.
        momentum: in [0, 1].
        nesterov: look ahead.
        kwargs: see :class:`Optimizer`.
    """

    _kind = "sgd"

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        if not 0 <= momentum <= 1:
            raise ValueError(f"[{self.name}] momentum must be in [0, 1]; received {momentum}")
        self.momentum, self.nesterov = float(momentum), nesterov

    def _slots(self) -> list[tuple[str, float]]:
        return [("momentum", 0.0)] if self.momentum else []

    def _state_arguments(self) -> tuple[str | None, str | None, str | None]:
        return ("momentum" if self.momentum else None), None, None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2014), with the bias corrections in the step size, as in Keras.

    Args:
        learning_rate: 0.001 unless given.
        beta_1, beta_2: decay of the mean of gradients and of their squares.
        epsilon: added to the root of the latter.
        amsgrad: use the largest mean of squares so far.
        kwargs: see :class:`Optimizer`.
    """

    _kind = "adam"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        for name, beta in (("beta_1", beta_1), ("beta_2", beta_2)):
            if not 0 <= beta < 1:
                raise ValueError(f"[{self.name}] {name} must be in [0, 1); received {beta}")
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = float(beta_1), float(beta_2), float(epsilon), amsgrad

    def _slots(self) -> list[tuple[str, float]]:
        slots = [("momentum", 0.0), ("velocity", 0.0)]
        return [*slots, ("velocity_hat", 0.0)] if self.amsgrad else slots

    def _state_order(self) -> list[list[str]]:
        return [["momentum", "velocity"], ["velocity_hat"]] if self.amsgrad else [["momentum", "velocity"]]

    def _state_arguments(self) -> tuple[str | None, str | None, str | None]:
        return "momentum", "velocity", ("velocity_hat" if self.amsgrad else None)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019): first ``p -= lr * weight_decay * p``."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("[adamw] weight_decay must be a number; received None")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)


class RMSprop(Optimizer):
    """Gradient over the root of a moving mean of its squares: ``lr g / sqrt(v + epsilon)``.

    Args:
        learning_rate: 0.001 unless given.
        rho: decay of the mean.
        momentum: 0 for none.
        epsilon: inside the root.
        centered: take the variance in place of the mean of squares.
        kwargs: see :class:`Optimizer`.
    """

    _kind = "rmsprop"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho, self.momentum, self.epsilon, self.centered = float(rho), float(momentum), float(epsilon), centered

    def _slots(self) -> list[tuple[str, float]]:
        slots = [("velocity", 0.0)]
        if self.momentum:
            slots.append(("momentum", 0.0))
        if self.centered:
            slots.append(("average_gradient", 0.0))
        return slots

    def _state_arguments(self) -> tuple[str | None, str | None, str | None]:
        return "velocity", ("momentum" if self.momentum else None), ("average_gradient" if self.centered else None)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }


class Adagrad(Optimizer):
    """Gradient over the root of the sum of all its squares (Duchi et al., 2011).

    Args:
        learning_rate: 0.001 unless given.
        initial_accumulator_value: where the sums start.
        epsilon: inside the root.
        kwargs: see :class:`Optimizer`.
    """

    _kind = "adagrad"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        if initial_accumulator_value < 0:
            raise ValueError(
                f"[{self.name}] initial_accumulator_value must not be negative; received {initial_accumulator_value}"
            )
        self.initial_accumulator_value, self.epsilon = float(initial_accumulator_value), float(epsilon)

    def _slots(self) -> list[tuple[str, float]]:
        return [("accumulator", self.initial_accumulator_value)]

    def _state_arguments(self) -> tuple[str | None, str | None, str | None]:
        return "accumulator", None, None

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }
