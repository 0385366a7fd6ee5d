// One strided copy for transpose, slice, concatenate, pad, flip and tile.
#include "../shapes/copy.h"
#include "../shapes/kernels.h"
#include "block.h"
#include "units.h"
#include "walk.h"

namespace dlbd::cuda {
namespace {

template <class Unit>
__device__ __forceinline__ Unit sum_of(Unit a, const Unit& b) {
#pragma unroll
  for (int i = 0; i < Unit::kSize; ++i) a.v[i] = a.v[i] + b.v[i];
  return a;
}

// Unit by unit in the order of the destination.
template <class Unit, bool Accumulate>
__global__ void walk_kernel(Walk<2> walk, const Unit* x, Unit* y) {
  constexpr int U = kUnitsInFlight<Unit>;
  Unit unit[U];
  int64_t at[U][2] = {};
  walk.locate_own(at);
#pragma unroll
  for (int u = 0; u < U; ++u) unit[u] = x[at[u][0]];
#pragma unroll
  for (int u = 0; u < U; ++u)
    if (walk_place<U>(u) < walk.total) y[at[u][1]] = Accumulate ? sum_of(y[at[u][1]], unit[u]) : unit[u];
}

// Elements that are read along the source's contiguous dimension and written along the destination's. The pitch puts
// those of a column, too, into different banks.
template <class T>
struct Tile {
  static constexpr int kSide = sizeof(T) == 8 ? 32 : 64;
  static constexpr int kPitch = kSide + (sizeof(T) == 1 ? 4 : 1);
  T v[kSide][kPitch];
};

constexpr int kTileThreads = 256;

struct Transpose {
  int64_t rows, columns;  // of the destination
  int64_t src, dst;       // steps along the columns in the source, along the rows in the destination
  Divisor row_tiles, column_tiles;
  Walk<2> matrices;
};

template <class T, bool Accumulate>
__global__ void transpose_kernel(Transpose p, const T* x, T* y) {
  constexpr int S = Tile<T>::kSide, kRuns = kTileThreads / kWarp, kAlong = S / kWarp, kAcross = S / kRuns;
  auto& tile = shared<Tile<T>>().v;
  const int lane = threadIdx.x % kWarp, run = threadIdx.x / kWarp;
  uint32_t matrix = blockIdx.x;
  const int64_t column = static_cast<int64_t>(p.column_tiles.split(matrix)) * S;
  const int64_t row = static_cast<int64_t>(p.row_tiles.split(matrix)) * S;
  uint32_t place[] = {matrix};
  int64_t at[][2] = {{column * p.src + row, row * p.dst + column}};
  p.matrices.locate(place, at);
  x += at[0][0], y += at[0][1];
  const int64_t rows = p.rows - row, columns = p.columns - column;
  T v[kAcross][kAlong];
#pragma unroll
  for (int i = 0; i < kAcross; ++i)
#pragma unroll
    for (int j = 0; j < kAlong; ++j) {
      const int r = lane + j * kWarp, c = run + i * kRuns;
      if (r < rows && c < columns) v[i][j] = x[c * p.src + r];
    }
#pragma unroll
  for (int i = 0; i < kAcross; ++i)
#pragma unroll
    for (int j = 0; j < kAlong; ++j) tile[run + i * kRuns][lane + j * kWarp] = v[i][j];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kAcross; ++i)
#pragma unroll
    for (int j = 0; j < kAlong; ++j) {
      const int c = lane + j * kWarp, r = run + i * kRuns;
      T* to = y + r * p.dst + c;
      if (r < rows && c < columns) *to = Accumulate ? *to + tile[c][r] : tile[c][r];
    }
}

template <class Unit, bool Accumulate>
void copy_units(const CopyArgs& a, int elements) {
  const BroadcastShape& s = a.shape.walk;
  Places<2> places;
  for (int d = s.ndim - 1; d >= 0; --d) {
    const bool in_units = d == s.ndim - 1 && elements > 1;
    const int64_t src = in_units ? 1 : s.stride[0][d] / elements, dst = in_units ? 1 : s.stride[1][d] / elements;
    places.append(in_units ? s.size[d] / elements : s.size[d], {src, dst});
  }
  const Unit* x = static_cast<const Unit*>(a.x) + a.shape.src_offset / elements;
  Unit* y = static_cast<Unit*>(a.y) + a.shape.dst_offset / elements;
  places.each_walk([&](const Walk<2>& walk, const int64_t* at) {
    launch(walk_kernel<Unit, Accumulate>, walk_grid<kUnitsInFlight<Unit>>(walk.total), stream_of(a), walk, x + at[0],
           y + at[1]);
  });
}

template <class T, bool Accumulate>
void copy_tiles(const CopyArgs& a) {
  const BroadcastShape& s = a.shape.walk;
  const int last = s.ndim - 1, across = a.shape.across;
  Places<2> matrices;
  for (int d = last - 1; d >= 0; --d)
    if (d != across) matrices.append(s.size[d], {s.stride[0][d], s.stride[1][d]});
  const int64_t rows = s.size[across], columns = s.size[last];
  const int64_t row_tiles = ceil_div(rows, Tile<T>::kSide), column_tiles = ceil_div(columns, Tile<T>::kSide);
  const T* x = static_cast<const T*>(a.x) + a.shape.src_offset;
  T* y = static_cast<T*>(a.y) + a.shape.dst_offset;
  matrices.each_walk([&](const Walk<2>& walk, const int64_t* at) {
    const Transpose p{rows, columns, s.stride[0][last], s.stride[1][across], divisor(row_tiles), divisor(column_tiles),
                      walk};
    const unsigned blocks = static_cast<unsigned>(row_tiles * column_tiles * walk.total);
    launch(transpose_kernel<T, Accumulate>, {blocks, kTileThreads, sizeof(Tile<T>)}, stream_of(a), p, x + at[0],
           y + at[1]);
  });
}

// Whether every run starts and ends between units of so many elements.
bool fits(const CopyArgs& a, int elements) {
  const BroadcastShape& s = a.shape.walk;
  const int last = s.ndim - 1;
  if (a.shape.path != CopyPath::rows || !aligned_to(elements * bytes_of(a.dtype), a.x, a.y)) return false;
  int64_t remains = s.size[last] % elements | a.shape.src_offset % elements | a.shape.dst_offset % elements;
  for (int d = 0; d < last; ++d) remains |= s.stride[0][d] % elements | s.stride[1][d] % elements;
  return remains == 0;
}

// Blocks that would move fewer elements than this are mostly idle.
constexpr int64_t kSmallMatrix = 256, kShortSide = 8;

bool in_tiles(const CopyShape& s) {
  if (s.path != CopyPath::transpose) return false;
  const int64_t rows = s.walk.size[s.across], columns = s.walk.size[s.walk.ndim - 1];
  return rows >= kShortSide && columns >= kShortSide && rows * columns >= kSmallMatrix &&
         s.walk.total / kShortSide / kShortSide < kMostIndices;
}

template <class T>
void accumulate(const CopyArgs& a) {
  constexpr int N = Pack<T>::kSize;
  if (in_tiles(a.shape)) return copy_tiles<T, true>(a);
  fits(a, N) ? copy_units<Pack<T>, true>(a, N) : copy_units<Pack<T, 1>, true>(a, 1);
}

void move(const CopyArgs& a) {
  const int element = bytes_of(a.dtype);
  if (in_tiles(a.shape)) {
    if (element == 8) return copy_tiles<uint64_t, false>(a);
    return element == 4 ? copy_tiles<uint32_t, false>(a) : copy_tiles<uint8_t, false>(a);
  }
  const int bytes = unit_bytes(element, [&](int elements) { return fits(a, elements); });
  with_unit(bytes, [&](auto unit) { copy_units<decltype(unit), false>(a, bytes / element); });
}

}  // namespace

// Without accumulation only the size of an element matters.
void copy(const CopyArgs& a) {
  if (a.shape.walk.total == 0) return;
  if (!a.accumulate || (a.dtype != DType::f32 && a.dtype != DType::f64)) return move(a);
  with_float(a.dtype, [&](auto zero) { accumulate<decltype(zero)>(a); });
}

}  // namespace dlbd::cuda
