// Flat copies: fill, assign, cast.
#include <type_traits>

#include "../shapes/kernels.h"
#include "elements.h"

namespace dlbd::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kElementThreads) fill_kernel(int64_t n, T value, T* y, bool packed) {
  using Each = MoreInputs<T>;
  T v[Each::kValues];
#pragma unroll
  for (T& each : v) each = value;
  for_each_chunk<Each>(n, packed, [&](int64_t start, Each part) { part.store(y + start, v); });
}

template <class T>
__global__ void __launch_bounds__(kElementThreads)
    assign_kernel(int64_t n, const T* x, T* y, bool accumulate, bool packed) {
  using Each = OneInput<T>;
  for_each_chunk<Each>(n, packed, [&](int64_t start, Each part) {
    T v[Each::kValues];
    part.load(x + start, v);
    part.put(y + start, v, accumulate);
  });
}

// A float beyond the range of an integer type takes its nearest value, NaN takes zero.
template <class To, class From>
__device__ __forceinline__ To convert(From x) {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    constexpr int kBits = 8 * static_cast<int>(sizeof(To)) - (std::is_signed_v<To> ? 1 : 0);
    constexpr uint64_t kTop = ~uint64_t{0} >> (64 - kBits);
    constexpr From kLimit = static_cast<From>(kTop / 2 + 1) * From(2);  // 2^kBits
    if (!(x < kLimit)) return x != x ? To(0) : static_cast<To>(kTop);
    if (!(x > (std::is_signed_v<To> ? -kLimit - From(1) : From(-1)))) return static_cast<To>(~kTop);
    return static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <class From, class To>
using CastPart = OneInput<std::conditional_t<(sizeof(From) > sizeof(To)), From, To>>;

template <class From, class To, bool kTruth>
__global__ void __launch_bounds__(kElementThreads) cast_kernel(int64_t n, const From* x, To* y, bool packed) {
  using Each = CastPart<From, To>;
  for_each_chunk<Each>(n, packed, [&](int64_t start, Each part) {
    From v[Each::kValues];
    To w[Each::kValues];
    part.load(x + start, v);
#pragma unroll
    for (int k = 0; k < Each::kValues; ++k) {
      if constexpr (kTruth) {
        w[k] = static_cast<To>(v[k] != From(0));
      } else {
        w[k] = convert<To>(v[k]);
      }
    }
    part.store(y + start, w);
  });
}

template <class From, class To, bool kTruth>
void cast_between(const CastArgs& a) {
  launch(cast_kernel<From, To, kTruth>, chunks_of<CastPart<From, To>>(a.n), stream_of(a), a.n,
         static_cast<const From*>(a.x), static_cast<To*>(a.y), aligned(a.x, a.y));
}

}  // namespace

void fill(const FillArgs& a) {
  with_type(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(fill_kernel<T>, chunks_of<MoreInputs<T>>(a.n), stream_of(a), a.n, static_cast<T>(a.value),
           static_cast<T*>(a.y), aligned(a.y));
  });
}

void assign(const AssignArgs& a) {
  with_type(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(assign_kernel<T>, chunks_of<OneInput<T>>(a.n), stream_of(a), a.n, static_cast<const T*>(a.x),
           static_cast<T*>(a.y), a.accumulate, aligned(a.x, a.y));
  });
}

void cast(const CastArgs& a) {
  with_type(a.from, [&](auto from) {
    using From = decltype(from);
    if (a.to == DType::b8) return cast_between<From, uint8_t, true>(a);
    with_type(a.to, [&](auto to) { cast_between<From, decltype(to), false>(a); });
  });
}

}  // namespace dlbd::cuda
