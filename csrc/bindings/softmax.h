// Bindings of the softmax family, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/softmax.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_softmax(py::module_& m) {
  using In = typename Backend::In;
  using Out = typename Backend::Out;
  using namespace py::literals;

  py::class_<SoftmaxShape>(m, "SoftmaxShape", py::module_local())
      .def(py::init(&make_softmax_shape), "outer"_a, "n"_a, "inner"_a, "dtype"_a, "path"_a = "auto")
      .def_property_readonly("path", [](const SoftmaxShape& s) { return name_of(s.path); });

  m.def(
      "softmax_forward",
      [](const SoftmaxShape& s, In x, Out y, bool log) {
        const int64_t count = s.outer * s.n * s.inner;
        x.expect("softmax", "x", s.dtype, count);
        y.expect("softmax", "y", s.dtype, count);
        SoftmaxForwardArgs args{};
        args.shape = s, args.x = x.data, args.y = y.data, args.log = log;
        Backend::launch(Backend::kernels().softmax_forward, args, x, y);
      },
      "shape"_a, "x"_a, "y"_a, "log"_a = false);

  m.def(
      "softmax_backward",
      [](const SoftmaxShape& s, In y, In dy, Out dx, bool log, bool accumulate) {
        const int64_t count = s.outer * s.n * s.inner;
        y.expect("softmax", "y", s.dtype, count);
        dy.expect("softmax", "dy", s.dtype, count);
        dx.expect("softmax", "dx", s.dtype, count);
        SoftmaxBackwardArgs args{};
        args.shape = s, args.y = y.data, args.dy = dy.data, args.dx = dx.data;
        args.log = log, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().softmax_backward, args, y, dy, dx);
      },
      "shape"_a, "y"_a, "dy"_a, "dx"_a, "log"_a, "accumulate"_a);
}

}  // namespace dlbd
