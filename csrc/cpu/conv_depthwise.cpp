// Convolution in which every channel is a group of its own: vectors of channels, a run of output pixels in registers.
#include "conv_pack.h"
#include "conv_paths.h"
#include "rows.h"

namespace dlbd::DLBD_ISA {
namespace {

using T = float;

// Pixels of a run: that many sums hide the latency of a multiply-add.
constexpr int kRun = 8;
// Rows of output pixels (weights: ranges of them) handed out at once; partial sums of the weights.
constexpr int64_t kTaskElements = 16384;
constexpr int64_t kRanges = 16;

struct Span {
  int64_t begin, end;
};

// Output positions that meet an existing input position at kernel position t.
DLBD_INLINE Span meeting(const ConvAxis& a, int64_t t) {
  const int64_t shift = a.pad - t * a.dilation;
  const int64_t first = shift <= 0 ? 0 : ceil_div(shift, a.stride);
  const int64_t last = a.in - 1 + shift < 0 ? 0 : (a.in - 1 + shift) / a.stride + 1;
  return {first, min_of(last, a.out)};
}

// A row of output pixels, and the rows of the kernel that meet one of x: body(row of x, row of the kernel).
template <class Body>
DLBD_INLINE void each_line(const ConvShape& s, int64_t n, int64_t od, int64_t oh, const Body& body) {
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  for (int64_t td = 0; td < d.kernel; ++td) {
    const int64_t id = od * d.stride + td * d.dilation - d.pad;
    if (id < 0 || id >= d.in) continue;
    for (int64_t th = 0; th < h.kernel; ++th) {
      const int64_t ih = oh * h.stride + th * h.dilation - h.pad;
      if (ih < 0 || ih >= h.in) continue;
      body(((n * d.in + id) * h.in + ih) * w.in * s.c, (td * h.kernel + th) * w.kernel * s.c);
    }
  }
}

DLBD_INLINE int64_t row_grain(const ConvShape& s) {
  return max_of<int64_t>(1, kTaskElements / max_of<int64_t>(1, s.axis[2].out * s.c));
}

}  // namespace

int64_t conv_depthwise_forward_scratch(const ConvForwardArgs&) { return 0; }

void conv_depthwise_forward(const ConvForwardArgs& args) {
  const ConvShape& s = args.shape;
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  const T *x = static_cast<const T*>(args.x), *weights = static_cast<const T*>(args.w);
  const T* bias = static_cast<const T*>(args.b);
  T* y = static_cast<T*>(args.y);
  // Pixels in the middle of a row meet every column of the kernel: no checks there.
  const Span first = meeting(w, 0), last = meeting(w, w.kernel - 1);
  parallel_for(args.threads, s.n * d.out * h.out, row_grain(s), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t oh = row % h.out, od = row / h.out % d.out, n = row / h.out / d.out;
      for (int64_t c = 0; c < s.c; c += kLanes<T>) {
        const int64_t lanes = min_of<int64_t>(kLanes<T>, s.c - c);
        const Vec<T> start = bias ? load_part(bias + c, lanes) : Vec<T>{};
        T* to = y + row * w.out * s.c + c;
        const auto finish_pixel = [&](int64_t ow, Vec<T> sum) {
          if (args.accumulate) sum += load_part(to + ow * s.c, lanes);
          store_part<T>(to + ow * s.c, activate<T>(args.activation, sum), lanes);
        };
        for (int64_t ow = 0; ow < w.out;) {
          if (ow >= first.begin && ow + kRun <= last.end && lanes == kLanes<T>) {
            Vec<T> sum[kRun];
#pragma GCC unroll 8
            for (int i = 0; i < kRun; ++i) sum[i] = start;
            each_line(s, n, od, oh, [&](int64_t line, int64_t kernel_row) {
              for (int64_t tw = 0; tw < w.kernel; ++tw) {
                const Vec<T> weight = load(weights + kernel_row + tw * s.c + c);
                const T* from = x + line + (ow * w.stride + tw * w.dilation - w.pad) * s.c + c;
#pragma GCC unroll 8
                for (int i = 0; i < kRun; ++i) sum[i] += load(from + i * w.stride * s.c) * weight;
              }
            });
#pragma GCC unroll 8
            for (int i = 0; i < kRun; ++i) finish_pixel(ow + i, sum[i]);
            ow += kRun;
            continue;
          }
          Vec<T> sum = start;
          each_line(s, n, od, oh, [&](int64_t line, int64_t kernel_row) {
            for (int64_t tw = 0; tw < w.kernel; ++tw) {
              const int64_t iw = ow * w.stride + tw * w.dilation - w.pad;
              if (iw < 0 || iw >= w.in) continue;
              sum += load_part(x + line + iw * s.c + c, lanes) * load_part(weights + kernel_row + tw * s.c + c, lanes);
            }
          });
          finish_pixel(ow, sum);
          ++ow;
        }
      }
    }
  });
}

int64_t conv_depthwise_backward_data_scratch(const ConvBackwardDataArgs&) { return 0; }

// Row by row of dx: each meets some rows of the kernel and of dy.
void conv_depthwise_backward_data(const ConvBackwardDataArgs& args) {
  const ConvShape& s = args.shape;
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  const T *dy = static_cast<const T*>(args.dy), *weights = static_cast<const T*>(args.w);
  const T* bias = static_cast<const T*>(args.b);
  T* dx = static_cast<T*>(args.dx);
  parallel_for(args.threads, s.n * d.in * h.in, row_grain(s), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t ih = row % h.in, id = row / h.in % d.in, n = row / h.in / d.in;
      T* line = dx + row * w.in * s.c;
      if (!args.accumulate) zero_run(line, w.in * s.c);
      for (int64_t td = 0; td < d.kernel; ++td) {
        const int64_t deep = id + d.pad - td * d.dilation;
        if (deep < 0 || deep % d.stride != 0 || deep / d.stride >= d.out) continue;
        for (int64_t th = 0; th < h.kernel; ++th) {
          const int64_t down = ih + h.pad - th * h.dilation;
          if (down < 0 || down % h.stride != 0 || down / h.stride >= h.out) continue;
          const T* from = dy + ((n * d.out + deep / d.stride) * h.out + down / h.stride) * w.out * s.c;
          for (int64_t tw = 0; tw < w.kernel; ++tw) {
            const T* weight = weights + ((td * h.kernel + th) * w.kernel + tw) * s.c;
            const Span across = meeting(w, tw);
            for (int64_t c = 0; c < s.c; c += kLanes<T>) {
              const int64_t lanes = min_of<int64_t>(kLanes<T>, s.c - c);
              const Vec<T> factor = load_part(weight + c, lanes);
              for (int64_t ow = across.begin; ow < across.end; ++ow) {
                T* to = line + (ow * w.stride + tw * w.dilation - w.pad) * s.c + c;
                store_part<T>(to, load_part(to, lanes) + load_part(from + ow * s.c + c, lanes) * factor, lanes);
              }
            }
          }
        }
      }
      if (!bias && args.activation.kind == Activation::linear) continue;
      for (int64_t iw = 0; iw < w.in; ++iw) {
        for (int64_t c = 0; c < s.c; c += kLanes<T>) {
          const int64_t lanes = min_of<int64_t>(kLanes<T>, s.c - c);
          Vec<T> value = load_part(line + iw * s.c + c, lanes);
          if (bias) value += load_part(bias + c, lanes);
          store_part<T>(line + iw * s.c + c, activate<T>(args.activation, value), lanes);
        }
      }
    }
  });
}

int64_t conv_depthwise_backward_weights_scratch(const ConvBackwardWeightsArgs& args) {
  return kRanges * round_up(args.shape.w_size, 16) * static_cast<int64_t>(sizeof(T));
}

void conv_depthwise_backward_weights(const ConvBackwardWeightsArgs& args) {
  const ConvShape& s = args.shape;
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  const T *x = static_cast<const T*>(args.x), *dy = static_cast<const T*>(args.dy);
  T* partial = static_cast<T*>(args.scratch);
  const int64_t rows = s.n * d.out * h.out, ranges = min_of(kRanges, rows), size = round_up(s.w_size, 16);
  parallel_for(args.threads, ranges, 1, [&](int64_t range, int64_t, int) {
    T* to = partial + range * size;
    zero_run(to, size);
    for (int64_t row = part_begin(rows, ranges, range); row < part_begin(rows, ranges, range + 1); ++row) {
      const int64_t oh = row % h.out, od = row / h.out % d.out, n = row / h.out / d.out;
      const T* gradient = dy + row * w.out * s.c;
      each_line(s, n, od, oh, [&](int64_t line, int64_t kernel_row) {
        for (int64_t tw = 0; tw < w.kernel; ++tw) {
          const Span across = meeting(w, tw);
          for (int64_t c = 0; c < s.c; c += kLanes<T>) {
            const int64_t lanes = min_of<int64_t>(kLanes<T>, s.c - c);
            Vec<T> sum{};
            for (int64_t ow = across.begin; ow < across.end; ++ow) {
              const T* from = x + line + (ow * w.stride + tw * w.dilation - w.pad) * s.c + c;
              sum += load_part(from, lanes) * load_part(gradient + ow * s.c + c, lanes);
            }
            T* total = to + kernel_row + tw * s.c + c;
            store_part<T>(total, load_part(total, lanes) + sum, lanes);
          }
        }
      });
    }
  });
  sum_partials(args.threads, partial, ranges, size, s.w_size, static_cast<T*>(args.dw), args.accumulate);
}

}  // namespace dlbd::DLBD_ISA
