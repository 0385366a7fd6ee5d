"""Deep learning on big data: Keras's interface on hand-written kernels."""

from dlbd import ops
from dlbd.autograd import GradientTape
from dlbd.tensor import Tensor, Variable

__version__ = "0.1.0"

__all__ = ["GradientTape", "Tensor", "Variable", "ops"]
