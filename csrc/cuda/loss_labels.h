// Labels of any dtype, as packs of numbers or as class numbers.
#pragma once

#include "../shapes/losses.h"
#include "rows.h"

namespace dlbd::cuda {

template <class T, class L>
__device__ __forceinline__ Pack<T> converted(const void* labels, int64_t at, const Span& s) {
  const L* p = static_cast<const L*>(labels);
  Pack<T> x;
  if constexpr (sizeof(L) == sizeof(T)) {
    const Pack<L> given = load_span(p, at, s);
#pragma unroll
    for (int i = 0; i < kLanes<T>; ++i) x.v[i] = static_cast<T>(given.v[i]);
  } else {
#pragma unroll
    for (int i = 0; i < kLanes<T>; ++i) x.v[i] = at + i >= s.begin && at + i < s.end ? static_cast<T>(p[at + i]) : T(0);
  }
  return x;
}

// Labels from `at` on, zero outside of the span.
template <class T>
__device__ __forceinline__ Pack<T> load_labels(const void* p, DType dtype, int64_t at, const Span& s) {
  switch (dtype) {
    case DType::f32: return converted<T, float>(p, at, s);
    case DType::f64: return converted<T, double>(p, at, s);
    case DType::i32: return converted<T, int32_t>(p, at, s);
    case DType::i64: return converted<T, int64_t>(p, at, s);
    case DType::u8:
    case DType::b8: return converted<T, uint8_t>(p, at, s);
  }
  return {};
}

__device__ __forceinline__ double number_at(const void* p, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::f32: return static_cast<double>(static_cast<const float*>(p)[i]);
    case DType::f64: return static_cast<const double*>(p)[i];
    case DType::i32: return static_cast<const int32_t*>(p)[i];
    case DType::i64: return static_cast<double>(static_cast<const int64_t*>(p)[i]);
    case DType::u8:
    case DType::b8: return static_cast<const uint8_t*>(p)[i];
  }
  return 0;
}

// Which of n weights or masks serves a row.
__device__ __forceinline__ int64_t serving(int64_t row, int64_t rows, int64_t n) {
  return n == rows ? row : row / (rows / n);
}

struct ClassLabel {
  int64_t index;
  double given;  // as it stood in the array, when that was a float
  bool whole;
};

__device__ __forceinline__ ClassLabel class_label(const void* labels, DType dtype, int64_t row) {
  if (dtype == DType::i64) return {static_cast<const int64_t*>(labels)[row], 0, true};
  const double x = number_at(labels, dtype, row);
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
__device__ __forceinline__ Target<T> target_of(const LossShape& s, bool binary) {
  if (s.kind == LossKind::hinge || s.kind == LossKind::squared_hinge)
    return binary ? Target<T>{T(2), T(-1)} : Target<T>{T(1), T(0)};
  const bool classes = s.kind == LossKind::softmax_cross_entropy || s.kind == LossKind::categorical_cross_entropy;
  const double share = classes ? 1.0 / static_cast<double>(s.columns) : 0.5;
  return {static_cast<T>(1 - s.smoothing), static_cast<T>(s.smoothing * share)};
}

// Labels from `at` on as the loss takes them, zero outside of the span.
template <class T>
__device__ __forceinline__ Pack<T> targets(const LossShape& s, const void* labels, Target<T> target, int64_t at,
                                           const Span& span) {
  Pack<T> t = load_labels<T>(labels, s.label_dtype, at, span);
#pragma unroll
  for (int i = 0; i < kLanes<T>; ++i) t.v[i] = t.v[i] * target.scale + target.shift;
  return keep_span(t, at, span);
}

}  // namespace dlbd::cuda
