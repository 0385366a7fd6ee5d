// What bias and activation do on the way back: one pass over dy and y.
#include "epilogue.h"

#include "../shapes/epilogue.h"
#include "../shapes/kernels.h"
#include "parallel.h"

namespace dlbd::DLBD_ISA {
namespace {

// A part is summed by one worker: at least this many rows and about this many values (0.1 ms of memory traffic).
constexpr int64_t kMinRows = 32, kMinValues = 65536, kMaxParts = 64;

int64_t parts_of(const EpilogueBackwardArgs& args) {
  const int64_t rows_each = max_of(kMinRows, kMinValues / max_of<int64_t>(1, args.columns));
  return max_of<int64_t>(1, min_of(kMaxParts, args.rows / rows_each));
}

// Every part's sums start on a cache line of their own.
template <class T>
int64_t sums_size(const EpilogueBackwardArgs& args) {
  return round_up(args.columns, 64 / static_cast<int64_t>(sizeof(T)));
}

template <class T>
void run(const EpilogueBackwardArgs& args) {
  const int64_t parts = parts_of(args), size = sums_size<T>(args), n = args.columns;
  const T *dy = static_cast<const T*>(args.dy), *y = static_cast<const T*>(args.y);
  T *dz = static_cast<T*>(args.dz), *db = static_cast<T*>(args.db), *partial = static_cast<T*>(args.scratch);
  parallel_for(args.threads, parts, 1, [&](int64_t part, int64_t, int) {
    const int64_t begin = args.rows * part / parts, end = args.rows * (part + 1) / parts;
    T* sums = db ? partial + part * size : nullptr;
    for (int64_t j = 0; sums && j < size; j += kLanes<T>) store(sums + j, Vec<T>{});
    epilogue_rows(dy + begin * n, y ? y + begin * n : nullptr, args.activation, end - begin, n,
                  dz ? dz + begin * n : nullptr, sums);
  });
  if (!db) return;
  for (int64_t j = 0; j < n; j += kLanes<T>) {
    const int64_t lanes = min_of<int64_t>(kLanes<T>, n - j);
    Vec<T> sum{};
    for (int64_t part = 0; part < parts; ++part) sum += load(partial + part * size + j);
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
