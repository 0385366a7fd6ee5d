// Every family's bindings, for either backend.
#pragma once

#include "attention.h"
#include "conv.h"
#include "copy.h"
#include "core.h"
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

namespace dlbd {

template <class Backend>
void bind_all(py::module_& m) {
  bind_core<Backend>(m);
  bind_attention<Backend>(m);
  bind_conv<Backend>(m);
  bind_copy<Backend>(m);
  bind_dropout<Backend>(m);
  bind_elementwise<Backend>(m);
  bind_embedding<Backend>(m);
  bind_epilogue<Backend>(m);
  bind_gemm<Backend>(m);
  bind_image<Backend>(m);
  bind_losses<Backend>(m);
  bind_measure<Backend>(m);
  bind_metrics<Backend>(m);
  bind_norm<Backend>(m);
  bind_optimizer<Backend>(m);
  bind_pool<Backend>(m);
  bind_random<Backend>(m);
  bind_reduce<Backend>(m);
  bind_rnn<Backend>(m);
  bind_scan<Backend>(m);
  bind_softmax<Backend>(m);
  bind_sort<Backend>(m);
}

}  // namespace dlbd
