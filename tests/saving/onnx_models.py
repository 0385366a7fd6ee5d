"""What tests of ONNX files share: a model beside its file in ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime

import dlbd
from dlbd.backend import on_host
from dlbd.export.onnx_file import onnx_model
from dlbd.structure import flatten

TOLERANCE = 1e-5


def randomized(model, seed=0):
    """With weights that are all different, so that each of them matters."""
    rng = np.random.default_rng(seed)
    for w in model.weights:
        if w.dtype.kind == "f":
            inputs = int(np.prod(w.shape[:-1])) if len(w.shape) > 1 else 4
            value = rng.normal(0, inputs**-0.5, w.shape)
            w.assign(np.abs(value) + 0.5 if "variance" in w.name else value)
    return model


def session_of(proto):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])


def checked(model, **options):
    """The model in ONNX's form, found right by ONNX's checker and its inference of shapes."""
    proto = onnx_model(model, **options)
    onnx.checker.check_model(proto, full_check=True)
    onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    return proto


def assert_same(model, *batches, proto=None):
    """In ONNX Runtime each batch, an array or a list of one for each input, gives what the model gives."""
    proto = checked(model) if proto is None else proto
    session = session_of(proto)
    names = [i.name for i in session.get_inputs()]
    for batch in batches:
        given = list(batch) if isinstance(batch, (list, tuple)) else [batch]
        expected = [on_host(y.array) for y in flatten(model(batch, training=False))]
        found = session.run(None, dict(zip(names, given, strict=True)))
        assert len(found) == len(expected)
        for y, reference in zip(found, expected, strict=True):
            assert y.dtype == reference.dtype
            np.testing.assert_allclose(y, reference, rtol=TOLERANCE, atol=TOLERANCE)
    return proto


def operators(proto):
    return [node.op_type for node in proto.graph.node]


def model_of(call, *inputs):
    """What ``call`` makes of Inputs, as a model."""
    made = call(*inputs)
    return dlbd.Model(inputs[0] if len(inputs) == 1 else list(inputs), made)
