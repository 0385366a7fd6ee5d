#include "cuda_backend.h"
#include "families.h"

PYBIND11_MODULE(_cuda, m, pybind11::mod_gil_not_used()) {
  using Backend = dlbd::CudaBackend;
  m.doc() = "dlbd's kernels for NVIDIA GPUs";
  m.attr("build") = DLBD_CUDA_BUILD_DESCRIPTION;
  m.def("set_device", &Backend::set_device, pybind11::arg("device"));
  m.def(
      "set_matmul_precision",
      [](int precision) { Backend::precision() = static_cast<dlbd::MatmulPrecision>(precision); },
      pybind11::arg("precision"));
  m.def("device_count", &Backend::device_count, "How many GPUs there are; 0 without a driver.");
  m.def("from_host", &Backend::from_host, pybind11::arg("x"),
        "A copy of a NumPy array on the current device. While a step is recorded it is a constant of that step.");
  m.def("upload", &Backend::upload, pybind11::arg("x"), pybind11::arg("y"),
        "Queues the copy of a NumPy array to a device array. Memory that is not pinned was read when this returns.");
  m.def("download", &Backend::download, pybind11::arg("x"), pybind11::arg("y"),
        "Copies a device array to a NumPy array, waits for it, and raises what a kernel found in its data before.");
  dlbd::bind_all<Backend>(m);
}
