// Labels of any dtype, as vectors or as class numbers.
#pragma once

#include "../shapes/losses.h"
#include "simd.h"

namespace dlbd::DLBD_ISA {

template <class T, class L>
DLBD_INLINE Vec<T> converted(const void* p, int64_t at, int64_t n) {
  const L* x = static_cast<const L*>(p) + at;
  Vec<T> v{};
  for (int64_t i = 0; i < n; ++i) v[i] = static_cast<T>(x[i]);
  return v;
}

// Labels at [at, at + n), zero in the other lanes.
template <class T>
DLBD_INLINE Vec<T> load_labels(const void* p, DType dtype, int64_t at, int64_t n) {
  switch (dtype) {
    case DType::f32:
      if constexpr (sizeof(T) == 4) return load_n(static_cast<const T*>(p) + at, n);
      return converted<T, float>(p, at, n);
    case DType::f64:
      if constexpr (sizeof(T) == 8) return load_n(static_cast<const T*>(p) + at, n);
      return converted<T, double>(p, at, n);
    case DType::i32: return converted<T, int32_t>(p, at, n);
    case DType::i64: return converted<T, int64_t>(p, at, n);
    case DType::u8:
    case DType::b8: return converted<T, uint8_t>(p, at, n);
  }
  return Vec<T>{};
}

struct ClassLabel {
  int64_t index;
  double given;  // as it stood in the array, when that was a float
  bool whole;
};

DLBD_INLINE ClassLabel class_label(const void* labels, DType dtype, int64_t row) {
  switch (dtype) {
    case DType::i32: return {static_cast<const int32_t*>(labels)[row], 0, true};
    case DType::i64: return {static_cast<const int64_t*>(labels)[row], 0, true};
    case DType::u8:
    case DType::b8: return {static_cast<const uint8_t*>(labels)[row], 0, true};
    case DType::f32:
    case DType::f64: break;
  }
  const double x = dtype == DType::f32 ? static_cast<double>(static_cast<const float*>(labels)[row])
                                       : static_cast<const double*>(labels)[row];
  if (!(x > -9.0e18 && x < 9.0e18)) return {-1, x, false};
  const int64_t index = static_cast<int64_t>(x);
  return {index, x, static_cast<double>(index) == x};
}

// How labels are changed on their way in: smoothed, or 0 and 1 to -1 and 1.
template <class T>
struct Target {
  T scale, shift;
};

template <class T>
DLBD_INLINE Target<T> target_of(const LossShape& s, bool binary) {
  if (s.kind == LossKind::hinge || s.kind == LossKind::squared_hinge)
    return binary ? Target<T>{T(2), T(-1)} : Target<T>{T(1), T(0)};
  const bool classes = s.kind == LossKind::softmax_cross_entropy || s.kind == LossKind::categorical_cross_entropy;
  const double share = classes ? 1.0 / static_cast<double>(s.columns) : 0.5;
  return {static_cast<T>(1 - s.smoothing), static_cast<T>(s.smoothing * share)};
}

// Labels at [at, at + lanes) as the loss takes them.
template <class T>
DLBD_INLINE Vec<T> targets(const LossShape& s, const void* labels, Target<T> target, int64_t at, int64_t lanes) {
  return load_labels<T>(labels, s.label_dtype, at, lanes) * target.scale + target.shift;
}

}  // namespace dlbd::DLBD_ISA
