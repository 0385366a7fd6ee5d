// Only in a sanitized build: kernels with one fault each, launched like any other on memory of our own pool, so that a
// test can show that the sanitizers would see such a fault in a real kernel.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "cpu_backend.h"

namespace dlbd {

struct PlantedArgs : LaunchArgs {
  const float* x;
  float* y;
  int64_t n;
};

inline void planted_none(const PlantedArgs& a) {
  for (int64_t i = 0; i < a.n; ++i) a.y[i] = a.x[i];
}
inline void planted_over_read(const PlantedArgs& a) { a.y[0] = a.x[a.n]; }
inline void planted_over_write(const PlantedArgs& a) { a.y[a.n] = a.x[0]; }
inline void planted_scratch_over_write(const PlantedArgs& a) { static_cast<char*>(a.scratch)[100] = 1; }
inline void planted_overflow(const PlantedArgs& a) {
  const int32_t large = INT32_MAX - 1 + static_cast<int32_t>(a.n);
  a.y[0] = static_cast<float>(large);
}

inline void bind_planted_faults(py::module_& m) {
  m.def("plant", [](const std::string& fault, CpuBackend::In x, CpuBackend::Out y) {
    Kernel<PlantedArgs> kernel{planted_none, [](const PlantedArgs&) -> int64_t { return 100; }};
    if (fault == "over-read") kernel.run = planted_over_read;
    if (fault == "over-write") kernel.run = planted_over_write;
    if (fault == "scratch over-write") kernel.run = planted_scratch_over_write;
    if (fault == "overflow") kernel.run = planted_overflow;
    PlantedArgs args{};
    args.x = static_cast<const float*>(x.data), args.y = static_cast<float*>(y.data), args.n = x.size;
    CpuBackend::launch(kernel, args, x, y);
  });
}

}  // namespace dlbd
