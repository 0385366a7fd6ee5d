// What bias and activation do on the way back: one pass over dy and y.
#include "../shapes/epilogue.h"

#include "activation.h"
#include "kernels.h"
#include "parallel.h"

namespace dlbd::DLBD_ISA {
namespace {

// A part is summed by one worker: at least this many rows and about this many values (0.1 ms of memory traffic).
constexpr int64_t kMinRows = 32, kMinValues = 65536, kMaxParts = 64;
// Rows are summed in blocks of this many first, so that long sums stay accurate.
constexpr int64_t kBlock = 64;

int64_t parts_of(const EpilogueBackwardArgs& args) {
  const int64_t rows_each = max_of(kMinRows, kMinValues / max_of<int64_t>(1, args.columns));
  return max_of<int64_t>(1, min_of(kMaxParts, args.rows / rows_each));
}

// Every part's sums start on a cache line of their own.
template <class T>
int64_t sums_size(const EpilogueBackwardArgs& args) {
  return round_up(args.columns, 64 / static_cast<int64_t>(sizeof(T)));
}

template <class T, Activation K>
void rows_backward(const EpilogueBackwardArgs& args, int64_t begin, int64_t end, T* sums) {
  const T *dy = static_cast<const T*>(args.dy), *y = static_cast<const T*>(args.y);
  T* dz = static_cast<T*>(args.dz);
  const int64_t n = args.columns;
  const ActivationSpec act{K, args.activation.alpha};
  for (int64_t first = begin; first < end; first += kBlock) {
    const int64_t last = min_of(first + kBlock, end);
    for (int64_t j = 0; j < n; j += kLanes<T>) {
      const int64_t lanes = min_of<int64_t>(kLanes<T>, n - j);
      Vec<T> sum{};
      const auto run = [&](auto read, auto write) {
        for (int64_t r = first; r < last; ++r) {
          Vec<T> g = read(dy + r * n + j);
          if constexpr (K != Activation::linear) g = activation_gradient<T>(act, read(y + r * n + j), g);
          if (dz) write(dz + r * n + j, g);
          sum += g;
        }
      };
      if (lanes == kLanes<T>) {
        run([](const T* p) { return load(p); }, [](T* p, Vec<T> v) { store(p, v); });
      } else {
        run([&](const T* p) { return load_n(p, lanes); }, [&](T* p, Vec<T> v) { store_n(p, v, lanes); });
      }
      if (!sums) continue;
      if (first != begin) sum += load_n(sums + j, lanes);
      store_n(sums + j, sum, lanes);
    }
  }
}

template <class T>
void run(const EpilogueBackwardArgs& args) {
  const int64_t parts = parts_of(args), size = sums_size<T>(args), n = args.columns;
  T *partial = static_cast<T*>(args.scratch), *db = static_cast<T*>(args.db);
  const auto pass = [&](auto kind) {
    parallel_for(args.threads, parts, 1, [&](int64_t part, int64_t, int) {
      rows_backward<T, decltype(kind)::value>(args, args.rows * part / parts, args.rows * (part + 1) / parts,
                                              db ? partial + part * size : nullptr);
    });
  };
  with_activation(args.y ? args.activation.kind : Activation::linear, pass);
  if (!db) return;
  for (int64_t j = 0; j < n; j += kLanes<T>) {
    const int64_t lanes = min_of<int64_t>(kLanes<T>, n - j);
    Vec<T> sum{};
    if (args.rows > 0)
      for (int64_t part = 0; part < parts; ++part) sum += load_n(partial + part * size + j, lanes);
    if (args.accumulate) sum += load_n(db + j, lanes);
    store_n(db + j, sum, lanes);
  }
}

}  // namespace

int64_t epilogue_backward_scratch(const EpilogueBackwardArgs& args) {
  if (!args.db) return 0;
  if (args.dtype == DType::f64) return parts_of(args) * sums_size<double>(args) * static_cast<int64_t>(sizeof(double));
  return parts_of(args) * sums_size<float>(args) * static_cast<int64_t>(sizeof(float));
}

void epilogue_backward(const EpilogueBackwardArgs& args) {
  if (args.dtype == DType::f64) return run<double>(args);
  run<float>(args);
}

}  // namespace dlbd::DLBD_ISA
