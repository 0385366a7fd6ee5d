// One strided copy for transpose, slice, concatenate, pad, flip and tile.
#include "../shapes/copy.h"
#include "../shapes/kernels.h"
#include "block.h"
#include "units.h"
#include "walk.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256;

// Units that a thread has in flight: 32 to 64 bytes.
template <class Unit>
constexpr int kUnits = sizeof(Unit) == 16 ? 4 : 8;

template <class Unit>
__device__ __forceinline__ Unit sum_of(Unit a, const Unit& b) {
#pragma unroll
  for (int i = 0; i < Unit::kSize; ++i) a.v[i] = static_cast<decltype(+a.v[0])>(a.v[i] + b.v[i]);
  return a;
}

// Unit by unit in the order of the destination.
template <class Unit, bool Accumulate>
__global__ void walk_kernel(Walk<2> walk, const Unit* x, Unit* y) {
  constexpr int U = kUnits<Unit>;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * (kThreads * U) + threadIdx.x;
  Unit unit[U];
  int64_t to[U];
#pragma unroll
  for (int u = 0; u < U; ++u) {
    if (first + u * kThreads >= walk.total) continue;
    int64_t at[2] = {};
    walk.locate(first + u * kThreads, at);
    unit[u] = x[at[0]], to[u] = at[1];
  }
#pragma unroll
  for (int u = 0; u < U; ++u)
    if (first + u * kThreads < walk.total) y[to[u]] = Accumulate ? sum_of(y[to[u]], unit[u]) : unit[u];
}

// Tiles of T, read along the source's contiguous dimension and written along the destination's. The row pitch puts the
// elements of a column, too, into different banks.
template <class T>
struct Tile {
  static constexpr int kSide = sizeof(T) == 8 ? 32 : 64;
  static constexpr int kPitch = kSide + (sizeof(T) == 1 ? 4 : 1);
  T v[kSide][kPitch];
};

struct Transpose {
  int64_t rows, columns;  // of the destination
  int64_t src, dst;       // steps along the columns in the source, along the rows in the destination
  Walk<2> tiles;          // the columns of tiles, their rows, other dimensions
};

template <class T, bool Accumulate>
__global__ void transpose_kernel(Transpose p, const T* x, T* y) {
  constexpr int S = Tile<T>::kSide, kRuns = kThreads / kWarp, kAlong = S / kWarp, kAcross = S / kRuns;
  auto& tile = shared<Tile<T>>().v;
  const int lane = threadIdx.x % kWarp, run = threadIdx.x / kWarp;
  for (int64_t t = blockIdx.x; t < p.tiles.total; t += gridDim.x) {
    int64_t at[2] = {}, corner = t;
    p.tiles.locate(t, at);
    const int64_t column = p.tiles.size[0].split(corner) * S;
    const int64_t row = p.tiles.size[1].split(corner) * S;
    const int rows = static_cast<int>(min(int64_t{S}, p.rows - row));
    const int columns = static_cast<int>(min(int64_t{S}, p.columns - column));
    T v[kAcross][kAlong];
#pragma unroll
    for (int i = 0; i < kAcross; ++i)
#pragma unroll
      for (int j = 0; j < kAlong; ++j) {
        const int r = lane + j * kWarp, c = run + i * kRuns;
        if (r < rows && c < columns) v[i][j] = x[at[0] + c * p.src + r];
      }
    __syncthreads();  // the last tile has been written
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
        T* to = y + at[1] + r * p.dst + c;
        if (r < rows && c < columns) *to = Accumulate ? static_cast<T>(*to + tile[c][r]) : tile[c][r];
      }
  }
}

template <class Unit, bool Accumulate>
void copy_units(const CopyArgs& a, int elements) {
  const CopyShape& s = a.shape;
  Walk<2> walk = empty_walk<2>();
  for (int d = s.walk.ndim - 1; d >= 0; --d) {
    const bool inner = d == s.walk.ndim - 1 && elements > 1;
    const int64_t src = s.walk.stride[0][d], dst = s.walk.stride[1][d];
    walk.append(inner ? s.walk.size[d] / elements : s.walk.size[d],
                {inner ? 1 : src / elements, inner ? 1 : dst / elements});
  }
  launch(walk_kernel<Unit, Accumulate>,
         {static_cast<unsigned>(ceil_div(walk.total, kThreads * kUnits<Unit>)), kThreads}, stream_of(a), walk,
         static_cast<const Unit*>(a.x) + s.src_offset / elements, static_cast<Unit*>(a.y) + s.dst_offset / elements);
}

template <class T, bool Accumulate>
void copy_tiles(const CopyArgs& a) {
  const BroadcastShape& s = a.shape.walk;
  const int last = s.ndim - 1, across = a.shape.across;
  constexpr int64_t S = Tile<T>::kSide;
  Transpose p{s.size[across], s.size[last], s.stride[0][last], s.stride[1][across], empty_walk<2>()};
  p.tiles.append(ceil_div(p.columns, S), {S * p.src, S});
  p.tiles.append(ceil_div(p.rows, S), {S, S * p.dst});
  for (int d = last - 1; d >= 0; --d)
    if (d != across) p.tiles.append(s.size[d], {s.stride[0][d], s.stride[1][d]});
  const unsigned blocks = static_cast<unsigned>(min(p.tiles.total, kFastIndices - 1));
  launch(transpose_kernel<T, Accumulate>, {blocks, kThreads, sizeof(Tile<T>)}, stream_of(a), p,
         static_cast<const T*>(a.x) + a.shape.src_offset, static_cast<T*>(a.y) + a.shape.dst_offset);
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

// A block that moves fewer elements than this is mostly idle: tiles are for larger matrices.
constexpr int64_t kSmallMatrix = 256;

bool in_tiles(const CopyShape& s) {
  if (s.path != CopyPath::transpose) return false;
  const int64_t rows = s.walk.size[s.across], columns = s.walk.size[s.walk.ndim - 1];
  return rows >= 8 && columns >= 8 && rows * columns >= kSmallMatrix;
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
