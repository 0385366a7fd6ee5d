// Rows of a table by index, and the sum of gradients back into them: the positions are sorted by row, then each row
// adds up its gradients in the order of their positions. No floats are added by atomics: the same bits every time.
#include <bit>

#include "../shapes/embedding.h"
#include "../shapes/kernels.h"
#include "radix_sort.h"
#include "rows_by_index.h"
#include "units.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;

// The sort. Few positions: each counts those that come before it. Many: a radix sort.
constexpr int64_t kFewPositions = 2048;

__global__ void rank_kernel(Indices indices, int64_t m, int64_t* order, Status* status) {
  const int64_t position = global_thread();
  if (position >= m) return;
  const int64_t mine = indices.checked_row(position, status);
  int64_t rank = 0;
  for (int64_t i = 0; i < m; ++i) {
    const int64_t row = indices.row(i);
    rank += row < mine || (row == mine && i < position);
  }
  order[rank] = position;
}

struct RowKeys {
  Indices indices;
  Status* status;

  __device__ __forceinline__ uint64_t key(int64_t, int64_t position) const {
    return static_cast<uint64_t>(indices.row(position));
  }
  __device__ __forceinline__ void meet(int64_t, int64_t position) const { indices.checked_row(position, status); }
};

// The sums. A window of the sorted positions belongs to one warp per strip of columns. A row whose positions lie in one
// window is written at once; of others each window leaves a part: its first row's that began before (head), its last
// row's that goes on (tail). Heads of a group of windows within one row become one, then those of a group of groups,
// and so on: a row may have nearly all positions. Then the warp where a row begins adds the parts.
constexpr int kWindow = kWarp;
#if defined(DLBD_CUDA_EMULATION)
constexpr int kGroup = 2;  // so that the tests' few windows are groups of groups
#else
constexpr int kGroup = 32;
#endif

template <class T>
struct Sums {
  int64_t outer, n, inner, m, windows, strips;
  Indices indices;
  const int64_t* order;
  const T* x;
  T* y;
  T *heads, *tails;  // (outer, windows, inner)
  bool accumulate;

  __device__ __forceinline__ int64_t row_at(int64_t i) const { return indices.row(order[i]); }
  // Whether the group of `size` windows from `window` on lies within a row that is known to reach its first position.
  __device__ __forceinline__ bool whole(int64_t window, int64_t size, int64_t row) const {
    const int64_t end = (window + size) * kWindow;
    return end <= m && row_at(end - 1) == row;
  }
};

struct WarpWork {
  int64_t o, window, first;
  int count;  // positions of the window
  int64_t column;
  bool active;
};

// The warps take every `size`-th window.
template <class T, int V>
__device__ __forceinline__ bool find_work(const Sums<T>& s, WarpWork& w, int64_t size = 1) {
  const int64_t warp = global_thread() / kWarp, windows = s.windows / size;
  if (warp >= s.outer * windows * s.strips) return false;
  w.column = (warp % s.strips * kWarp + threadIdx.x % kWarp) * V;
  w.active = w.column < s.inner;
  w.window = warp / s.strips % windows * size;
  w.o = warp / s.strips / windows;
  w.first = w.window * kWindow;
  w.count = static_cast<int>(min(int64_t{kWindow}, s.m - w.first));
  return true;
}

template <class T, int V>
using Values = Pack<T, V>;

template <class T, int V>
__device__ __forceinline__ Values<T, V> load_values(const T* p) {
  return *reinterpret_cast<const Values<T, V>*>(p);
}
template <class T, int V>
__device__ __forceinline__ void add_to(Values<T, V>& sum, const Values<T, V>& x) {
#pragma unroll
  for (int i = 0; i < V; ++i) sum.v[i] += x.v[i];
}

template <class T, int V>
__device__ __forceinline__ void write_row(const Sums<T>& s, const WarpWork& w, int64_t row, Values<T, V> sum) {
  T* to = s.y + (w.o * s.n + row) * s.inner + w.column;
  if (s.accumulate) add_to<T, V>(sum, load_values<T, V>(to));
  *reinterpret_cast<Values<T, V>*>(to) = sum;
}

template <class T, int V>
__global__ void sum_windows_kernel(Sums<T> s) {
  constexpr int kAhead = 4;
  WarpWork w;
  if (!find_work<T, V>(s, w)) return;
  const int lane = threadIdx.x % kWarp;
  const int64_t my_position = s.order[w.first + min(lane, w.count - 1)];
  const int64_t my_row = s.indices.row(my_position);
  const int64_t row_before = w.first > 0 ? s.row_at(w.first - 1) : -1;
  const int64_t row_after = w.first + w.count < s.m ? s.row_at(w.first + w.count) : -1;
  const T* x = s.x + w.o * s.m * s.inner + w.column;
  const int64_t part = (w.o * s.windows + w.window) * s.inner + w.column;
  int64_t row = __shfl_sync(kWholeWarp, my_row, 0);
  bool head = row == row_before;
  Values<T, V> sum{};
  const auto finish = [&](bool goes_on) {
    if (!w.active || row == s.n) return;
    if (head || goes_on)
      *reinterpret_cast<Values<T, V>*>((head ? s.heads : s.tails) + part) = sum;
    else
      write_row<T, V>(s, w, row, sum);
  };
  for (int first = 0; first < w.count; first += kAhead) {
    Values<T, V> value[kAhead];
    int64_t its_row[kAhead];
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      const int slot = min(first + u, w.count - 1);
      const int64_t position = __shfl_sync(kWholeWarp, my_position, slot);
      its_row[u] = __shfl_sync(kWholeWarp, my_row, slot);
      if (w.active) value[u] = load_values<T, V>(x + position * s.inner);
    }
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (first + u >= w.count) break;
      if (its_row[u] != row) {
        finish(false);
        row = its_row[u], head = false, sum = {};
      }
      add_to<T, V>(sum, value[u]);
    }
  }
  finish(row == row_after);
}

// The heads of groups of `size` windows, from those of groups of size / kGroup windows, in the place of the first.
template <class T, int V>
__global__ void join_groups_kernel(Sums<T> s, int64_t size) {
  WarpWork w;
  if (!find_work<T, V>(s, w, size) || !w.active || w.first == 0) return;
  const int64_t row = s.row_at(w.first - 1);
  if (row == s.n || !s.whole(w.window, size, row)) return;
  T* heads = s.heads + (w.o * s.windows + w.window) * s.inner + w.column;
  Values<T, V> sum = load_values<T, V>(heads);
#pragma unroll 8
  for (int i = 1; i < kGroup; ++i) add_to<T, V>(sum, load_values<T, V>(heads + i * (size / kGroup) * s.inner));
  *reinterpret_cast<Values<T, V>*>(heads) = sum;
}

// largest: size of the largest groups.
template <class T, int V>
__global__ void join_windows_kernel(Sums<T> s, int64_t largest) {
  WarpWork w;
  if (!find_work<T, V>(s, w)) return;
  const int64_t end = w.first + w.count;
  if (end >= s.m) return;
  const int64_t row = s.row_at(end - 1);
  if (row == s.n || s.row_at(end) != row) return;
  if (w.first > 0 && s.row_at(w.first - 1) == row) return;  // began in a window before
  const int lane = threadIdx.x % kWarp;
  Values<T, V> sum{};
  int64_t part = (w.o * s.windows + w.window) * s.inner + w.column;
  if (w.active) sum = load_values<T, V>(s.tails + part);
  // up to ever larger groups, on by the largest ones, and down to the last window
  int64_t window = w.window + 1, size = 1;
  for (bool up = true;;) {
    const int64_t past = window / size % kGroup;  // a larger group begins at 0
    up = up && size < largest;
    const int most = up ? static_cast<int>((kGroup - past) % kGroup) : kWarp;
    const int64_t mine = window + lane * size, start = mine * kWindow;
    const bool same = size > 1 ? s.whole(mine, size, row) : start < s.m && s.row_at(start) == row;
    const unsigned others = ~__ballot_sync(kWholeWarp, same && lane < most);
    const int count = others ? __ffs(static_cast<int>(others)) - 1 : kWarp;
    const T* heads = s.heads + (w.o * s.windows + window) * s.inner + w.column;
    if (w.active) {
#pragma unroll 4
      for (int i = 0; i < count; ++i) add_to<T, V>(sum, load_values<T, V>(heads + i * size * s.inner));
    }
    window += count * size;
    if (count < most) {
      if (size == 1) break;
      up = false, size /= kGroup;
    } else if (up) {
      size *= kGroup;
    }
  }
  if (w.active) write_row<T, V>(s, w, row, sum);
}

// Where things lie in scratch memory.
struct Scratch {
  int64_t order[2], counts, totals, heads, tails, end;
};

Scratch scratch_of(const RowsByIndex& r) {
  constexpr int64_t kAlignment = 64, kWord = sizeof(int64_t);
  int64_t end = 0;
  const auto take = [&](int64_t bytes) {
    const int64_t start = end;
    end += ceil_div(bytes, kAlignment) * kAlignment;
    return start;
  };
  const bool radix = r.m > kFewPositions;
  const int64_t parts = r.outer * ceil_div(r.m, kWindow) * r.inner * bytes_of(r.dtype);
  Scratch s{};
  s.order[0] = take(r.m * kWord);
  s.order[1] = take(radix ? r.m * kWord : 0);
  s.counts = take(radix ? kDigits * sort_tiles(r.m) * kWord : 0);
  s.totals = take(radix ? kDigits * kWord : 0);
  s.heads = take(parts);
  s.tails = take(parts);
  s.end = end;
  return s;
}

// Returns the positions in the order of their rows; those that choose no row come last.
const int64_t* sort_positions(const RowsByIndex& r, const Scratch& scratch) {
  char* memory = static_cast<char*>(r.scratch);
  const auto words = [&](int64_t offset) { return reinterpret_cast<int64_t*>(memory + offset); };
  int64_t* order[] = {words(scratch.order[0]), words(scratch.order[1])};
  if (r.m <= kFewPositions) {
    launch(rank_kernel, {static_cast<unsigned>(ceil_div(r.m, kThreads)), kThreads}, stream_of(r), r.indices, r.m,
           order[0], r.status);
    return order[0];
  }
  const int bits = std::bit_width(static_cast<uint64_t>(r.indices.n));
  int64_t* sorted = order[(sort_passes(bits) - 1) % 2];
  radix_sort(RowKeys{r.indices, r.status}, 1, r.m, bits,
             SortMemory<int64_t>{{order[0], order[1]}, words(scratch.counts), words(scratch.totals)}, sorted, r.m,
             stream_of(r));
  return sorted;
}

template <class T, int V>
void sum_sorted(const RowsByIndex& r, const Scratch& scratch, const int64_t* order) {
  char* memory = static_cast<char*>(r.scratch);
  const int64_t windows = ceil_div(r.m, kWindow), strips = ceil_div(r.inner, kWarp * V);
  const Sums<T> s{r.outer,
                  r.indices.n,
                  r.inner,
                  r.m,
                  windows,
                  strips,
                  r.indices,
                  order,
                  static_cast<const T*>(r.x),
                  static_cast<T*>(r.y),
                  reinterpret_cast<T*>(memory + scratch.heads),
                  reinterpret_cast<T*>(memory + scratch.tails),
                  r.accumulate};
  const auto grid = [&](int64_t works) {
    return Grid{static_cast<unsigned>(ceil_div(r.outer * works * strips, kWarps)), kThreads};
  };
  launch(sum_windows_kernel<T, V>, grid(windows), stream_of(r), s);
  if (windows == 1) return;
  int64_t largest = 1;
  for (; largest * kGroup < windows; largest *= kGroup)
    launch(join_groups_kernel<T, V>, grid(windows / (largest * kGroup)), stream_of(r), s, largest * kGroup);
  launch(join_windows_kernel<T, V>, grid(windows), stream_of(r), s, largest);
}

RowsByIndex rows_of(const LaunchArgs& a, const EmbeddingShape& s, const void* indices, const void* x, void* y,
                    bool accumulate) {
  return {a, 1, s.columns, s.count, {indices, s.index_dtype, s.rows, false}, s.dtype, x, y, false, accumulate};
}

RowsByIndex rows_of(const EmbeddingBackwardArgs& a) {
  return rows_of(a, a.shape, a.indices, a.dy, a.dtable, a.accumulate);
}

}  // namespace

int64_t scatter_rows_scratch(const RowsByIndex& r) { return scratch_of(r).end; }

void scatter_rows(const RowsByIndex& r) {
  if (!r.accumulate) clear(r.y, r.dtype, r.outer * r.indices.n * r.inner, stream_of(r));
  if (r.m == 0) return;
  const Scratch scratch = scratch_of(r);
  const int64_t* order = sort_positions(r, scratch);
  if (r.dtype == DType::f64) return sum_sorted<double, 1>(r, scratch, order);
  constexpr int V = Pack<float>::kSize;
  r.inner % V == 0 && aligned_to(16, r.x, r.y) ? sum_sorted<float, V>(r, scratch, order)
                                               : sum_sorted<float, 1>(r, scratch, order);
}

void embedding_forward(const EmbeddingForwardArgs& a) {
  gather_rows(rows_of(a, a.shape, a.indices, a.table, a.y, false));
}

int64_t embedding_backward_scratch(const EmbeddingBackwardArgs& a) { return scatter_rows_scratch(rows_of(a)); }
void embedding_backward(const EmbeddingBackwardArgs& a) { scatter_rows(rows_of(a)); }

}  // namespace dlbd::cuda
