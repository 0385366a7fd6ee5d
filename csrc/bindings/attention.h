// Bindings of attention, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/attention.h"

namespace dlbd {

namespace py = pybind11;

// An array of four dimensions, each that of (B, H, Tq, Tk) or 1.
template <class Array>
AttentionTable attention_table(const AttentionShape& s, const Array& x, const char* name, DType dtype) {
  if (!x) return {};
  const int64_t full[] = {s.batch, s.heads, s.tq, s.tk};
  int64_t strides[4], step = 1;
  if (x.ndim != 4) throw py::value_error(std::string("[dot_product_attention] ") + name + " must have 4 dimensions");
  for (int i = 3; i >= 0; --i) {
    if (x.shape[i] != full[i] && x.shape[i] != 1)
      throw py::value_error(std::string("[dot_product_attention] ") + name + " does not broadcast to (B, H, Tq, Tk)");
    strides[i] = x.shape[i] == 1 ? 0 : step;
    step *= x.shape[i];
  }
  x.expect("dot_product_attention", name, dtype, x.size);
  return {x.data, strides[0], strides[1], strides[2], strides[3]};
}

template <class Backend>
void bind_attention(py::module_& m) {
  using In = typename Backend::In;
  using MaybeIn = typename Backend::MaybeIn;
  using Out = typename Backend::Out;
  using MaybeOut = typename Backend::MaybeOut;
  using namespace py::literals;

  py::class_<AttentionShape>(m, "AttentionShape", py::module_local())
      .def(py::init(&make_attention_shape), "batch"_a, "heads"_a, "tq"_a, "tk"_a, "d"_a, "dv"_a, "causal"_a, "dtype"_a);

  m.def(
      "attention_forward",
      [](const AttentionShape& s, In q, In k, In v, MaybeIn mask, MaybeIn bias, double scale, Out y, MaybeOut lse) {
        constexpr const char* kOp = "dot_product_attention";
        const int64_t all = s.batch * s.heads;
        q.expect(kOp, "query", s.dtype, all * s.tq * s.d);
        k.expect(kOp, "key", s.dtype, all * s.tk * s.d);
        v.expect(kOp, "value", s.dtype, all * s.tk * s.dv);
        y.expect(kOp, "y", s.dtype, all * s.tq * s.dv);
        lse.expect(kOp, "lse", s.dtype, all * s.tq);
        AttentionForwardArgs args{};
        args.shape = s, args.q = q.data, args.k = k.data, args.v = v.data, args.y = y.data, args.lse = lse.data;
        args.mask = attention_table(s, mask, "mask", DType::b8);
        args.bias = attention_table(s, bias, "bias", s.dtype);
        args.scale = scale;
        Backend::launch(Backend::kernels().attention_forward, args, q, k, v, mask, bias, y, lse);
      },
      "shape"_a, "q"_a, "k"_a, "v"_a, "mask"_a, "bias"_a, "scale"_a, "y"_a, "lse"_a);

  m.def(
      "attention_backward",
      [](const AttentionShape& s, In q, In k, In v, MaybeIn mask, MaybeIn bias, double scale, In y, In lse, In dy,
         MaybeOut dq, bool accumulate_dq, MaybeOut dk, bool accumulate_dk, MaybeOut dv, bool accumulate_dv,
         MaybeOut ds) {
        constexpr const char* kOp = "dot_product_attention";
        const int64_t all = s.batch * s.heads;
        q.expect(kOp, "query", s.dtype, all * s.tq * s.d);
        k.expect(kOp, "key", s.dtype, all * s.tk * s.d);
        v.expect(kOp, "value", s.dtype, all * s.tk * s.dv);
        y.expect(kOp, "y", s.dtype, all * s.tq * s.dv);
        lse.expect(kOp, "lse", s.dtype, all * s.tq);
        dy.expect(kOp, "dy", s.dtype, all * s.tq * s.dv);
        dq.expect(kOp, "dq", s.dtype, all * s.tq * s.d);
        dk.expect(kOp, "dk", s.dtype, all * s.tk * s.d);
        dv.expect(kOp, "dv", s.dtype, all * s.tk * s.dv);
        ds.expect(kOp, "ds", s.dtype, all * s.tq * s.tk);
        AttentionBackwardArgs args{};
        args.shape = s, args.q = q.data, args.k = k.data, args.v = v.data, args.y = y.data, args.lse = lse.data;
        args.mask = attention_table(s, mask, "mask", DType::b8);
        args.bias = attention_table(s, bias, "bias", s.dtype);
        args.scale = scale, args.dy = dy.data, args.dq = dq.data, args.dk = dk.data, args.dv = dv.data;
        args.ds = ds.data, args.accumulate_dq = accumulate_dq, args.accumulate_dk = accumulate_dk;
        args.accumulate_dv = accumulate_dv;
        Backend::launch(Backend::kernels().attention_backward, args, q, k, v, mask, bias, y, lse, dy, dq, dk, dv, ds);
      },
      "shape"_a, "q"_a, "k"_a, "v"_a, "mask"_a, "bias"_a, "scale"_a, "y"_a, "lse"_a, "dy"_a, "dq"_a, "accumulate_dq"_a,
      "dk"_a, "accumulate_dk"_a, "dv"_a, "accumulate_dv"_a, "ds"_a);
}

}  // namespace dlbd
