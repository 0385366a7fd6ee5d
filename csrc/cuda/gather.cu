// Elements chosen by an index along one axis, and the deterministic sum that is its gradient.
#include "../shapes/copy.h"
#include "../shapes/kernels.h"
#include "rows_by_index.h"
#include "units.h"
#include "walk.h"

namespace dlbd::cuda {
namespace {

constexpr int kUnits = 4;  // that a thread keeps in flight

// Offsets: in y, in x of row 0, in the indices.
template <class Unit>
__global__ void gather_kernel(Walk<3> walk, Indices indices, int64_t first_index, int64_t row_units, const Unit* x,
                              Unit* y, Status* status) {
  int64_t at[kUnits][3] = {};
  walk.locate_own(at);
  Unit unit[kUnits];
  int64_t row[kUnits];
#pragma unroll
  for (int u = 0; u < kUnits; ++u) row[u] = indices.checked_row(first_index + at[u][2], status);
#pragma unroll
  for (int u = 0; u < kUnits; ++u) unit[u] = row[u] < indices.n ? x[at[u][1] + row[u] * row_units] : Unit{};
#pragma unroll
  for (int u = 0; u < kUnits; ++u)
    if (walk_place<kUnits>(u) < walk.total) y[at[u][0]] = unit[u];
}

struct Along {
  int64_t columns, inner, m;
  Indices indices;
  Status* status;

  // Where a column's element 0 stands in an array of n rows.
  __device__ __forceinline__ int64_t start(int64_t column, int64_t n) const {
    return column / inner * n * inner + column % inner;
  }
};

// A thread per column meets the indices in order.
template <class T>
__global__ void add_columns_kernel(Along p, const T* dy, T* dx) {
  constexpr int kAhead = 4;
  const int64_t column = global_thread();
  if (column >= p.columns) return;
  const int64_t from = p.start(column, p.m);
  T* to = dx + p.start(column, p.indices.n);
  for (int64_t first = 0; first < p.m; first += kAhead) {
    T value[kAhead];
    int64_t row[kAhead];
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      const int64_t at = from + min(first + u, p.m - 1) * p.inner;
      row[u] = p.indices.checked_row(at, p.status), value[u] = dy[at];
    }
#pragma unroll
    for (int u = 0; u < kAhead; ++u)
      if (first + u < p.m && row[u] < p.indices.n) to[row[u] * p.inner] += value[u];
  }
}

constexpr int kChunk = 256;  // indices that a block meets at a time, one a thread

template <class T>
struct Chunk {
  int64_t row[kChunk];
  T value[kChunk];
};

// A block per column, with the same sums: the first thread of a chunk to name a row adds all that is for it.
template <class T>
__global__ void add_chunks_kernel(Along p, const T* dy, T* dx) {
  Chunk<T>& chunk = shared<Chunk<T>>();
  const int64_t from = p.start(blockIdx.x, p.m);
  T* to = dx + p.start(blockIdx.x, p.indices.n);
  const int me = threadIdx.x;
  for (int64_t first = 0; first < p.m; first += kChunk) {
    const int count = static_cast<int>(min(int64_t{kChunk}, p.m - first));
    if (me < count) {
      const int64_t at = from + (first + me) * p.inner;
      chunk.row[me] = p.indices.checked_row(at, p.status), chunk.value[me] = dy[at];
    }
    __syncthreads();
    bool mine = me < count && chunk.row[me] < p.indices.n;
    for (int i = 0; mine && i < me; ++i) mine = chunk.row[i] != chunk.row[me];
    if (mine) {
      const int64_t row = chunk.row[me];
      T sum = to[row * p.inner];
      for (int i = me; i < count; ++i)
        if (chunk.row[i] == row) sum += chunk.value[i];
      to[row * p.inner] = sum;
    }
    __syncthreads();
  }
}

// Fewer columns than this leave most of a GPU idle at one thread each, unless there is little to do.
constexpr int64_t kManyColumns = 4096, kFewIndices = 64;

template <class T>
void add_along(const GatherArgs& a, const Indices& indices) {
  const Along p{a.outer * a.inner, a.inner, a.m, indices, a.status};
  const T* dy = static_cast<const T*>(a.x);
  T* dx = static_cast<T*>(a.y);
  if (a.m <= kFewIndices || p.columns >= kManyColumns) {
    const unsigned blocks = static_cast<unsigned>(ceil_div(p.columns, kWalkThreads));
    return launch(add_columns_kernel<T>, {blocks, kWalkThreads}, stream_of(a), p, dy, dx);
  }
  launch(add_chunks_kernel<T>, {static_cast<unsigned>(p.columns), kChunk, sizeof(Chunk<T>)}, stream_of(a), p, dy, dx);
}

RowsByIndex rows_of(const GatherArgs& a) {
  const Indices indices{a.indices, a.wide ? DType::i64 : DType::i32, a.n, true};
  return {a, a.outer, a.inner, a.m, indices, a.dtype, a.x, a.y, a.along, a.accumulate};
}

}  // namespace

void gather_rows(const RowsByIndex& r) {
  const int element = bytes_of(r.dtype);
  const int bytes = unit_bytes(element, [&](int elements) {
    return !r.along && r.inner % elements == 0 && aligned_to(elements * element, r.x, r.y);
  });
  const int64_t inner = r.inner / (bytes / element);
  Places<3> places;
  places.append(inner, {1, 1, r.along ? 1 : 0});
  places.append(r.m, {inner, 0, r.along ? inner : 1});
  places.append(r.outer, {r.m * inner, r.indices.n * inner, r.along ? r.m * inner : 0});
  with_unit(bytes, [&](auto unit) {
    using Unit = decltype(unit);
    places.each_walk([&](const Walk<3>& walk, const int64_t* at) {
      launch(gather_kernel<Unit>, walk_grid<kUnits>(walk.total), stream_of(r), walk, r.indices, at[2], inner,
             static_cast<const Unit*>(r.x) + at[1], static_cast<Unit*>(r.y) + at[0], r.status);
    });
  });
}

void gather_forward(const GatherArgs& a) { gather_rows(rows_of(a)); }

int64_t gather_backward_scratch(const GatherArgs& a) { return a.along ? 0 : scatter_rows_scratch(rows_of(a)); }

void gather_backward(const GatherArgs& a) {
  const RowsByIndex rows = rows_of(a);
  if (!a.along) return scatter_rows(rows);
  if (!a.accumulate) clear(a.y, a.dtype, a.outer * a.n * a.inner, stream_of(a));
  if (a.m == 0) return;
  with_float(a.dtype, [&](auto zero) { add_along<decltype(zero)>(a, rows.indices); });
}

}  // namespace dlbd::cuda
