// What both ways through batch normalization share: how the work is cut, partial sums of channels, and the last pass.
#pragma once

#include "../shapes/kernels.h"
#include "../shapes/norm.h"
#include "columns.h"
#include "rows.h"
#include "units.h"

namespace dlbd::cuda::batch_norm {

// Values of a channel that a thread loads at once: their mean is taken off before their squares are summed.
constexpr int kValues = 8;
// Blocks that gather partial sums: two waves of a large GPU at four blocks a multiprocessor.
constexpr int64_t kBlocks = 1024;
// Planes are cut into pieces of at most this many elements; a block gathers at least as many.
constexpr int64_t kPiece = 16384;
// Values of a channel that a thread writes: enough to make up for loading the channel's coefficients.
constexpr int kWritten = 16;

// How the work is shared out, by the sizes alone. Path `channels`: chunks are of rows, blocks of `tiles` neighbouring
// packs of channels. Path `planes`: of pieces of the planes of one channel, a team of threads for each piece.
struct Plan {
  ColumnBlock columns;
  int64_t tiles;
  Team team;
  int64_t piece, pieces;  // elements of a piece, pieces of a plane
  int64_t per_chunk, chunks;
};

inline Plan plan_of(const BatchNormShape& s, int lanes) {
  Plan p{};
  int64_t all = s.outer, least = 0, across = 0;
  if (s.path == BatchNormPath::channels) {
    const int width = column_block(ceil_div(s.channels, lanes), 0, 1).width;
    p.columns = {width, kColumnThreads / width, 1};
    p.tiles = across = ceil_div(s.channels, int64_t{width} * lanes);
    least = int64_t{p.columns.height} * kValues;
  } else {
    p.piece = s.inner < kPiece ? (s.inner > 0 ? s.inner : 1) : kPiece;
    p.pieces = ceil_div(s.inner, p.piece);
    const int64_t packs = ceil_div(p.piece, 4 * 4);  // of four elements, four to a thread
    p.team = {power_of_two(packs < kTeamsThreads ? packs : kTeamsThreads)};
    all = s.outer * p.pieces, across = s.channels;
    least = ceil_div(kPiece, p.piece);
  }
  const int64_t balanced = ceil_div(all * across, kBlocks);
  p.per_chunk = balanced > least ? balanced : least;
  p.chunks = ceil_div(all, p.per_chunk);
  return p;
}

// What chunks of values left of each channel: numbers[k] of a chunk and channel.
struct Partials {
  double* numbers;
  int64_t channels;
  int kinds;

  __device__ double& at(int64_t chunk, int kind, int64_t channel) const {
    return numbers[(chunk * kinds + kind) * channels + channel];
  }
};

// A thread of the path `channels`: N channels from `channel` on, rows first, first + step, ... below stop.
struct RowThread {
  int64_t channel, chunk, first, stop, step;
  bool there;
};

template <int N>
__device__ __forceinline__ RowThread row_thread(const BatchNormShape& s, const Plan& p, int64_t rows) {
  const int64_t tile = blockIdx.x % p.tiles, chunk = blockIdx.x / p.tiles;
  const int64_t channel = (tile * p.columns.width + p.columns.column()) * N;
  const int64_t begin = chunk * rows, end = begin + rows < s.outer ? begin + rows : s.outer;
  const bool there = channel < s.channels;
  return {channel, chunk, begin + p.columns.row(), there ? end : begin, p.columns.height, there};
}

template <class T, int N>
__device__ __forceinline__ Pack<T, N> load_lanes(const T* p) {
  return *reinterpret_cast<const Pack<T, N>*>(p);
}

// Calls body(span) for each piece that this thread's team has of the block's chunk; p: the array walked.
template <class T, class Body>
__device__ __forceinline__ void each_piece(const BatchNormShape& s, const Plan& p, int64_t chunk, int64_t channel,
                                           const T* x, const Body& body) {
  const int64_t all = s.outer * p.pieces, begin = chunk * p.per_chunk;
  const int64_t end = begin + p.per_chunk < all ? begin + p.per_chunk : all;
  for (int64_t i = begin + p.team.number(); i < end; i += p.team.count()) {
    const int64_t plane = i / p.pieces * s.channels + channel, start = i % p.pieces * p.piece;
    const int64_t stop = start + p.piece < s.inner ? start + p.piece : s.inner;
    body(span_of(x, plane * s.inner + start, plane * s.inner + stop));
  }
}

// out = of_x (x - mean) + of_dy dy + constant, per channel; x or dy may be null.
template <class T>
struct Combination {
  const T *x, *dy, *mean, *of_x, *of_dy, *constant;
  T* out;
  bool accumulate;
};

template <class T>
void combine(const BatchNormShape& s, const Plan& p, int lanes, const Combination<T>& k, cudaStream_t stream);

// Channels that a thread takes at a time in the path `channels`: packs where they may be loaded.
template <class T>
inline constexpr int kMostLanes = sizeof(T) == 4 ? kLanes<T> : 1;
template <class... P>
int lanes_for(const BatchNormShape& s, const P*... p) {
  const bool packs = s.dtype == DType::f32 && s.channels % kMostLanes<float> == 0 && aligned(p...);
  return packs ? kMostLanes<float> : 1;
}

// Gathers partials by the kernel of the shape's path; `rows` is the one for the lanes.
template <class Args>
void gather(const Args& a, const Plan& p, const Partials& to, void (*rows)(Args, Plan, Partials),
            void (*planes)(Args, Plan, Partials)) {
  if (a.shape.path == BatchNormPath::channels)
    launch(rows, Grid{static_cast<unsigned>(p.tiles * p.chunks), kColumnThreads, sizeof(double[kColumnThreads])},
           stream_of(a), a, p, to);
  else
    launch(planes, Grid{static_cast<unsigned>(a.shape.channels * p.chunks), kTeamsThreads, sizeof(TeamSlots)},
           stream_of(a), a, p, to);
}

inline Grid finish_grid(const BatchNormShape& s, const ColumnBlock& b) {
  return {static_cast<unsigned>(ceil_div(s.channels, b.width * b.depth)), kColumnThreads,
          sizeof(double[kColumnThreads])};
}

// Arrays of one number per channel in the scratch memory start at multiples of 16 bytes.
inline int64_t array_bytes(const BatchNormShape& s) { return ceil_div(s.channels * bytes_of(s.dtype), 16) * 16; }

inline int64_t scratch_bytes(const BatchNormShape& s, const Plan& p, int kinds, int arrays) {
  return ceil_div(p.chunks * kinds * s.channels * 8, 16) * 16 + arrays * array_bytes(s);
}

// The i-th of those arrays, after the partials.
template <class T>
T* scratch_array(void* scratch, const BatchNormShape& s, const Plan& p, int kinds, int i) {
  return reinterpret_cast<T*>(static_cast<char*>(scratch) + scratch_bytes(s, p, kinds, i));
}

}  // namespace dlbd::cuda::batch_norm
