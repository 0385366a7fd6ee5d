// The way back through bias and activation on its own: for kernels that do not see to it themselves.
#include "conv_epilogue.h"

#include "../shapes/conv.h"
#include "kernels.h"
#include "parallel.h"

namespace dlbd::DLBD_ISA {
namespace {

// Rows are summed in parts of at least this many; at most kParts partial sums.
constexpr int64_t kMinRows = 128;
constexpr int64_t kParts = 32;

int64_t parts_of(const ConvEpilogueBackwardArgs& args) {
  return max_of<int64_t>(1, min_of(kParts, args.rows / kMinRows));
}

template <class T>
void run(const ConvEpilogueBackwardArgs& args) {
  const T *dy = static_cast<const T*>(args.dy), *y = static_cast<const T*>(args.y);
  T *dz = static_cast<T*>(args.dz), *db = static_cast<T*>(args.db), *partial = static_cast<T*>(args.scratch);
  const int64_t parts = parts_of(args), k = args.k, stride = round_up(k, 16);
  parallel_for(args.threads, parts, 1, [&](int64_t part, int64_t, int) {
    const int64_t begin = args.rows * part / parts, end = args.rows * (part + 1) / parts;
    T* sums = db ? partial + part * stride : nullptr;
    for (int64_t j = 0; sums && j < stride; j += kLanes<T>) store(sums + j, Vec<T>{});
    epilogue_rows(dy + begin * k, y ? y + begin * k : nullptr, args.activation, end - begin, k,
                  dz ? dz + begin * k : nullptr, sums);
  });
  if (!db) return;
  for (int64_t j = 0; j < k; j += kLanes<T>) {
    const int64_t lanes = min_of<int64_t>(kLanes<T>, k - j);
    Vec<T> sum{};
    for (int64_t part = 0; part < parts; ++part) sum += load(partial + part * stride + j);
    if (args.accumulate) sum += load_n(db + j, lanes);
    store_n(db + j, sum, lanes);
  }
}

}  // namespace

int64_t conv_epilogue_backward_scratch(const ConvEpilogueBackwardArgs& args) {
  return parts_of(args) * round_up(args.k, 16) * (args.dtype == DType::f64 ? 8 : 4);
}

void conv_epilogue_backward(const ConvEpilogueBackwardArgs& args) {
  if (args.dtype == DType::f64) return run<double>(args);
  run<float>(args);
}

}  // namespace dlbd::DLBD_ISA
