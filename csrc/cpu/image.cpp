// Images sampled at transformed places.
#include "../shapes/image.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "simd.h"

namespace dlbd::DLBD_ISA {
namespace {

// Pixels that one task samples: enough to hide the cost of handing it out.
constexpr int64_t kTaskPixels = 4096;

// Coordinates farther away are led here (NaN too): their floor is an integer, and their pixel is one all the same.
constexpr double kFarthest = 1 << 30;

constexpr int64_t kNoPixel = -1;

// The pixel that stands at place i of an axis that goes on without an end.
DLBD_INLINE int64_t pixel_at(int64_t i, int64_t n, Outside outside) {
  if (i >= 0 && i < n) return i;
  if (outside == Outside::constant) return kNoPixel;
  if (outside == Outside::nearest) return i < 0 ? 0 : n - 1;
  const int64_t period = outside == Outside::wrap ? n : 2 * n, rest = i % period;
  const int64_t at = rest < 0 ? rest + period : rest;
  return at < n ? at : period - 1 - at;
}

template <class T>
DLBD_INLINE int64_t floor_of(T x) {
  const T limited = x > T(-kFarthest) ? min_of(x, T(kFarthest)) : T(-kFarthest);
  const int64_t i = static_cast<int64_t>(limited);
  return static_cast<T>(i) > limited ? i - 1 : i;
}

template <class T>
struct Image {
  int64_t height, width, channels;
  Outside outside;
  T fill;
  const T* x;

  // Null where there is only the fill value.
  DLBD_INLINE const T* pixel(int64_t h, int64_t w) const {
    return h == kNoPixel || w == kNoPixel ? nullptr : x + (h * width + w) * channels;
  }
  DLBD_INLINE T value(const T* pixel, int64_t c) const { return pixel ? pixel[c] : fill; }

  DLBD_INLINE void nearest(T down, T across, T* y) const {
    const int64_t h = pixel_at(floor_of(down + T(0.5)), height, outside);
    const int64_t w = pixel_at(floor_of(across + T(0.5)), width, outside);
    const T* from = pixel(h, w);
    for (int64_t c = 0; c < channels; ++c) y[c] = value(from, c);
  }

  DLBD_INLINE void bilinear(T down, T across, T* y) const {
    const int64_t up = floor_of(down), left = floor_of(across);
    const T v = down - static_cast<T>(up), u = across - static_cast<T>(left);
    const int64_t h0 = pixel_at(up, height, outside), h1 = pixel_at(up + 1, height, outside);
    const int64_t w0 = pixel_at(left, width, outside), w1 = pixel_at(left + 1, width, outside);
    const T *p00 = pixel(h0, w0), *p01 = pixel(h0, w1), *p10 = pixel(h1, w0), *p11 = pixel(h1, w1);
    for (int64_t c = 0; c < channels; ++c) {
      const T above = (T(1) - u) * value(p00, c) + u * value(p01, c);
      const T below = (T(1) - u) * value(p10, c) + u * value(p11, c);
      y[c] = (T(1) - v) * above + v * below;
    }
  }
};

template <class T>
void sample(const AffineSampleArgs& a) {
  const ImageShape& s = a.shape;
  const int64_t line = s.width * s.channels;
  const int64_t grain = max_of<int64_t>(1, kTaskPixels / max_of<int64_t>(1, s.width));
  parallel_for(a.threads, s.batch * s.height, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t n = row / s.height;
      const T* m = static_cast<const T*>(a.transform) + n * kTransformNumbers;
      const Image<T> image{s.height,
                           s.width,
                           s.channels,
                           a.outside,
                           static_cast<T>(a.fill_value),
                           static_cast<const T*>(a.x) + n * s.height * line};
      T* y = static_cast<T*>(a.y) + row * line;
      const T h = static_cast<T>(row % s.height);
      const bool affine = m[6] == T(0) && m[7] == T(0);
      for (int64_t i = 0; i < s.width; ++i, y += s.channels) {
        const T w = static_cast<T>(i);
        T across = m[0] * w + m[1] * h + m[2], down = m[3] * w + m[4] * h + m[5];
        if (!affine) {
          const T k = m[6] * w + m[7] * h + T(1);
          across /= k, down /= k;
        }
        if (a.interpolation == Interpolation::nearest)
          image.nearest(down, across, y);
        else
          image.bilinear(down, across, y);
      }
    }
  });
}

}  // namespace

void affine_sample(const AffineSampleArgs& a) {
  if (a.shape.dtype == DType::f64) return sample<double>(a);
  sample<float>(a);
}

}  // namespace dlbd::DLBD_ISA
