// Flat copies: fill, assign, cast.
#include "../shapes/elementwise.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "simd.h"

namespace dlbd::DLBD_ISA {
namespace {

// Elements per chunk: large enough to hide the cost of handing a chunk out, small enough to stay in L2.
constexpr int64_t kGrain = 16384;

template <class T>
void fill_as(const FillArgs& a) {
  T* y = static_cast<T*>(a.y);
  const T value = static_cast<T>(a.value);
  parallel_for(a.threads, a.n, kGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) y[i] = value;
  });
}

template <class T>
void assign_as(const AssignArgs& a) {
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(a.y);
  parallel_for(a.threads, a.n, kGrain, [&](int64_t begin, int64_t end, int) {
    if (a.accumulate) {
      for (int64_t i = begin; i < end; ++i) y[i] = static_cast<T>(y[i] + x[i]);
    } else {
      __builtin_memcpy(y + begin, x + begin, static_cast<size_t>(end - begin) * sizeof(T));
    }
  });
}

// Largest and least value of an integer type that a double (or float) may be truncated to.
template <class To, class From>
DLBD_INLINE To convert(From x) {
  if constexpr (static_cast<From>(0.5) != From(0) && static_cast<To>(0.5) == To(0)) {
    constexpr int kBits = 8 * static_cast<int>(sizeof(To)) - (To(-1) < To(0) ? 1 : 0);
    constexpr uint64_t kTop = ~uint64_t{0} >> (64 - kBits);
    const From limit = static_cast<From>(kTop / 2 + 1) * From(2);  // 2^kBits
    if (!(x < limit)) return x != x ? To(0) : static_cast<To>(kTop);
    if (!(x > (To(-1) < To(0) ? -limit - From(1) : From(-1)))) return static_cast<To>(~kTop);
    return static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

// float to int32: the least float that is too large, and NaN, are replaced after the conversion.
DLBD_INLINE Vec<int32_t> convert(Vec<float> x) {
  constexpr float kTooLarge = 2147483648.0f;
  const Vec<float> raised = x < -kTooLarge ? splat(-kTooLarge) : x;
  const Vec<int32_t> y = __builtin_convertvector(raised < kTooLarge ? raised : Vec<float>{}, Vec<int32_t>);
  return x >= kTooLarge ? Vec<int32_t>{} + 2147483647 : y;
}

template <class From, class To, bool Truth>
void cast_between(const CastArgs& a) {
  const From* x = static_cast<const From*>(a.x);
  To* y = static_cast<To*>(a.y);
  parallel_for(a.threads, a.n, kGrain, [&](int64_t begin, int64_t end, int) {
    int64_t i = begin;
    if constexpr (static_cast<From>(0.5) != From(0) && sizeof(From) == 4 && static_cast<To>(0.5) == To(0) &&
                  sizeof(To) == 4)
      for (; i + kLanes<float> <= end; i += kLanes<float>) store(y + i, convert(load(x + i)));
    for (; i < end; ++i) {
      if constexpr (Truth) {
        y[i] = static_cast<To>(x[i] != From(0));
      } else {
        y[i] = convert<To>(x[i]);
      }
    }
  });
}

template <class From>
void cast_from(const CastArgs& a) {
  switch (a.to) {
    case DType::f32: return cast_between<From, float, false>(a);
    case DType::f64: return cast_between<From, double, false>(a);
    case DType::i32: return cast_between<From, int32_t, false>(a);
    case DType::i64: return cast_between<From, int64_t, false>(a);
    case DType::u8: return cast_between<From, uint8_t, false>(a);
    case DType::b8: return cast_between<From, uint8_t, true>(a);
  }
}

}  // namespace

void cast(const CastArgs& a) {
  switch (a.from) {
    case DType::f32: return cast_from<float>(a);
    case DType::f64: return cast_from<double>(a);
    case DType::i32: return cast_from<int32_t>(a);
    case DType::i64: return cast_from<int64_t>(a);
    case DType::u8:
    case DType::b8: return cast_from<uint8_t>(a);
  }
}

void fill(const FillArgs& a) {
  switch (a.dtype) {
    case DType::f32: return fill_as<float>(a);
    case DType::f64: return fill_as<double>(a);
    case DType::i32: return fill_as<int32_t>(a);
    case DType::i64: return fill_as<int64_t>(a);
    case DType::u8:
    case DType::b8: return fill_as<uint8_t>(a);
  }
}

void assign(const AssignArgs& a) {
  switch (a.dtype) {
    case DType::f32: return assign_as<float>(a);
    case DType::f64: return assign_as<double>(a);
    case DType::i32: return assign_as<int32_t>(a);
    case DType::i64: return assign_as<int64_t>(a);
    case DType::u8:
    case DType::b8: return assign_as<uint8_t>(a);
  }
}

}  // namespace dlbd::DLBD_ISA
