"""One function per operation, with the names of ``keras.ops``."""

from dlbd.ops.matmul import matmul

__all__ = ["matmul"]
