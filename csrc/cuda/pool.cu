// Max and average pooling: threads along channels, several at a time where alignment allows. No two threads add to the
// same element, so every result is a sum in one order.
#include <type_traits>

#include "../shapes/kernels.h"
#include "vector.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256;
// A window of this many elements or more is reduced by a block, and too long for one thread to walk on the way back.
constexpr int64_t kWideWindow = 32;
// Threads of a wide window's block that lie side by side over channels: one line of memory each time.
constexpr int kWideChannels = 8;
// The most blocks of a grid (CUDA programming guide, "Technical Specifications").
constexpr int64_t kMostBlocks = 2147483647;

// Blocks that a multiprocessor should hold at once: as many as the registers allow without spills.
template <class I>
constexpr int kBlocks = sizeof(I) == sizeof(int) ? 4 : 2;

// The shape in integers of type I: int where every position of an image and every row fits, else int64_t.
template <class I>
struct Axis {
  I in, out, kernel, stride, pad;
};
template <class I>
struct Sizes {
  I n, c;
  Axis<I> d, h, w;
};

// Positions along an axis.
template <class I>
struct Span {
  I begin, end;
  __device__ __forceinline__ I length() const { return end - begin; }
  __device__ __forceinline__ bool holds(I i) const { return i >= begin && i < end; }
};

// Of what is not negative.
__device__ __forceinline__ int divide(int a, int b) {
  return static_cast<int>(static_cast<unsigned>(a) / static_cast<unsigned>(b));
}
__device__ __forceinline__ int64_t divide(int64_t a, int64_t b) { return a / b; }

// Input positions under output position o.
template <class I>
__device__ __forceinline__ Span<I> window(const Axis<I>& a, I o) {
  const I start = o * a.stride - a.pad;
  return {start > 0 ? start : 0, a.kernel < a.in - start ? start + a.kernel : a.in};
}

// Output positions whose windows lie over input position i.
template <class I>
__device__ __forceinline__ Span<I> covering(const Axis<I>& a, I i) {
  const I reach = i + a.pad - a.kernel + 1, last = divide(i + a.pad, a.stride) + 1;
  return {reach <= 0 ? 0 : divide(reach - 1, a.stride) + 1, last < a.out ? last : a.out};
}

// The part of an axis that output position o owns when windows do not overlap: up to the next window.
template <class I>
__device__ __forceinline__ Span<I> owned(const Axis<I>& a, I o) {
  return {o == 0 ? 0 : window(a, o).begin, o + 1 == a.out ? a.in : window<I>(a, o + 1).begin};
}

// A row of pixels. A block takes several at a time (threadIdx.y); its threadIdx.x's go over the packs of a row.
template <class I>
struct Row {
  I n, d, h;
};
template <class I>
__device__ __forceinline__ Row<I> split_row(I row, I depth, I height) {
  const I up = divide(row, height), n = divide(up, depth);
  return {n, up - n * depth, row - up * height};
}
template <class I>
__device__ __forceinline__ I first_row() {
  return static_cast<I>(blockIdx.x) * static_cast<I>(blockDim.y) + static_cast<I>(threadIdx.y);
}
template <class I>
__device__ __forceinline__ I row_step() {
  return static_cast<I>(gridDim.x) * static_cast<I>(blockDim.y);
}

template <class T, int V>
__device__ __forceinline__ Pack<T, V> load(const T* p) {
  return *reinterpret_cast<const Pack<T, V>*>(p);
}
template <class T, int V>
__device__ __forceinline__ void store(T* p, const Pack<T, V>& x) {
  *reinterpret_cast<Pack<T, V>*>(p) = x;
}

// In max pooling a later element replaces an earlier one only if it is larger, or NaN.
template <bool Average, class T, int V>
__device__ __forceinline__ void reduce(Pack<T, V>& total, const Pack<T, V>& x) {
#pragma unroll
  for (int v = 0; v < V; ++v) {
    const bool replaces = x.v[v] > total.v[v] || x.v[v] != x.v[v];
    total.v[v] = Average ? total.v[v] + x.v[v] : replaces ? x.v[v] : total.v[v];
  }
}
template <class T, int V>
__device__ __forceinline__ void divide_by(Pack<T, V>& total, T count) {
#pragma unroll
  for (int v = 0; v < V; ++v) total.v[v] /= count;
}

template <class T>
__device__ __forceinline__ bool is_same(T a, T b) {
  return a == b || (a != a && b != b);
}

template <class T, int V, bool Average, class I>
__global__ void __launch_bounds__(kThreads, kBlocks<I>) forward_kernel(Sizes<I> s, const T* x, T* y) {
  const I rows = s.n * s.d.out * s.h.out, packs = s.c / V, line = s.w.in * s.c;
  for (I row = first_row<I>(); row < rows; row += row_step<I>()) {
    const Row<I> at = split_row(row, s.d.out, s.h.out);
    const Span<I> deep = window(s.d, at.d), down = window(s.h, at.h);
    const T* image = x + (static_cast<int64_t>(at.n) * s.d.in + deep.begin) * s.h.in * line + down.begin * line;
    T* to = y + static_cast<int64_t>(row) * s.w.out * s.c;
    for (I piece = threadIdx.x; piece < s.w.out * packs; piece += blockDim.x) {
      const I ow = divide(piece, packs);
      const Span<I> across = window(s.w, ow);
      const T* first = image + across.begin * s.c + (piece - ow * packs) * V;
      Pack<T, V> total{};
      if (!Average) total = load<T, V>(first);
      for (I id = 0; id < deep.length(); ++id) {
        for (I ih = 0; ih < down.length(); ++ih) {
          const T* from = first + (id * s.h.in + ih) * line;
#pragma unroll 4
          for (I iw = 0; iw < across.length(); ++iw, from += s.c) reduce<Average>(total, load<T, V>(from));
        }
      }
      if (Average) divide_by(total, static_cast<T>(deep.length() * down.length() * across.length()));
      store(to + piece * V, total);
    }
  }
}

template <class T, int V>
struct WideShared {
  Pack<T, V> part[kThreads];
};

// A block per output pixel and kWideChannels packs; threadIdx.y's share the window, each a run of its elements.
template <class T, int V, bool Average, class I>
__global__ void __launch_bounds__(kThreads, kBlocks<I>)
    wide_forward_kernel(Sizes<I> s, const T* x, T* y, I channel_blocks) {
  constexpr int kRuns = kThreads / kWideChannels;
  auto& part = shared<WideShared<T, V>>().part;
  const I pixel = divide(static_cast<I>(blockIdx.x), channel_blocks), row = divide(pixel, s.w.out);
  const I c = ((static_cast<I>(blockIdx.x) - pixel * channel_blocks) * kWideChannels + threadIdx.x) * V;
  const Row<I> at = split_row(row, s.d.out, s.h.out);
  const Span<I> deep = window(s.d, at.d), down = window(s.h, at.h), across = window(s.w, pixel - row * s.w.out);
  const int64_t count = static_cast<int64_t>(deep.length()) * down.length() * across.length();
  const I begin = static_cast<I>(count * threadIdx.y / kRuns), end = static_cast<I>(count * (threadIdx.y + 1) / kRuns);
  if (c < s.c && begin < end) {
    const T* image = x + static_cast<int64_t>(at.n) * s.d.in * s.h.in * s.w.in * s.c + c;
    const I up = divide(begin, across.length()), far = divide(up, down.length());
    I iw = begin - up * across.length(), ih = up - far * down.length(), id = far;
    Pack<T, V> total{};
    for (I i = begin; i < end; ++i) {
      const I place = ((deep.begin + id) * s.h.in + down.begin + ih) * s.w.in + across.begin + iw;
      const Pack<T, V> value = load<T, V>(image + place * s.c);
      if (!Average && i == begin) total = value;
      reduce<Average>(total, value);
      if (++iw == across.length()) iw = 0, ++ih;
      if (ih == down.length()) ih = 0, ++id;
    }
    part[threadIdx.y * kWideChannels + threadIdx.x] = total;
  }
  __syncthreads();
  if (threadIdx.y != 0 || c >= s.c) return;
  Pack<T, V> total{};
  bool any = false;
  for (int i = 0; i < kRuns; ++i) {
    if (count * i / kRuns == count * (i + 1) / kRuns) continue;  // fewer elements than runs
    const Pack<T, V> run = part[i * kWideChannels + threadIdx.x];
    if (!Average && !any) total = run;
    reduce<Average>(total, run);
    any = true;
  }
  if (Average) divide_by(total, static_cast<T>(count));
  store(y + static_cast<int64_t>(pixel) * s.c + c, total);
}

// Clears the lanes of `mine` for which an element of the window before (id, ih, iw) equals `best` too. `image` is at
// the first channel of the lanes.
template <class T, int V, class I>
__device__ __forceinline__ unsigned keep_first(const Sizes<I>& s, const T* image, Span<I> deep, Span<I> down,
                                               Span<I> across, const Pack<T, V>& best, I id, I ih, I iw,
                                               unsigned mine) {
  I d = deep.begin, h = down.begin, w = across.begin;
  while (mine != 0 && (d != id || h != ih || w != iw)) {
    const Pack<T, V> x = load<T, V>(image + ((d * s.h.in + h) * s.w.in + w) * s.c);
#pragma unroll
    for (int v = 0; v < V; ++v)
      if (is_same(x.v[v], best.v[v])) mine &= ~(1u << v);
    if (++w == across.end) w = across.begin, ++h;
    if (h == down.end) h = down.begin, ++d;
  }
  return mine;
}

// Each element of dx gathers from the windows over it, which may overlap.
template <class T, int V, bool Average, class I>
__global__ void __launch_bounds__(kThreads, kBlocks<I>)
    gather_backward_kernel(Sizes<I> s, const T* x, const T* y, const T* dy, T* dx, bool accumulate) {
  const I rows = s.n * s.d.in * s.h.in, packs = s.c / V, line = s.w.in * s.c;
  for (I row = first_row<I>(); row < rows; row += row_step<I>()) {
    const Row<I> at = split_row(row, s.d.in, s.h.in);
    const Span<I> ods = covering(s.d, at.d), ohs = covering(s.h, at.h);
    const int64_t in = static_cast<int64_t>(row) * line;
    const int64_t x_image = static_cast<int64_t>(at.n) * s.d.in * s.h.in * line;
    const int64_t y_image = static_cast<int64_t>(at.n) * s.d.out * s.h.out * s.w.out * s.c;
    for (I piece = threadIdx.x; piece < s.w.in * packs; piece += blockDim.x) {
      const I iw = divide(piece, packs), c = (piece - iw * packs) * V;
      const Span<I> ows = covering(s.w, iw);
      Pack<T, V> sum{}, value;
      if (accumulate) sum = load<T, V>(dx + in + piece * V);
      if (!Average) value = load<T, V>(x + in + piece * V);
      for (I od = ods.begin; od < ods.end; ++od) {
        for (I oh = ohs.begin; oh < ohs.end; ++oh) {
          for (I ow = ows.begin; ow < ows.end; ++ow) {
            const int64_t out = y_image + ((od * s.h.out + oh) * s.w.out + ow) * s.c + c;
            const Span<I> deep = window(s.d, od), down = window(s.h, oh), across = window(s.w, ow);
            unsigned mine = ~0u;  // a bit for every lane that takes part
            if constexpr (!Average) {
              const Pack<T, V> best = load<T, V>(y + out);
              mine = 0;
#pragma unroll
              for (int v = 0; v < V; ++v) mine |= static_cast<unsigned>(is_same(value.v[v], best.v[v])) << v;
              mine = keep_first<T, V>(s, x + x_image + c, deep, down, across, best, at.d, at.h, iw, mine);
              if (mine == 0) continue;
            }
            Pack<T, V> g = load<T, V>(dy + out);
            if (Average) divide_by(g, static_cast<T>(deep.length() * down.length() * across.length()));
#pragma unroll
            for (int v = 0; v < V; ++v)
              if (mine >> v & 1) sum.v[v] += g.v[v];
          }
        }
      }
      store(dx + in + piece * V, sum);
    }
  }
}

// Max pooling over windows that do not overlap: each window writes the elements that it owns, in one walk over x.
template <class T, int V, class I>
__global__ void __launch_bounds__(kThreads, kBlocks<I>)
    disjoint_backward_kernel(Sizes<I> s, const T* x, const T* y, const T* dy, T* dx, bool accumulate) {
  const I rows = s.n * s.d.out * s.h.out, packs = s.c / V, line = s.w.in * s.c;
  for (I row = first_row<I>(); row < rows; row += row_step<I>()) {
    const Row<I> at = split_row(row, s.d.out, s.h.out);
    const Span<I> planes = owned(s.d, at.d), lines = owned(s.h, at.h);
    const Span<I> deep = window(s.d, at.d), down = window(s.h, at.h);
    const int64_t image = static_cast<int64_t>(at.n) * s.d.in * s.h.in * line;
    for (I piece = threadIdx.x; piece < s.w.out * packs; piece += blockDim.x) {
      const I ow = divide(piece, packs), c = (piece - ow * packs) * V;
      const int64_t out = static_cast<int64_t>(row) * s.w.out * s.c + piece * V;
      const Span<I> columns = owned(s.w, ow), across = window(s.w, ow);
      const Pack<T, V> best = load<T, V>(y + out), g = load<T, V>(dy + out);
      unsigned open = ~0u;  // lanes whose maximum is still to come
      for (I id = planes.begin; id < planes.end; ++id) {
        for (I ih = lines.begin; ih < lines.end; ++ih) {
          const bool covered = deep.holds(id) && down.holds(ih);
          int64_t i = image + (id * s.h.in + ih) * line + columns.begin * s.c + c;
          for (I iw = columns.begin; iw < columns.end; ++iw, i += s.c) {
            Pack<T, V> result{};
            if (accumulate) result = load<T, V>(dx + i);
            if (covered && across.holds(iw)) {
              const Pack<T, V> value = load<T, V>(x + i);
#pragma unroll
              for (int v = 0; v < V; ++v) {
                const bool first = is_same(value.v[v], best.v[v]) && (open >> v & 1);
                result.v[v] += first ? g.v[v] : T(0);
                if (first) open &= ~(1u << v);
              }
            }
            store(dx + i, result);
          }
        }
      }
    }
  }
}

// Threads side by side over the packs of a row, a power of two; the rest of the block takes more rows.
Grid rows_grid(int64_t rows, int64_t pieces) {
  unsigned across = 8;
  while (across < kThreads && across < pieces) across *= 2;
  const unsigned down = kThreads / across;
  return {blocks_for(ceil_div(rows, down)), {across, down}};
}

int64_t elements_under_a_window(const PoolShape& s) {
  int64_t count = 1;
  for (const ConvAxis& a : s.axis) count *= a.kernel < a.in ? a.kernel : a.in;
  return count;
}

template <class T, int V, bool Average, class I>
void forward(const PoolForwardArgs& a, const Sizes<I>& s) {
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(a.y);
  const int64_t rows = a.shape.n * a.shape.axis[0].out * a.shape.axis[1].out, width = a.shape.axis[2].out;
  const int64_t channel_blocks = ceil_div(a.shape.c / V, kWideChannels), blocks = rows * width * channel_blocks;
  if (elements_under_a_window(a.shape) >= kWideWindow && blocks <= kMostBlocks)
    return launch(wide_forward_kernel<T, V, Average, I>,
                  {static_cast<unsigned>(blocks), {kWideChannels, kThreads / kWideChannels}, sizeof(WideShared<T, V>)},
                  stream_of(a), s, x, y, static_cast<I>(channel_blocks));
  launch(forward_kernel<T, V, Average, I>, rows_grid(rows, width * (a.shape.c / V)), stream_of(a), s, x, y);
}

template <class T, int V, bool Average, class I>
void backward(const PoolBackwardArgs& a, const Sizes<I>& s) {
  const T *x = static_cast<const T*>(a.x), *y = static_cast<const T*>(a.y), *dy = static_cast<const T*>(a.dy);
  T* dx = static_cast<T*>(a.dx);
  const ConvAxis &d = a.shape.axis[0], &h = a.shape.axis[1], &w = a.shape.axis[2];
  if constexpr (!Average) {
    const bool narrow = elements_under_a_window(a.shape) < kWideWindow;
    if (a.shape.path == PoolPath::disjoint && a.shape.y_size > 0 && narrow)
      return launch(disjoint_backward_kernel<T, V, I>, rows_grid(a.shape.n * d.out * h.out, w.out * (a.shape.c / V)),
                    stream_of(a), s, x, y, dy, dx, a.accumulate);
  }
  launch(gather_backward_kernel<T, V, Average, I>, rows_grid(a.shape.n * d.in * h.in, w.in * (a.shape.c / V)),
         stream_of(a), s, x, y, dy, dx, a.accumulate);
}

// The same windows with numbers near the size of the input: windows may reach far beyond it.
ConvAxis trimmed(ConvAxis a) {
  const int64_t end = a.kernel - a.pad;  // of the first window
  a.pad = a.pad < a.in ? a.pad : a.in;
  a.kernel = (end < a.in ? end : a.in) + a.pad;
  if (a.out <= 1) a.stride = a.in + a.pad + a.kernel;  // there is no second window
  return a;
}

template <class I>
Sizes<I> sizes_of(const PoolShape& s) {
  Sizes<I> sizes{static_cast<I>(s.n), static_cast<I>(s.c), {}, {}, {}};
  Axis<I>* axes[] = {&sizes.d, &sizes.h, &sizes.w};
  for (int i = 0; i < 3; ++i) {
    const ConvAxis a = trimmed(s.axis[i]);
    *axes[i] = {static_cast<I>(a.in), static_cast<I>(a.out), static_cast<I>(a.kernel), static_cast<I>(a.stride),
                static_cast<I>(a.pad)};
  }
  return sizes;
}

// Whether rows and the positions in an image can be counted in 32 bits, with room for a step beyond the end.
bool fits_32_bits(const PoolShape& s) {
  constexpr int64_t kMost = int64_t{1} << 28;
  int64_t in = s.c, out = s.c;
  for (const ConvAxis& a : s.axis) {
    if (trimmed(a).stride > kMost) return false;
    in *= a.in, out *= a.out;
  }
  const ConvAxis &d = s.axis[0], &h = s.axis[1];
  return in <= kMost && out <= kMost && s.n * d.in * h.in <= kMost && s.n * d.out * h.out <= kMost;
}

// Calls f(T{}, channels that a thread takes, sizes): float64 and huge arrays go one by one.
template <class F, class... P>
void with_variant(const PoolShape& s, const F& f, const P*... arrays) {
  constexpr std::integral_constant<int, 1> kOne;
  constexpr std::integral_constant<int, Pack<float>::kSize> kPack;
  if (s.dtype == DType::f64) return f(double{}, kOne, sizes_of<int64_t>(s));
  if (!fits_32_bits(s)) return f(float{}, kOne, sizes_of<int64_t>(s));
  if (s.c % kPack == 0 && aligned(arrays...)) return f(float{}, kPack, sizes_of<int>(s));
  f(float{}, kOne, sizes_of<int>(s));
}

}  // namespace

void pool_forward(const PoolForwardArgs& a) {
  if (a.shape.y_size == 0) return;
  with_variant(
      a.shape,
      [&](auto zero, auto pack, const auto& sizes) {
        using T = decltype(zero);
        a.shape.average ? forward<T, pack, true>(a, sizes) : forward<T, pack, false>(a, sizes);
      },
      a.x, a.y);
}

void pool_backward(const PoolBackwardArgs& a) {
  if (a.shape.x_size == 0) return;
  with_variant(
      a.shape,
      [&](auto zero, auto pack, const auto& sizes) {
        using T = decltype(zero);
        a.shape.average ? backward<T, pack, true>(a, sizes) : backward<T, pack, false>(a, sizes);
      },
      a.x, a.y, a.dy, a.dx);  // x and y are null for average pooling
}

}  // namespace dlbd::cuda
