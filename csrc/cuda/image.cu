// Images sampled at transformed places: a thread per element.
#include "../shapes/image.h"
#include "../shapes/kernels.h"
#include "vector.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256;

// Coordinates farther away are led here (NaN too): their floor is an integer, and their pixel is one all the same.
constexpr double kFarthest = 1 << 30;

constexpr int64_t kNoPixel = -1;

// The pixel that stands at place i of an axis that goes on without an end.
__device__ __forceinline__ int64_t pixel_at(int64_t i, int64_t n, Outside outside) {
  if (i >= 0 && i < n) return i;
  if (outside == Outside::constant) return kNoPixel;
  if (outside == Outside::nearest) return i < 0 ? 0 : n - 1;
  const int64_t period = outside == Outside::wrap ? n : 2 * n, rest = i % period;
  const int64_t at = rest < 0 ? rest + period : rest;
  return at < n ? at : period - 1 - at;
}

template <class T>
__device__ __forceinline__ int64_t floor_of(T x) {
  const T limited = x > T(-kFarthest) ? (x < T(kFarthest) ? x : T(kFarthest)) : T(-kFarthest);
  const int64_t i = static_cast<int64_t>(limited);
  return static_cast<T>(i) > limited ? i - 1 : i;
}

template <class T>
struct Sampling {
  ImageShape shape;
  Outside outside;
  T fill;
  const T* x;
  const T* transform;

  __device__ __forceinline__ T value(int64_t n, int64_t h, int64_t w, int64_t c) const {
    if (h == kNoPixel || w == kNoPixel) return fill;
    return x[((n * shape.height + h) * shape.width + w) * shape.channels + c];
  }
  __device__ __forceinline__ int64_t row(int64_t h) const { return pixel_at(h, shape.height, outside); }
  __device__ __forceinline__ int64_t column(int64_t w) const { return pixel_at(w, shape.width, outside); }
};

template <class T, Interpolation kind>
__global__ void sample_kernel(Sampling<T> s, int64_t size, T* y) {
  for (int64_t i = global_thread(); i < size; i += global_threads()) {
    const int64_t pixel = i / s.shape.channels, c = i - pixel * s.shape.channels;
    const int64_t line = pixel / s.shape.width, n = line / s.shape.height;
    const T w = static_cast<T>(pixel - line * s.shape.width), h = static_cast<T>(line - n * s.shape.height);
    const T* m = s.transform + n * kTransformNumbers;
    const T k = m[6] * w + m[7] * h + T(1);
    const T across = (m[0] * w + m[1] * h + m[2]) / k, down = (m[3] * w + m[4] * h + m[5]) / k;
    if constexpr (kind == Interpolation::nearest) {
      y[i] = s.value(n, s.row(floor_of(down + T(0.5))), s.column(floor_of(across + T(0.5))), c);
    } else {
      const int64_t up = floor_of(down), left = floor_of(across);
      const T v = down - static_cast<T>(up), u = across - static_cast<T>(left);
      const int64_t h0 = s.row(up), h1 = s.row(up + 1), w0 = s.column(left), w1 = s.column(left + 1);
      const T above = (T(1) - u) * s.value(n, h0, w0, c) + u * s.value(n, h0, w1, c);
      const T below = (T(1) - u) * s.value(n, h1, w0, c) + u * s.value(n, h1, w1, c);
      y[i] = (T(1) - v) * above + v * below;
    }
  }
}

template <class T>
void sample(const AffineSampleArgs& a) {
  const ImageShape& s = a.shape;
  const int64_t size = s.batch * s.height * s.width * s.channels;
  const Sampling<T> sampling{s, a.outside, static_cast<T>(a.fill_value), static_cast<const T*>(a.x),
                             static_cast<const T*>(a.transform)};
  const Grid grid{blocks_for(ceil_div(size, kThreads)), kThreads};
  T* y = static_cast<T*>(a.y);
  if (a.interpolation == Interpolation::nearest)
    launch(sample_kernel<T, Interpolation::nearest>, grid, stream_of(a), sampling, size, y);
  else
    launch(sample_kernel<T, Interpolation::bilinear>, grid, stream_of(a), sampling, size, y);
}

}  // namespace

void affine_sample(const AffineSampleArgs& a) {
  with_float(a.shape.dtype, [&](auto zero) { sample<decltype(zero)>(a); });
}

}  // namespace dlbd::cuda
