"""The rules, with Keras's names and defaults. The formulas stand in csrc/cpu/optimizer.cpp."""

from __future__ import annotations

from typing import Any

from dlbd.optimizers.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted, as in Keras (Sutskever et al., 2013)::

        p -= lr g                             without momentum
        m = momentum m - lr g;  p += m        with it
        m = momentum m - lr g;  p += momentum m - lr g        with nesterov

    Args:
        learning_rate: lr, 0.01 by default.
        momentum: in [0, 1]; 0 by default, and then there is no state.
        nesterov: look ahead; changes nothing without momentum.
        kwargs: ``weight_decay``, clipping and name, see :class:`Optimizer`.

    State: momentum m, from 0.

    Raises:
        ValueError: ``momentum`` lies outside [0, 1].

    Example:
        >>> x, optimizer = dlbd.Variable([0.0]), dlbd.optimizers.SGD(0.5, momentum=0.5)
        >>> for _ in range(2):  # m = -0.5, then -0.75
        ...     step = optimizer.apply_gradients([([1.0], x)])
        >>> x.numpy().tolist()
        [-1.25]
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
    """Adam (Kingma and Ba, 2014), with the bias corrections in the step size, as in Keras. In step t = 1, 2, ...::

        m += (1 - beta_1) (g - m)
        v += (1 - beta_2) (g^2 - v)
        p -= lr sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)

    epsilon is thus added to a root that is not corrected: the paper's "epsilon hat".

    Args:
        learning_rate: lr, 0.001 by default.
        beta_1: decay of the mean of the gradients, in [0, 1); 0.9 by default.
        beta_2: decay of the mean of their squares, in [0, 1); 0.999 by default.
        epsilon: 1e-7 by default.
        amsgrad: take the largest v so far in place of v (Reddi et al., 2018).
        kwargs: ``weight_decay``, clipping and name, see :class:`Optimizer`.

    State: momentum m and velocity v of each variable, then with ``amsgrad`` velocity_hat of each; all from 0.

    Raises:
        ValueError: ``beta_1`` or ``beta_2`` lies outside [0, 1).

    Example:
        >>> x, optimizer = dlbd.Variable([4.0]), dlbd.optimizers.Adam(learning_rate=0.5)
        >>> step = optimizer.apply_gradients([([8.0], x)])  # the first step has the length lr, whatever the gradient
        >>> round(float(x[0]), 4)
        3.5
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
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019): first ``p -= lr weight_decay p``, then Adam.

    Args:
        learning_rate: lr, 0.001 by default.
        weight_decay: 0.004 by default.
        beta_1, beta_2, epsilon, amsgrad: see :class:`Adam`.
        kwargs: clipping and name, see :class:`Optimizer`.

    Raises:
        ValueError: ``weight_decay`` is None, or a beta lies outside [0, 1).

    Example:
        >>> x, optimizer = dlbd.Variable([4.0]), dlbd.optimizers.AdamW(learning_rate=0.5, weight_decay=0.25)
        >>> step = optimizer.apply_gradients([([8.0], x)])  # 4 - 0.5 * 0.25 * 4, and a first step of Adam
        >>> round(float(x[0]), 4)
        3.0
    """

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
    """Gradient over the root of a moving mean of its squares (Hinton, 2012), as in Keras::

        v = rho v + (1 - rho) g^2
        a = rho a + (1 - rho) g;  d = v - a^2 with centered, else v
        m = momentum m + lr g / sqrt(d + epsilon);  p -= m

    Args:
        learning_rate: lr, 0.001 by default.
        rho: decay of the means, 0.9 by default.
        momentum: 0 by default, for none.
        epsilon: inside the root; 1e-7 by default.
        centered: divide by the root of the variance (Graves, 2013), not of the mean of squares.
        kwargs: ``weight_decay``, clipping and name, see :class:`Optimizer`.

    State: velocity v of each variable, then, where used, momentum m of each and average_gradient a of each; from 0.

    Example:
        >>> x, optimizer = dlbd.Variable([4.0]), dlbd.optimizers.RMSprop(learning_rate=0.5, rho=0.75)
        >>> step = optimizer.apply_gradients([([8.0], x)])  # v = 16
        >>> round(float(x[0]), 4)
        3.0
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
    """Gradient over the root of the sum of all its squares (Duchi et al., 2011), as in Keras::

        s += g^2;  p -= lr g / sqrt(s + epsilon)

    Args:
        learning_rate: lr, 0.001 by default.
        initial_accumulator_value: where s starts, 0 or more; 0.1 by default.
        epsilon: inside the root; 1e-7 by default.
        kwargs: ``weight_decay``, clipping and name, see :class:`Optimizer`.

    State: accumulator s.

    Raises:
        ValueError: ``initial_accumulator_value`` is negative.

    Example:
        >>> x = dlbd.Variable([4.0])
        >>> optimizer = dlbd.optimizers.Adagrad(learning_rate=0.5, initial_accumulator_value=0.0)
        >>> step = optimizer.apply_gradients([([8.0], x)])
        >>> round(float(x[0]), 4)
        3.5
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
