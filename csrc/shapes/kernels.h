// The table of kernels, the same for both twins. One line per kernel. On the CPU each per-ISA build fills a KernelTable
// of its own (cpu/table.cpp) and cpu/dispatch.cpp picks one at import; on the GPU there is one (cuda/device.cpp).
#pragma once

#include "attention.h"
#include "conv.h"
#include "copy.h"
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

// X(name, Args): `void name(const Args&)` and `int64_t name_scratch(const Args&)` exist in every per-ISA namespace and
// in dlbd::cuda. Y(name, Args): the kernel needs no scratch memory.
// clang-format off
#define DLBD_KERNELS(X, Y) \
  Y(affine_sample, AffineSampleArgs) \
  Y(assign, AssignArgs) \
  X(attention_backward, AttentionBackwardArgs) \
  X(attention_forward, AttentionForwardArgs) \
  X(batch_norm_backward, BatchNormBackwardArgs) \
  X(batch_norm_forward, BatchNormForwardArgs) \
  Y(binary_backward, BinaryBackwardArgs) \
  Y(binary_forward, BinaryArgs) \
  Y(cast, CastArgs) \
  Y(compare_forward, CompareArgs) \
  X(conv_backward_data, ConvBackwardDataArgs) \
  X(conv_backward_weights, ConvBackwardWeightsArgs) \
  X(conv_forward, ConvForwardArgs) \
  Y(copy, CopyArgs) \
  X(dropout_backward, DropoutBackwardArgs) \
  X(dropout_forward, DropoutForwardArgs) \
  X(embedding_backward, EmbeddingBackwardArgs) \
  Y(embedding_forward, EmbeddingForwardArgs) \
  X(epilogue_backward, EpilogueBackwardArgs) \
  Y(fill, FillArgs) \
  X(gather_backward, GatherArgs) \
  Y(gather_forward, GatherArgs) \
  X(gemm, GemmArgs) \
  Y(gradient_accumulate, GradientAccumulateArgs) \
  X(gradient_norms, GradientNormsArgs) \
  X(layer_norm_backward, LayerNormBackwardArgs) \
  Y(layer_norm_forward, LayerNormForwardArgs) \
  Y(loss_backward, LossBackwardArgs) \
  X(loss_forward, LossForwardArgs) \
  Y(measure_copy, MeasureCopyArgs) \
  Y(measure_fma_peak, MeasureFmaArgs) \
  Y(metric_add_loss, MetricAddLossArgs) \
  X(metric_update, MetricArgs) \
  Y(moving_average, MovingAverageArgs) \
  Y(optimizer_update, OptimizerArgs) \
  Y(pool_backward, PoolBackwardArgs) \
  Y(pool_forward, PoolForwardArgs) \
  Y(predicate_forward, PredicateArgs) \
  X(random_uniform, RandomUniformArgs) \
  X(reduce_backward, ReduceBackwardArgs) \
  X(reduce_forward, ReduceArgs) \
  X(rnn_backward, RnnBackwardArgs) \
  X(rnn_forward, RnnForwardArgs) \
  X(scan_forward, ScanArgs) \
  X(scan_prod_backward, ScanProdBackwardArgs) \
  Y(search_sorted, SearchSortedArgs) \
  Y(select_forward, SelectArgs) \
  Y(softmax_backward, SoftmaxBackwardArgs) \
  Y(softmax_forward, SoftmaxForwardArgs) \
  X(sort_order, SortOrderArgs) \
  Y(unary_backward, UnaryBackwardArgs) \
  Y(unary_forward, UnaryArgs)
// clang-format on

namespace dlbd {

template <class Args>
struct Kernel {
  void (*run)(const Args&);
  int64_t (*scratch)(const Args&);  // bytes, or null
};

struct KernelTable {
  const char* isa;
  int vector_bytes;
#define DLBD_MEMBER(name, Args) Kernel<Args> name;
  DLBD_KERNELS(DLBD_MEMBER, DLBD_MEMBER)
#undef DLBD_MEMBER
};

const KernelTable& kernels();  // the table of this module, chosen at import

}  // namespace dlbd

// Every kernel source declares its functions through this, inside its own namespace.
#define DLBD_DECLARE_Y(name, Args) void name(const Args&);
#define DLBD_DECLARE_X(name, Args) \
  void name(const Args&);          \
  int64_t name##_scratch(const Args&);
#ifdef DLBD_ISA
namespace dlbd::DLBD_ISA {
DLBD_KERNELS(DLBD_DECLARE_X, DLBD_DECLARE_Y)
extern const KernelTable table;
}  // namespace dlbd::DLBD_ISA
#endif
