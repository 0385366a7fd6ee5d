// Bindings of the elementwise family.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/elementwise.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_elementwise(py::module_& m) {
  using In = typename Backend::In;
  using Out = typename Backend::Out;
  using namespace py::literals;

  m.def(
      "fill",
      [](double value, Out y) {
        FillArgs args{};
        args.dtype = y.dtype, args.n = y.size, args.value = value, args.y = y.data;
        Backend::launch(Backend::kernels().fill, args, y);
      },
      "value"_a, "y"_a);

  m.def(
      "assign",
      [](In x, Out y, bool accumulate) {
        x.expect("assign", "x", y.dtype, y.size);
        AssignArgs args{};
        args.dtype = y.dtype, args.n = y.size, args.x = x.data, args.y = y.data, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().assign, args, x, y);
      },
      "x"_a, "y"_a, "accumulate"_a = false);
}

}  // namespace dlbd
