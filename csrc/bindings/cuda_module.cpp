#include "attention.h"
#include "conv.h"
#include "copy.h"
#include "core.h"
#include "cuda_backend.h"
#include "dropout.h"
#include "elementwise.h"
#include "embedding.h"
#include "epilogue.h"
#include "gemm.h"
#include "image.h"
#include "losses.h"
#include "measure.h"
#include "metrics.h"
#include "norm.h"
#include "optimizer.h"
#include "pool.h"
#include "random.h"
#include "reduce.h"
#include "rnn.h"
#include "scan.h"
#include "softmax.h"
#include "sort.h"

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
  dlbd::bind_core<Backend>(m);
  dlbd::bind_attention<Backend>(m);
  dlbd::bind_conv<Backend>(m);
  dlbd::bind_copy<Backend>(m);
  dlbd::bind_dropout<Backend>(m);
  dlbd::bind_elementwise<Backend>(m);
  dlbd::bind_embedding<Backend>(m);
  dlbd::bind_epilogue<Backend>(m);
  dlbd::bind_gemm<Backend>(m);
  dlbd::bind_image<Backend>(m);
  dlbd::bind_losses<Backend>(m);
  dlbd::bind_measure<Backend>(m);
  dlbd::bind_metrics<Backend>(m);
  dlbd::bind_norm<Backend>(m);
  dlbd::bind_optimizer<Backend>(m);
  dlbd::bind_pool<Backend>(m);
  dlbd::bind_random<Backend>(m);
  dlbd::bind_reduce<Backend>(m);
  dlbd::bind_rnn<Backend>(m);
  dlbd::bind_scan<Backend>(m);
  dlbd::bind_softmax<Backend>(m);
  dlbd::bind_sort<Backend>(m);
}
