"""Models as files for other runtimes."""

from dlbd.export.onnx_file import export_model

__all__ = ["export_model"]
