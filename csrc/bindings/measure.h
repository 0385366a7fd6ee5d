// Bindings of the machine's yardsticks.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/measure.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_measure(py::module_& m) {
  using In = typename Backend::In;
  using Out = typename Backend::Out;
  using namespace py::literals;

  m.def(
      "measure_fma_peak",
      [](int64_t steps, Out sums) {
        sums.expect("measure_fma_peak", "sums", DType::f32, sums.size);
        if (steps < 0 || steps > (int64_t{1} << 40)) throw py::value_error("[measure_fma_peak] 0 <= steps <= 2^40");
        MeasureFmaArgs args{};
        args.chunks = sums.size, args.steps = steps, args.sums = static_cast<float*>(sums.data);
        Backend::launch(Backend::kernels().measure_fma_peak, args, sums);
        // 12 vectors, a multiplication and an addition each
        return sums.size * steps * 12 * 2 * (Backend::kernels().vector_bytes / static_cast<int64_t>(sizeof(float)));
      },
      "steps"_a, "sums"_a, "Runs len(sums) chunks of multiply-adds; returns the floating-point operations done.");

  m.def(
      "measure_copy",
      [](In x, Out y) {
        y.expect("measure_copy", "y", x.dtype, x.size);
        MeasureCopyArgs args{};
        args.bytes = x.size * size_of(x.dtype), args.x = x.data, args.y = y.data;
        Backend::launch(Backend::kernels().measure_copy, args, x, y);
        return 2 * args.bytes;
      },
      "x"_a, "y"_a, "Copies x to y; returns the bytes read and written.");
}

}  // namespace dlbd
