#include "../cpu/parallel.h"
#include "attention.h"
#include "conv.h"
#include "copy.h"
#include "core.h"
#include "cpu_backend.h"
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
#if defined(DLBD_SANITIZE)
  dlbd::bind_planted_faults(m);
#endif
}
