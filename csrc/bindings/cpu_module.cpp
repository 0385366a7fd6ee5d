#include "../cpu/parallel.h"
#include "cpu_backend.h"
#include "families.h"
#if defined(DLBD_SANITIZE)
#include "planted_faults.h"
#endif

PYBIND11_MODULE(_cpu, m, pybind11::mod_gil_not_used()) {
  using Backend = dlbd::CpuBackend;
  m.doc() = "dlbd's kernels for the CPU";
  m.attr("isa") = Backend::kernels().isa;
  m.attr("build") = DLBD_BUILD_DESCRIPTION;
  m.def("num_threads", &dlbd::num_threads);
  m.def("set_num_threads", &dlbd::set_num_threads);
  m.def("default_num_threads", &dlbd::default_num_threads);
  dlbd::bind_all<Backend>(m);
#if defined(DLBD_SANITIZE)
  dlbd::bind_planted_faults(m);
#endif
}
