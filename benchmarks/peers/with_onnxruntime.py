"""ONNX Runtime: one graph per case, its own kernels (forward only). Images are NCHW, its native layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks import overhead
from benchmarks.harness import Case, Run

Arrays = dict[str, Any]


class OnnxRuntime:
    version = onnxruntime.__version__

    def __init__(self, threads: int) -> None:
        self.threads = threads

    @staticmethod
    def to_numpy(x: Any) -> np.ndarray:
        return np.asarray(x)

    def _session(self, nodes: list[Any], inputs: list[str], constants: Arrays, outputs: list[str]) -> Any:
        """A session whose weights are constants, so that it may prepack them as a deployed model does."""
        graph = helper.make_graph(
            nodes,
            "case",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inputs],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(np.ascontiguousarray(a), name) for name, a in constants.items()],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def _run(self, nodes: list[Any], feed: Arrays, constants: Arrays, restore: Any = None) -> Run:
        feed = {name: np.ascontiguousarray(a) for name, a in feed.items()}
        session = self._session(nodes, list(feed), constants, ["y"])
        # bound once: no copies of inputs and outputs at each call
        binding = session.io_binding()
        for name, a in feed.items():
            binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(a))
        binding.bind_output("y")

        def check() -> np.ndarray:
            session.run_with_iobinding(binding)
            y = binding.copy_outputs_to_cpu()[0]
            return restore(y) if restore else y

        return Run(lambda: session.run_with_iobinding(binding), check=check)

    def matmul(self, case: Case, arrays: Arrays) -> Run:
        node = helper.make_node("MatMul", ["a", "b"], ["y"])
        return self._run([node], {"a": arrays["a"]}, {"b": arrays["b"]})

    def dense(self, case: Case, arrays: Arrays) -> Run | None:
        if case.training:
            return None
        nodes = [helper.make_node("Gemm", ["a", "b", "bias"], ["z"]), helper.make_node("Relu", ["z"], ["y"])]
        return self._run(nodes, {"a": arrays["a"]}, {"b": arrays["b"], "bias": arrays["bias"]})

    def conv(self, case: Case, arrays: Arrays) -> Run | None:
        if case.training:
            return None
        s = case.sizes
        pad = s["k"] // 2 if s["padding"] == "same" else 0
        node = helper.make_node("Conv", ["x", "w", "b"], ["y"], strides=[s["stride"]] * 2, pads=[pad] * 4)
        x, w = arrays["x"].transpose(0, 3, 1, 2), arrays["w"].transpose(3, 2, 0, 1)
        return self._run([node], {"x": x}, {"w": w, "b": arrays["b"]}, lambda y: y.transpose(0, 2, 3, 1))

    def _pool(self, case: Case, arrays: Arrays, kind: str) -> Run | None:
        if case.training:
            return None
        size, stride = [case.sizes["size"]] * 2, [case.sizes["stride"]] * 2
        node = helper.make_node(kind, ["x"], ["y"], kernel_shape=size, strides=stride)
        return self._run([node], {"x": arrays["x"].transpose(0, 3, 1, 2)}, {}, lambda y: y.transpose(0, 2, 3, 1))

    def max_pool(self, case: Case, arrays: Arrays) -> Run | None:
        return self._pool(case, arrays, "MaxPool")

    def average_pool(self, case: Case, arrays: Arrays) -> Run | None:
        return self._pool(case, arrays, "AveragePool")

    def _recurrent(self, case: Case, arrays: Arrays, kind: str, order: list[int], **attributes: Any) -> Run | None:
        if case.training:
            return None
        h = case.sizes["h"]

        def gates(w: np.ndarray) -> np.ndarray:
            return np.concatenate([w[..., g * h : (g + 1) * h] for g in order], axis=-1)

        bias = arrays["b"] if arrays["b"].ndim == 2 else np.stack((arrays["b"], 0 * arrays["b"]))
        constants = {
            "w": gates(arrays["w"]).T[None],
            "r": gates(arrays["u"]).T[None],
            "b": gates(bias).reshape(1, -1),
        }
        node = helper.make_node(kind, ["x", "w", "r", "b"], ["y"], hidden_size=h, **attributes)
        x = arrays["x"].transpose(1, 0, 2)  # its native layout; y is (T, 1, B, H)
        return self._run([node], {"x": x}, constants, lambda y: y[:, 0].transpose(1, 0, 2))

    def lstm(self, case: Case, arrays: Arrays) -> Run | None:
        return self._recurrent(case, arrays, "LSTM", [0, 3, 1, 2])

    def gru(self, case: Case, arrays: Arrays) -> Run | None:
        return self._recurrent(case, arrays, "GRU", [0, 1, 2], linear_before_reset=1)

    def rnn(self, case: Case, arrays: Arrays) -> Run | None:
        return self._recurrent(case, arrays, "RNN", [0])

    def attention(self, case: Case, arrays: Arrays) -> Run | None:
        if case.training:
            return None
        shape = arrays["q"].shape
        heads, causal = shape[2], int(case.sizes["causal"])
        names = {"domain": "com.microsoft", "num_heads": heads, "unidirectional": causal}
        node = helper.make_node("MultiHeadAttention", ["q", "k", "v"], ["y"], **names)
        feed = {n: arrays[n].reshape(*shape[:2], -1) for n in "qkv"}
        return self._run([node], feed, {}, lambda y: y.reshape(shape))

    def _unary(self, case: Case, arrays: Arrays, kind: str, **attributes: Any) -> Run | None:
        if case.training:
            return None
        return self._run([helper.make_node(kind, ["x"], ["y"], **attributes)], {"x": arrays["x"]}, {})

    def softmax(self, case: Case, arrays: Arrays) -> Run | None:
        return self._unary(case, arrays, "Softmax", axis=-1)

    def relu(self, case: Case, arrays: Arrays) -> Run | None:
        return self._unary(case, arrays, "Relu")

    def transpose(self, case: Case, arrays: Arrays) -> Run | None:
        return self._unary(case, arrays, "Transpose", perm=[1, 0])

    def layer_norm(self, case: Case, arrays: Arrays) -> Run | None:
        if case.training:
            return None
        node = helper.make_node("LayerNormalization", ["x", "gamma", "beta"], ["y"], axis=-1, epsilon=1e-3)
        return self._run([node], {"x": arrays["x"]}, {"gamma": arrays["gamma"], "beta": arrays["beta"]})

    def add(self, case: Case, arrays: Arrays) -> Run:
        return self._run([helper.make_node("Add", ["x", "z"], ["y"])], {"x": arrays["x"], "z": arrays["y"]}, {})

    def add_row(self, case: Case, arrays: Arrays) -> Run:
        return self._run([helper.make_node("Add", ["x", "z"], ["y"])], {"x": arrays["x"], "z": arrays["row"]}, {})

    def import_library(self, case: Case, arrays: Arrays) -> Run:
        return overhead.import_run("import onnxruntime")

    def predict_one(self, case: Case, arrays: Arrays) -> Run:
        names = ["w1", "b1", "w2", "b2"]
        nodes = [
            helper.make_node("Gemm", ["x", "w1", "b1"], ["z1"]),
            helper.make_node("Relu", ["z1"], ["h"]),
            helper.make_node("Gemm", ["h", "w2", "b2"], ["z2"]),
            helper.make_node("Softmax", ["z2"], ["y"]),
        ]
        session = self._session(nodes, ["x"], dict(zip(names, arrays["weights"], strict=True)), ["y"])
        x = arrays["x"]
        return Run(lambda: session.run(None, {"x": x})[0])
