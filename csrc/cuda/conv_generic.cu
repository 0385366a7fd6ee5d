// Convolution of every dtype and every size, one thread per result: for gradient checks, and for what does not fit the
// 32-bit positions of the fast kernels.
#include "conv_index.h"
#include "conv_paths.h"
#include "scalar_math.h"
#include "vector.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256;

// body(tap, position) for every kernel position that meets an existing partner of `at`, in the order of the kernel.
// Partner is input_at or output_at, Length the axes' sizes on the partner's side.
template <auto Partner, int64_t ConvAxis::*Length, class Body>
__device__ __forceinline__ void each_partner(const ConvShape& s, const int64_t (&at)[3], const Body& body) {
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  for (int64_t td = 0; td < d.kernel; ++td) {
    const int64_t pd = Partner(d, at[0], td);
    if (pd < 0) continue;
    for (int64_t th = 0; th < h.kernel; ++th) {
      const int64_t ph = Partner(h, at[1], th);
      if (ph < 0) continue;
      for (int64_t tw = 0; tw < w.kernel; ++tw) {
        const int64_t pw = Partner(w, at[2], tw);
        if (pw >= 0) body((td * h.kernel + th) * w.kernel + tw, (pd * h.*Length + ph) * w.*Length + pw);
      }
    }
  }
}

// The position of a pixel in its image; returns the image.
template <int64_t ConvAxis::*Length>
__device__ __forceinline__ int64_t split(const ConvShape& s, int64_t pixel, int64_t (&at)[3]) {
  for (int i = 2; i >= 0; --i) {
    at[i] = pixel % (s.axis[i].*Length);
    pixel /= s.axis[i].*Length;
  }
  return pixel;
}

template <class T>
__global__ void __launch_bounds__(kThreads) forward_kernel(ConvForwardArgs a) {
  const ConvShape& s = a.shape;
  const T *x = static_cast<const T*>(a.x), *w = static_cast<const T*>(a.w), *b = static_cast<const T*>(a.b);
  T* y = static_cast<T*>(a.y);
  const int64_t cg = s.c / s.groups, kg = s.k / s.groups, in = in_pixels(s);
  for (int64_t i = global_thread(); i < s.y_size; i += global_threads()) {
    const int64_t filter = i % s.k;
    int64_t at[3];
    const T* image = x + split<&ConvAxis::out>(s, i / s.k, at) * in * s.c + filter / kg * cg;
    T sum = T(0);
    each_partner<input_at, &ConvAxis::in>(s, at, [&](int64_t tap, int64_t position) {
      for (int64_t c = 0; c < cg; ++c) sum += image[position * s.c + c] * w[(tap * cg + c) * s.k + filter];
    });
    if (b) sum += b[filter];
    if (a.accumulate) sum += y[i];
    y[i] = activate(a.activation, sum);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) backward_data_kernel(ConvBackwardDataArgs a) {
  const ConvShape& s = a.shape;
  const T *dy = static_cast<const T*>(a.dy), *w = static_cast<const T*>(a.w), *b = static_cast<const T*>(a.b);
  T* dx = static_cast<T*>(a.dx);
  const int64_t cg = s.c / s.groups, kg = s.k / s.groups, out = out_pixels(s);
  for (int64_t i = global_thread(); i < s.x_size; i += global_threads()) {
    const int64_t channel = i % s.c, first = channel / cg * kg;
    int64_t at[3];
    const T* image = dy + split<&ConvAxis::in>(s, i / s.c, at) * out * s.k + first;
    T sum = T(0);
    each_partner<output_at, &ConvAxis::out>(s, at, [&](int64_t tap, int64_t position) {
      const T *p = image + position * s.k, *q = w + (tap * cg + channel % cg) * s.k + first;
      for (int64_t j = 0; j < kg; ++j) sum += p[j] * q[j];
    });
    if (b) sum += b[channel];
    if (a.accumulate) sum += dx[i];
    dx[i] = activate(a.activation, sum);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) backward_weights_kernel(ConvBackwardWeightsArgs a) {
  const ConvShape& s = a.shape;
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  const T *x = static_cast<const T*>(a.x), *dy = static_cast<const T*>(a.dy);
  T* dw = static_cast<T*>(a.dw);
  const int64_t cg = s.c / s.groups, kg = s.k / s.groups;
  for (int64_t i = global_thread(); i < s.w_size; i += global_threads()) {
    const int64_t filter = i % s.k, row = i / s.k, tap = row / cg;
    const int64_t channel = filter / kg * cg + row % cg;
    const int64_t tw = tap % w.kernel, th = tap / w.kernel % h.kernel, td = tap / w.kernel / h.kernel;
    T total = T(0);
    for (int64_t n = 0; n < s.n; ++n) {
      for (int64_t od = 0; od < d.out; ++od) {
        const int64_t id = input_at(d, od, td);
        if (id < 0) continue;
        for (int64_t oh = 0; oh < h.out; ++oh) {
          const int64_t ih = input_at(h, oh, th);
          if (ih < 0) continue;
          const T* from = x + ((n * d.in + id) * h.in + ih) * w.in * s.c + channel;
          const T* to = dy + ((n * d.out + od) * h.out + oh) * w.out * s.k + filter;
          T sum = T(0);  // row by row: long sums stay accurate
          for (int64_t ow = 0; ow < w.out; ++ow) {
            const int64_t iw = input_at(w, ow, tw);
            if (iw >= 0) sum += from[iw * s.c] * to[ow * s.k];
          }
          total += sum;
        }
      }
    }
    dw[i] = a.accumulate ? dw[i] + total : total;
  }
}

Grid flat(int64_t n) { return {blocks_for(ceil_div(n, kThreads)), kThreads}; }

}  // namespace

void conv_generic_forward(const ConvForwardArgs& a) {
  with_float(a.shape.dtype,
             [&](auto zero) { launch(forward_kernel<decltype(zero)>, flat(a.shape.y_size), stream_of(a), a); });
}

void conv_generic_backward_data(const ConvBackwardDataArgs& a) {
  with_float(a.shape.dtype,
             [&](auto zero) { launch(backward_data_kernel<decltype(zero)>, flat(a.shape.x_size), stream_of(a), a); });
}

void conv_generic_backward_weights(const ConvBackwardWeightsArgs& a) {
  with_float(a.shape.dtype, [&](auto zero) {
    launch(backward_weights_kernel<decltype(zero)>, flat(a.shape.w_size), stream_of(a), a);
  });
}

}  // namespace dlbd::cuda
