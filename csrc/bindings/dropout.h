// Bindings of dropout, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <vector>

#include "../shapes/dropout.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_dropout(py::module_& m) {
  using In = typename Backend::In;
  using Out = typename Backend::Out;
  using namespace py::literals;

  py::class_<DropoutShape>(m, "DropoutShape", py::module_local())
      .def(py::init([](const std::vector<int64_t>& sizes, const std::vector<int64_t>& noise, DType dtype) {
             if (sizes.size() != noise.size())
               throw py::value_error("[dropout] noise_shape must have as many dimensions as x");
             return make_dropout_shape(sizes.data(), noise.data(), static_cast<int>(sizes.size()), dtype);
           }),
           "sizes"_a, "noise"_a, "dtype"_a);

  m.def(
      "dropout_forward",
      [](const DropoutShape& s, double rate, Out counter, Out used, In x, Out y) {
        if (!(rate >= 0.0 && rate <= 1.0)) throw py::value_error("[dropout] rate must lie between 0 and 1");
        counter.expect("dropout", "counter", DType::i64, 2);
        used.expect("dropout", "used", DType::i64, 2);
        x.expect("dropout", "x", s.dtype, s.size);
        y.expect("dropout", "y", s.dtype, s.size);
        DropoutForwardArgs args{};
        args.shape = s, args.rate = rate;
        args.counter = static_cast<int64_t*>(counter.data), args.used = static_cast<int64_t*>(used.data);
        args.x = x.data, args.y = y.data;
        Backend::launch(Backend::kernels().dropout_forward, args, counter, used, x, y);
      },
      "shape"_a, "rate"_a, "counter"_a, "used"_a, "x"_a, "y"_a);

  m.def(
      "dropout_backward",
      [](const DropoutShape& s, double rate, In used, In dy, Out dx, bool accumulate) {
        if (!(rate >= 0.0 && rate <= 1.0)) throw py::value_error("[dropout] rate must lie between 0 and 1");
        used.expect("dropout", "used", DType::i64, 2);
        dy.expect("dropout", "dy", s.dtype, s.size);
        dx.expect("dropout", "dx", s.dtype, s.size);
        DropoutBackwardArgs args{};
        args.shape = s, args.rate = rate, args.used = static_cast<const int64_t*>(used.data);
        args.dy = dy.data, args.dx = dx.data, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().dropout_backward, args, used, dy, dx);
      },
      "shape"_a, "rate"_a, "used"_a, "dy"_a, "dx"_a, "accumulate"_a);
}

}  // namespace dlbd
