// Bindings of random numbers, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/random.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_random(py::module_& m) {
  using Out = typename Backend::Out;
  using namespace py::literals;

  m.def(
      "random_uniform",
      [](Out counter, Out y) {
        counter.expect("random_uniform", "counter", DType::i64, 2);
        if (y.dtype != DType::f32 && y.dtype != DType::f64)
          throw py::type_error("[random_uniform] y must be float32 or float64");
        RandomUniformArgs args{};
        args.size = y.size, args.dtype = y.dtype;
        args.counter = static_cast<int64_t*>(counter.data), args.y = y.data;
        Backend::launch(Backend::kernels().random_uniform, args, counter, y);
      },
      "counter"_a, "y"_a);
}

}  // namespace dlbd
