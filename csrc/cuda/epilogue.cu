// What bias and activation do on the way back: one pass over dy and y, which leaves sums of columns over parts of the
// rows, and one over those sums.
#include <algorithm>

#include "../shapes/epilogue.h"
#include "../shapes/kernels.h"
#include "scalar_math.h"
#include "vector.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kAhead = 4;          // rows that a thread asks for at once
constexpr int64_t kTile = 128;     // columns that a block takes at most: 512 bytes of each row in float32
constexpr int64_t kValues = 8192;  // that a block takes at least, where there are as many
constexpr int64_t kBlocks = 1024;  // about as many as a large device runs at once

// A block takes `width` packs of columns (`pack` of them each), with `height` threads to a pack, over `rows` rows.
struct Split {
  int pack, width, height;
  int64_t tiles, rows, parts;
};

Split split_of(const EpilogueBackwardArgs& args) {
  const int whole = args.dtype == DType::f64 ? 2 : 4;
  Split s{};
  s.pack = args.columns % whole == 0 ? whole : 1;
  const int64_t packs = args.columns / s.pack;
  s.tiles = ceil_div(packs, kTile / s.pack);
  s.width = static_cast<int>(ceil_div(packs, std::max<int64_t>(1, s.tiles)));
  s.height = kThreads / std::max(1, s.width);
  const int64_t most = std::max<int64_t>(1, kBlocks / std::max<int64_t>(1, s.tiles));
  const int64_t wanted = args.rows * s.width * s.pack / kValues;
  s.rows = ceil_div(std::max<int64_t>(1, args.rows), std::clamp<int64_t>(wanted, 1, most));
  s.parts = std::max<int64_t>(1, ceil_div(args.rows, s.rows));
  return s;
}

template <int N, class T>
__device__ __forceinline__ void apply_gradients(ActivationSpec act, const T (&y)[N], T (&g)[N]) {
  const auto each = [&](Activation kind) {
#pragma unroll
    for (int k = 0; k < N; ++k) g[k] = activation_gradient({kind, act.alpha}, y[k], g[k]);
  };
  switch (act.kind) {  // once for all of them
    case Activation::linear: return;
    case Activation::relu: return each(Activation::relu);
    case Activation::leaky_relu: return each(Activation::leaky_relu);
    case Activation::sigmoid: return each(Activation::sigmoid);
    case Activation::tanh: return each(Activation::tanh);
    case Activation::elu: return each(Activation::elu);
    case Activation::softplus: return each(Activation::softplus);
  }
}

template <int V, class T>
__device__ __forceinline__ void load_values(const T* p, bool packed, T* v) {
  if (packed) {
    const auto pack = *reinterpret_cast<const Pack<T, V>*>(p);
#pragma unroll
    for (int j = 0; j < V; ++j) v[j] = pack.v[j];
  } else {
#pragma unroll
    for (int j = 0; j < V; ++j) v[j] = p[j];
  }
}
template <int V, class T>
__device__ __forceinline__ void store_values(T* p, bool packed, const T* v) {
  if (packed) {
    Pack<T, V> pack;
#pragma unroll
    for (int j = 0; j < V; ++j) pack.v[j] = v[j];
    *reinterpret_cast<Pack<T, V>*>(p) = pack;
  } else {
#pragma unroll
    for (int j = 0; j < V; ++j) p[j] = v[j];
  }
}

template <class T, int V>
struct Sums {
  T of[kThreads][V];
};

// Adds up what the `height` threads of each pack hold; those with row 0 get the result. All threads must call.
template <class T, int V>
__device__ __forceinline__ void add_rows(T (&sum)[V], int row, int width, int height) {
  Sums<T, V>& sums = shared<Sums<T, V>>();
  const auto mine = [&](int i) -> T(&)[V] { return sums.of[threadIdx.x + i * width]; };
#pragma unroll
  for (int j = 0; j < V; ++j) mine(0)[j] = sum[j];
  __syncthreads();
  for (int n = height; n > 1;) {
    const int half = (n + 1) / 2;
    if (row + half < n) {
#pragma unroll
      for (int j = 0; j < V; ++j) mine(0)[j] += mine(half)[j];
    }
    __syncthreads();
    n = half;
  }
#pragma unroll
  for (int j = 0; j < V; ++j) sum[j] = mine(0)[j];
}

// sums: those of each part, one part after the other; null: the only part adds to db, or sets it.
template <class T, int V>
__global__ void __launch_bounds__(kThreads) rows_kernel(EpilogueBackwardArgs args, Split s, T* sums, bool packed) {
  const int lane = threadIdx.x % s.width, row = threadIdx.x / s.width;
  const int64_t tile = blockIdx.x % s.tiles, part = blockIdx.x / s.tiles, step = s.height;
  const int64_t column = (tile * s.width + lane) * V, n = args.columns;
  const bool has_column = row < s.height && column < n;
  const int64_t begin = part * s.rows, end = begin + s.rows < args.rows ? begin + s.rows : args.rows;
  const T *dy = static_cast<const T*>(args.dy), *y = static_cast<const T*>(args.y);
  T *dz = static_cast<T*>(args.dz), *db = static_cast<T*>(args.db);
  T sum[V] = {};
  for (int64_t first = begin + row; has_column && first < end; first += step * kAhead) {
    T g[kAhead * V] = {}, v[kAhead * V] = {};
    const int64_t at = first * n + column;
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (first + u * step >= end) break;
      load_values<V>(dy + at + u * step * n, packed, g + u * V);
      if (y) load_values<V>(y + at + u * step * n, packed, v + u * V);
    }
    if (y) apply_gradients(args.activation, v, g);
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (first + u * step >= end) break;
      if (dz) store_values<V>(dz + at + u * step * n, packed, g + u * V);
#pragma unroll
      for (int j = 0; j < V; ++j) sum[j] += g[u * V + j];
    }
  }
  if (!db) return;
  add_rows(sum, row, s.width, s.height);
  if (row != 0 || !has_column) return;
#pragma unroll
  for (int j = 0; j < V; ++j) {
    if (sums) {
      sums[part * n + column + j] = sum[j];
    } else {
      db[column + j] = args.accumulate ? db[column + j] + sum[j] : sum[j];
    }
  }
}

// A sector of memory is 32 bytes; the other threads share the parts.
constexpr int kSector = 8, kPartThreads = kThreads / kSector;

template <class T>
__global__ void __launch_bounds__(kThreads)
    parts_kernel(int64_t n, int64_t parts, const T* sums, T* db, bool accumulate) {
  const int lane = threadIdx.x % kSector, row = threadIdx.x / kSector;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kSector + lane;
  T sum[1] = {};
#pragma unroll 8
  for (int64_t part = row; part < parts && column < n; part += kPartThreads) sum[0] += sums[part * n + column];
  add_rows(sum, row, kSector, kPartThreads);
  if (row == 0 && column < n) db[column] = accumulate ? db[column] + sum[0] : sum[0];
}

template <class T, int V>
void run(const EpilogueBackwardArgs& args, const Split& s) {
  T* sums = args.db && s.parts > 1 ? static_cast<T*>(args.scratch) : nullptr;
  const bool packed = V > 1 && aligned(args.dy, args.y, args.dz);
  launch(rows_kernel<T, V>, Grid{static_cast<unsigned>(s.tiles * s.parts), kThreads, sizeof(Sums<T, V>)},
         stream_of(args), args, s, sums, packed);
  if (sums)
    launch(parts_kernel<T>, Grid{static_cast<unsigned>(ceil_div(args.columns, kSector)), kThreads, sizeof(Sums<T, 1>)},
           stream_of(args), args.columns, s.parts, static_cast<const T*>(sums), static_cast<T*>(args.db),
           args.accumulate);
}

template <class T>
void run(const EpilogueBackwardArgs& args) {
  constexpr int kWhole = 16 / sizeof(T);
  const Split s = split_of(args);
  s.pack == 1 ? run<T, 1>(args, s) : run<T, kWhole>(args, s);
}

}  // namespace

int64_t epilogue_backward_scratch(const EpilogueBackwardArgs& args) {
  const Split s = split_of(args);
  return args.db && s.parts > 1 ? s.parts * args.columns * (args.dtype == DType::f64 ? 8 : 4) : 0;
}

void epilogue_backward(const EpilogueBackwardArgs& args) {
  args.dtype == DType::f64 ? run<double>(args) : run<float>(args);
}

}  // namespace dlbd::cuda
