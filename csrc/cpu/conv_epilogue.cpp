// What bias and activation of a convolution do on the way back.
#include "../shapes/conv.h"
#include "activation.h"
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
    T* sums = partial + part * stride;
    if (db) {
      for (int64_t j = 0; j < stride; j += kLanes<T>) store(sums + j, Vec<T>{});
    }
    // blocks of rows, each summed by itself first: long sums stay accurate
    constexpr int64_t kRows = 64;
    for (int64_t r0 = begin; r0 < end; r0 += kRows) {
      const int64_t r1 = min_of(r0 + kRows, end);
      for (int64_t j = 0; j < k; j += kLanes<T>) {
        const int64_t lanes = min_of<int64_t>(kLanes<T>, k - j);
        Vec<T> sum{};
        for (int64_t r = r0; r < r1; ++r) {
          Vec<T> g = lanes == kLanes<T> ? load(dy + r * k + j) : load_n(dy + r * k + j, lanes);
          if (y) g = activation_gradient<T>(args.activation, load_n(y + r * k + j, lanes), g);
          if (dz) store_n(dz + r * k + j, g, lanes);
          sum += g;
        }
        if (db) store(sums + j, load(sums + j) + sum);
      }
    }
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
