// Max and average pooling, vectorised over channels.
#include "../shapes/pool.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "simd.h"

namespace dlbd::DLBD_ISA {
namespace {

// Vectors of channels that one window is reduced for at a time: whole cache lines of neighbouring channels.
constexpr int kVectors = 4;
// Channels of a task when the rows of the output are too few to keep every core busy.
constexpr int64_t kChannelBlock = 64;
constexpr int64_t kMinTasks = 16;
// Elements of x that make a task worth handing out.
constexpr int64_t kTaskElements = 16384;

struct Span {
  int64_t begin, end;
};

// Input positions under output position o.
DLBD_INLINE Span window(const ConvAxis& a, int64_t o) {
  const int64_t start = o * a.stride - a.pad;
  return {max_of<int64_t>(start, 0), a.kernel < a.in - start ? start + a.kernel : a.in};
}

DLBD_INLINE int64_t length(Span s) { return s.end - s.begin; }

// A later element replaces an earlier one only if it is larger, or NaN.
template <class T>
DLBD_INLINE Vec<T> later_max(Vec<T> best, Vec<T> x) {
  return (x > best) | (x != x) ? x : best;
}

template <class T>
DLBD_INLINE Vec<T> load_lanes(const T* p, int64_t n) {
  return n >= kLanes<T> ? load(p) : load_n(p, n);
}
template <class T>
DLBD_INLINE void store_lanes(T* p, Vec<T> v, int64_t n) {
  if (n >= kLanes<T>) return store(p, v);
  store_n(p, v, n);
}

// y of V vectors of channels (the last of which has `lanes` lanes) of one window; `image` is at its first channel.
template <bool Average, class T, int V>
DLBD_INLINE void reduce_window(const PoolShape& s, const T* image, Span d, Span h, Span w, int64_t lanes, T* y) {
  const int64_t row = s.axis[2].in * s.c, plane = s.axis[1].in * row;
  const auto at = [&](const T* p, int v) {
    return v + 1 < V ? load(p + v * kLanes<T>) : load_lanes(p + v * kLanes<T>, lanes);
  };
  Vec<T> total[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v)
    total[v] = Average ? Vec<T>{} : at(image + d.begin * plane + h.begin * row + w.begin * s.c, v);
  for (int64_t id = d.begin; id < d.end; ++id) {
    for (int64_t ih = h.begin; ih < h.end; ++ih) {
      const T* line = image + id * plane + ih * row;
      Vec<T> sum[V];  // a row of its own: long sums stay accurate
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[v] = Average ? Vec<T>{} : total[v];
      for (int64_t iw = w.begin; iw < w.end; ++iw) {
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v)
          sum[v] = Average ? sum[v] + at(line + iw * s.c, v) : later_max<T>(sum[v], at(line + iw * s.c, v));
      }
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) total[v] = Average ? total[v] + sum[v] : sum[v];
    }
  }
  const T count = static_cast<T>(length(d) * length(h) * length(w));
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    const Vec<T> result = Average ? total[v] / count : total[v];
    store_lanes(y + v * kLanes<T>, result, v + 1 < V ? kLanes<T> : lanes);
  }
}

template <class T, bool Average>
void forward(const PoolForwardArgs& args) {
  const PoolShape& s = args.shape;
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  const int64_t rows = s.n * d.out * h.out;
  const int64_t blocks = rows < kMinTasks ? ceil_div(s.c, kChannelBlock) : 1;
  const int64_t block = blocks == 1 ? s.c : kChannelBlock;
  const int64_t work = max_of<int64_t>(1, w.in * block * min_of(h.kernel, h.in) * min_of(d.kernel, d.in));
  const int64_t grain = max_of<int64_t>(1, kTaskElements / work);
  parallel_for(args.threads, rows * blocks, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t out = task / blocks, c0 = task % blocks * block, c1 = min_of(c0 + block, s.c);
      const int64_t oh = out % h.out, od = out / h.out % d.out, n = out / h.out / d.out;
      const Span deep = window(d, od), down = window(h, oh);
      const T* image = x + n * d.in * h.in * w.in * s.c;
      for (int64_t ow = 0; ow < w.out; ++ow) {
        const Span across = window(w, ow);
        T* to = y + (out * w.out + ow) * s.c;
        int64_t c = c0;
        for (; c + kVectors * kLanes<T> <= c1; c += kVectors * kLanes<T>)
          reduce_window<Average, T, kVectors>(s, image + c, deep, down, across, kLanes<T>, to + c);
        for (; c < c1; c += kLanes<T>)
          reduce_window<Average, T, 1>(s, image + c, deep, down, across, min_of<int64_t>(kLanes<T>, c1 - c), to + c);
      }
    }
  });
}

// Adds or writes the gradient of one window to the rows [h0, h1) of dx; all pointers are at the first channel.
template <bool Average, bool Add, class T>
DLBD_INLINE void spread_window(const PoolShape& s, const T* x, const T* y, const T* dy, T* dx, Span d, Span h, Span w,
                               int64_t h0, int64_t h1, int64_t lanes) {
  const int64_t row = s.axis[2].in * s.c, plane = s.axis[1].in * row;
  const Vec<T> gradient = load_lanes(dy, lanes);
  if constexpr (Average) {
    const Vec<T> share = gradient / static_cast<T>(length(d) * length(h) * length(w));
    for (int64_t id = d.begin; id < d.end; ++id)
      for (int64_t ih = max_of(h.begin, h0); ih < min_of(h.end, h1); ++ih)
        for (int64_t iw = w.begin; iw < w.end; ++iw) {
          T* to = dx + id * plane + ih * row + iw * s.c;
          store_lanes(to, Add ? load_lanes(to, lanes) + share : share, lanes);
        }
  } else {
    const Vec<T> best = load_lanes(y, lanes);
    const Mask<T> best_is_nan = best != best;
    Mask<T> open = ~Mask<T>{};  // lanes whose maximum is still to come
    for (int64_t id = d.begin; id < d.end; ++id) {
      for (int64_t ih = h.begin; ih < h.end; ++ih) {
        const bool mine = ih >= h0 && ih < h1;
        for (int64_t iw = w.begin; iw < w.end; ++iw) {
          const int64_t at = id * plane + ih * row + iw * s.c;
          const Vec<T> value = load_lanes(x + at, lanes);
          const Mask<T> first = ((value == best) | ((value != value) & best_is_nan)) & open;
          open &= ~first;
          if (!mine) continue;
          const Vec<T> part = first ? gradient : Vec<T>{};
          store_lanes(dx + at, Add ? load_lanes(dx + at, lanes) + part : part, lanes);
        }
      }
    }
  }
}

// Windows that do not overlap: each output row owns the input rows up to the next window, and writes them once.
template <class T, bool Average, bool Add>
void backward_disjoint(const PoolBackwardArgs& args) {
  const PoolShape& s = args.shape;
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  const T* dy = static_cast<const T*>(args.dy);
  const T* x = Average ? dy : static_cast<const T*>(args.x);  // average pooling reads neither x nor y
  const T* y = Average ? dy : static_cast<const T*>(args.y);
  T* dx = static_cast<T*>(args.dx);
  const int64_t rows = s.n * d.out * h.out;
  const int64_t blocks = rows < kMinTasks ? ceil_div(s.c, kChannelBlock) : 1;
  const int64_t block = blocks == 1 ? s.c : kChannelBlock;
  const int64_t work = max_of<int64_t>(1, w.in * block * min_of(h.stride, h.in) * min_of(d.stride, d.in));
  const int64_t grain = max_of<int64_t>(1, kTaskElements / work);
  // The part of an axis that output position o owns.
  const auto owned = [](const ConvAxis& a, int64_t o) {
    return Span{o == 0 ? 0 : window(a, o).begin, o + 1 == a.out ? a.in : window(a, o + 1).begin};
  };
  parallel_for(args.threads, rows * blocks, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t out = task / blocks, c0 = task % blocks * block, c1 = min_of(c0 + block, s.c);
      const int64_t oh = out % h.out, od = out / h.out % d.out, n = out / h.out / d.out;
      const Span deep = window(d, od), down = window(h, oh);
      const int64_t image = n * d.in * h.in * w.in * s.c;
      if (!Add) {
        const Span planes = owned(d, od), lines = owned(h, oh);
        for (int64_t id = planes.begin; id < planes.end; ++id) {
          for (int64_t ih = lines.begin; ih < lines.end; ++ih) {
            T* line = dx + image + ((id * h.in + ih) * w.in) * s.c;
            const bool covered = id >= deep.begin && id < deep.end && ih >= down.begin && ih < down.end;
            int64_t done = 0;
            for (int64_t ow = 0; ow <= w.out; ++ow) {
              const Span across = ow == w.out || !covered ? Span{w.in, w.in} : window(w, ow);
              for (; done < across.begin; ++done)
                for (int64_t c = c0; c < c1; c += kLanes<T>) store_lanes(line + done * s.c + c, Vec<T>{}, c1 - c);
              done = across.end;
            }
          }
        }
      }
      for (int64_t ow = 0; ow < w.out; ++ow) {
        const Span across = window(w, ow);
        const int64_t at = (out * w.out + ow) * s.c;
        for (int64_t c = c0; c < c1; c += kLanes<T>)
          spread_window<Average, Add>(s, x + image + c, y + at + c, dy + at + c, dx + image + c, deep, down, across, 0,
                                      h.in, c1 - c);
      }
    }
  });
}

// Overlapping windows: a task owns a band of input rows and goes through every window that touches it.
template <class T, bool Average>
void backward_generic(const PoolBackwardArgs& args) {
  const PoolShape& s = args.shape;
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  const T* dy = static_cast<const T*>(args.dy);
  const T* x = Average ? dy : static_cast<const T*>(args.x);  // average pooling reads neither x nor y
  const T* y = Average ? dy : static_cast<const T*>(args.y);
  T* dx = static_cast<T*>(args.dx);
  // A window that straddles two bands is gone through twice: bands are several windows high.
  const int64_t most_bands = max_of<int64_t>(1, h.in / (h.kernel < h.in ? 4 * h.kernel : h.in));
  const int64_t bands = min_of(most_bands, max_of<int64_t>(1, d.in * h.in * w.in * s.c / (2 * kTaskElements)));
  const int64_t blocks = s.n * bands < kMinTasks ? ceil_div(s.c, kChannelBlock) : 1;
  const int64_t block = blocks == 1 ? s.c : kChannelBlock;
  parallel_for(args.threads, s.n * bands * blocks, 1, [&](int64_t task, int64_t, int) {
    const int64_t c0 = task % blocks * block, c1 = min_of(c0 + block, s.c), band = task / blocks % bands;
    const int64_t n = task / blocks / bands, h0 = h.in * band / bands, h1 = h.in * (band + 1) / bands;
    const int64_t image = n * d.in * h.in * w.in * s.c;
    if (!args.accumulate) {
      for (int64_t id = 0; id < d.in; ++id)
        for (int64_t i = h0 * w.in; i < h1 * w.in; ++i)
          for (int64_t c = c0; c < c1; c += kLanes<T>)
            store_lanes(dx + image + (id * h.in * w.in + i) * s.c + c, Vec<T>{}, c1 - c);
    }
    const int64_t reach = h0 + h.pad - h.kernel + 1;  // the first window that ends inside the band
    const int64_t oh0 = reach <= 0 ? 0 : ceil_div(reach, h.stride);
    const int64_t oh1 = min_of(h.out, (h1 - 1 + h.pad) / h.stride + 1);
    for (int64_t od = 0; od < d.out; ++od) {
      for (int64_t oh = oh0; oh < oh1; ++oh) {
        const Span deep = window(d, od), down = window(h, oh);
        for (int64_t ow = 0; ow < w.out; ++ow) {
          const Span across = window(w, ow);
          const int64_t at = (((n * d.out + od) * h.out + oh) * w.out + ow) * s.c;
          for (int64_t c = c0; c < c1; c += kLanes<T>)
            spread_window<Average, true>(s, x + image + c, y + at + c, dy + at + c, dx + image + c, deep, down, across,
                                         h0, h1, c1 - c);
        }
      }
    }
  });
}

template <class T, bool Average>
void backward(const PoolBackwardArgs& args) {
  if (args.shape.x_size == 0) return;
  if (args.shape.path == PoolPath::generic || args.shape.y_size == 0) return backward_generic<T, Average>(args);
  if (args.accumulate) return backward_disjoint<T, Average, true>(args);
  backward_disjoint<T, Average, false>(args);
}

}  // namespace

void pool_forward(const PoolForwardArgs& args) {
  const bool average = args.shape.average, wide = args.shape.dtype == DType::f64;
  if (args.shape.y_size == 0) return;
  if (wide) return average ? forward<double, true>(args) : forward<double, false>(args);
  average ? forward<float, true>(args) : forward<float, false>(args);
}

void pool_backward(const PoolBackwardArgs& args) {
  const bool average = args.shape.average, wide = args.shape.dtype == DType::f64;
  if (wide) return average ? backward<double, true>(args) : backward<double, false>(args);
  average ? backward<float, true>(args) : backward<float, false>(args);
}

}  // namespace dlbd::DLBD_ISA
