// Rows of an array, each walked by a team of threads in packs of 16 bytes, wherever the row starts and ends.
#pragma once

#include "block.h"
#include "vector.h"

namespace dlbd::cuda {

template <class T>
inline constexpr int kLanes = Pack<T>::kSize;

// Packs that a thread asks for before it uses the first: with half of a multiprocessor's threads at work 64 KB are on
// their way, twice what the latency of memory asks for.
inline constexpr int kAhead = 4;
template <class T>
inline constexpr int kRun = kAhead* kLanes<T>;

inline constexpr int kTeamsThreads = 256;  // of a block that holds several teams
inline constexpr int kMostThreads = 1024;
inline constexpr int kMostWalkers = 512;  // of a block that walks a row in runs: they need many registers

// Elements [begin, end) of an array, and where the walk over them starts: at a pack's address, not after begin.
template <class I>
struct SpanOf {
  I begin, end, first;
};
using Span = SpanOf<int64_t>;

// The same span of a short row, counted from its first pack on: it needs fewer registers.
__device__ __forceinline__ SpanOf<int> from_first(const Span& s) {
  return {static_cast<int>(s.begin - s.first), static_cast<int>(s.end - s.first), 0};
}

template <class T>
__device__ __forceinline__ Span span_of(const T* p, int64_t begin, int64_t end) {
  return {begin, end, begin - static_cast<int64_t>(reinterpret_cast<uintptr_t>(p + begin) / sizeof(T) % kLanes<T>)};
}

// Which lanes of the pack at `at` lie in the span.
struct Lanes {
  int begin, end;
  __device__ bool holds(int i) const { return i >= begin && i < end; }
};
template <class T, class I>
__device__ __forceinline__ Lanes lanes_of(I at, const SpanOf<I>& s) {
  const I after = s.end - at;
  return {at >= s.begin ? 0 : static_cast<int>(s.begin - at),  // the walk starts less than a pack before the span
          after >= kLanes<T> ? kLanes<T> : static_cast<int>(after > 0 ? after : 0)};
}
template <class T, class I>
__device__ __forceinline__ bool holds_pack(const T* p, I at, Lanes lanes) {
  return lanes.end - lanes.begin == kLanes<T> && reinterpret_cast<uintptr_t>(p + at) % sizeof(Pack<T>) == 0;
}

// The pack at p[at], with `fill` for what lies outside of the span.
template <class T, class I>
__device__ __forceinline__ Pack<T> load_span(const T* p, I at, const SpanOf<I>& s, T fill = T(0)) {
  const Lanes lanes = lanes_of<T>(at, s);
  if (holds_pack(p, at, lanes)) return load_pack(p + at);
  Pack<T> x;
#pragma unroll
  for (int i = 0; i < kLanes<T>; ++i) x.v[i] = lanes.holds(i) ? p[at + i] : fill;
  return x;
}

template <class T, class I>
__device__ __forceinline__ void store_span(T* p, I at, const SpanOf<I>& s, const Pack<T>& x) {
  const Lanes lanes = lanes_of<T>(at, s);
  if (holds_pack(p, at, lanes)) return store_pack(p + at, x);
#pragma unroll
  for (int i = 0; i < kLanes<T>; ++i)
    if (lanes.holds(i)) p[at + i] = x.v[i];
}

// Zero for what lies outside of the span.
template <class T, class I>
__device__ __forceinline__ Pack<T> keep_span(Pack<T> x, I at, const SpanOf<I>& s) {
  const Lanes lanes = lanes_of<T>(at, s);
#pragma unroll
  for (int i = 0; i < kLanes<T>; ++i) x.v[i] = lanes.holds(i) ? x.v[i] : T(0);
  return x;
}

// Every thread's packs at, at + step, ... of a run.
template <class T>
__device__ __forceinline__ void load_run(const T* p, int64_t at, int64_t step, const Span& s, Pack<T> (&x)[kAhead],
                                         T fill = T(0)) {
#pragma unroll
  for (int u = 0; u < kAhead; ++u) x[u] = load_span(p, at + u * step, s, fill);
}

// The sum of a run. Runs are added in double: so long rows keep their digits.
template <class T, int N>
__device__ __forceinline__ T sum_of(const Pack<T> (&x)[N]) {
  T sum[kLanes<T>] = {};
#pragma unroll
  for (int u = 0; u < N; ++u)
#pragma unroll
    for (int i = 0; i < kLanes<T>; ++i) sum[i] += x[u].v[i];
  T even = sum[0], odd = sum[1];
#pragma unroll
  for (int i = 2; i < kLanes<T>; i += 2) even += sum[i], odd += sum[i + 1];
  return even + odd;
}

// The threads that share a row: a power of two of them within a warp, or all of a block.
struct Team {
  int size;
  __device__ int rank() const { return static_cast<int>(threadIdx.x) & (size - 1); }
  __device__ int number() const { return static_cast<int>(threadIdx.x) / size; }  // among those of the block
  __device__ int count() const { return static_cast<int>(blockDim.x) / size; }
};

struct TeamSlots {
  double values[kMostThreads / kWarp];
};

// Every thread of the team gets the result. All threads of the block must call; teams of one block are alike.
template <class T, class Op>
__device__ __forceinline__ T reduce_team(T x, Op op, Team team, TeamSlots& shared_slots) {
#pragma unroll 1
  for (int d = (team.size < kWarp ? team.size : kWarp) / 2; d > 0; d /= 2) x = op(x, __shfl_xor_sync(kWholeWarp, x, d));
  if (team.size <= kWarp) return x;
  T* slots = reinterpret_cast<T*>(shared_slots.values);
  __syncthreads();  // earlier results have been read
  if (threadIdx.x % kWarp == 0) slots[threadIdx.x / kWarp] = x;
  __syncthreads();
  x = slots[0];
#pragma unroll 1
  for (int i = 1; i < team.size / kWarp; ++i) x = op(x, slots[i]);
  return x;
}

// Packs that a row of n elements touches at most; p: the arrays that are walked.
template <class T, class... P>
int64_t packs_of(int64_t n, const P*... p) {
  const bool shifts = n % kLanes<T> != 0 || !aligned(p...);
  return ceil_div(n + (shifts ? kLanes<T> - 1 : 0), kLanes<T>);
}

constexpr int power_of_two(int64_t at_least) {
  int n = 1;
  while (n < at_least) n *= 2;
  return n;
}

// Threads for rows that are walked in runs: short rows take a pack a thread, those beyond 8 packs a lane a block.
constexpr Team team_for(int64_t packs) {
  if (packs <= 8 * kWarp) return {power_of_two(packs < kWarp ? packs : kWarp)};
  const int64_t runs = ceil_div(packs, kAhead);
  return {power_of_two(runs < kMostWalkers ? runs : kMostWalkers)};
}
constexpr unsigned threads_for(Team team) {
  return static_cast<unsigned>(team.size > kWarp ? team.size : kTeamsThreads);
}
// Blocks for one row per team.
constexpr unsigned blocks_of_teams(int64_t rows, Team team) {
  return static_cast<unsigned>(ceil_div(rows, threads_for(team) / static_cast<unsigned>(team.size)));
}

// How rows are shared out to blocks each of which leaves one partial sum: by the sizes alone.
struct RowSplit {
  Team team;
  int64_t passes;  // of a block, each over one row per team
  unsigned blocks;
};

// Few enough for one block to add, many enough to keep a large GPU busy.
inline constexpr int64_t kMostPartials = 4096;

constexpr RowSplit split_rows(int64_t rows, Team team) {
  const int64_t all = ceil_div(rows, threads_for(team) / static_cast<unsigned>(team.size));
  const int64_t passes = ceil_div(all, kMostPartials);
  return {team, passes, static_cast<unsigned>(passes == 0 ? 0 : ceil_div(all, passes))};
}

}  // namespace dlbd::cuda
