// Bindings of the gemm family, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/gemm.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_gemm(py::module_& m) {
  using In = typename Backend::In;
  using MaybeIn = typename Backend::MaybeIn;
  using Out = typename Backend::Out;
  using namespace py::literals;

  py::class_<GemmShape>(m, "GemmShape", py::module_local())
      .def(py::init([](int64_t batch, int64_t m, int64_t n, int64_t k, bool trans_a, bool trans_b, bool broadcast_a,
                       bool broadcast_b, DType dtype, const char* path) {
             if (dtype != DType::f32 && dtype != DType::f64)
               throw py::type_error(std::string("[matmul] takes float32 or float64; received ") + name_of(dtype));
             return make_gemm_shape(batch, m, n, k, trans_a, trans_b, broadcast_a, broadcast_b, dtype, path);
           }),
           "batch"_a, "m"_a, "n"_a, "k"_a, "trans_a"_a, "trans_b"_a, "broadcast_a"_a, "broadcast_b"_a, "dtype"_a,
           "path"_a = "auto")
      .def_property_readonly("path", [](const GemmShape& s) { return name_of(s.path); });

  m.def(
      "gemm",
      [](const GemmShape& s, In a, In b, MaybeIn bias, Out c, ActivationSpec activation, bool accumulate) {
        a.expect("matmul", "a", s.dtype, s.a_stride == 0 ? s.m * s.k : s.batch * s.a_stride);
        b.expect("matmul", "b", s.dtype, s.b_stride == 0 ? s.k * s.n : s.batch * s.b_stride);
        bias.expect("matmul", "bias", s.dtype, s.n);
        c.expect("matmul", "c", s.dtype, s.batch * s.c_stride);
        if (accumulate && (bias || activation.kind != Activation::linear))
          throw py::value_error("[matmul] accumulate excludes bias and activation");
        GemmArgs args{};
        args.shape = s, args.a = a.data, args.b = b.data, args.bias = bias.data, args.c = c.data;
        args.activation = activation, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().gemm, args, a, b, bias, c);
      },
      "shape"_a, "a"_a, "b"_a, "bias"_a, "c"_a, "activation"_a, "accumulate"_a = false);
}

}  // namespace dlbd
