// What the reductions do with numbers. Each has the type that it reads (In), what it makes of one number and joins in
// small trees (Part), what it carries over long distances (Carry), and what it gives (Out). Sums and products of
// float32 are carried in float64, so that the error stays under 4 eps sum|x| at any length, as in the CPU twin.
#pragma once

#include <limits>

#include "../shapes/reduce.h"
#include "block.h"

namespace dlbd::cuda {

template <class T>
struct WideOf {
  using type = T;
};
template <>
struct WideOf<float> {
  using type = double;
};

template <class T>
struct Sum {
  using In = T;
  using Part = T;
  using Carry = typename WideOf<T>::type;
  using Out = T;

  template <class V>
  __device__ __forceinline__ V identity() const {
    return V(0);
  }
  __device__ __forceinline__ T prepare(T x, T, int64_t) const { return x; }
  template <class V>
  __device__ __forceinline__ V join(V a, V b) const {
    return a + b;
  }
  __device__ __forceinline__ T finish(Carry total, double scale) const {
    return static_cast<T>(total * static_cast<Carry>(scale));
  }
};

template <class T>
struct ShiftedSquares : Sum<T> {
  __device__ __forceinline__ T prepare(T x, T shift, int64_t) const { return (x - shift) * (x - shift); }
};

template <class T>
struct ShiftedExp : Sum<T> {
  __device__ __forceinline__ T prepare(T x, T shift, int64_t) const {
    return x == shift ? T(1) : exp(x - shift);  // infinity less infinity
  }
};

// How many are equal to the shift.
template <class T>
struct Ties : Sum<T> {
  __device__ __forceinline__ T prepare(T x, T shift, int64_t) const { return x == shift ? T(1) : T(0); }
};

template <class T>
struct Prod : Sum<T> {
  template <class V>
  __device__ __forceinline__ V identity() const {
    return V(1);
  }
  template <class V>
  __device__ __forceinline__ V join(V a, V b) const {
    return a * b;
  }
};

template <class T>
struct Range {
  using Limits = std::numeric_limits<T>;
  static constexpr bool kFloat = Limits::has_infinity;
  static constexpr T kLowest = kFloat ? -Limits::infinity() : Limits::lowest();
  static constexpr T kHighest = kFloat ? Limits::infinity() : Limits::max();
};

template <class T>
__device__ __forceinline__ T worst(bool largest) {
  return largest ? Range<T>::kLowest : Range<T>::kHighest;
}

// NaN wins.
template <class T>
struct Extreme {
  using In = T;
  using Part = T;
  using Carry = T;
  using Out = T;
  bool largest;

  template <class V>
  __device__ __forceinline__ V identity() const {
    return worst<V>(largest);
  }
  __device__ __forceinline__ T prepare(T x, T, int64_t) const { return x; }
  template <class V>
  __device__ __forceinline__ V join(V a, V b) const {
    return largest ? Larger()(a, b) : Smaller()(a, b);
  }
  __device__ __forceinline__ T finish(T total, double) const { return total; }
};

template <class T>
struct Best {
  T value;
  int32_t at;
};

// The first of the best; a NaN is better than anything.
template <class T>
struct Position {
  using In = T;
  using Part = Best<T>;
  using Carry = Best<T>;
  using Out = int32_t;
  bool largest;

  template <class V>
  __device__ __forceinline__ V identity() const {
    return {worst<T>(largest), Range<int32_t>::kHighest};
  }
  __device__ __forceinline__ Best<T> prepare(T x, T, int64_t at) const { return {x, static_cast<int32_t>(at)}; }
  __device__ __forceinline__ Best<T> join(Best<T> a, Best<T> b) const {
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    const bool same = a.value == b.value || (a_nan && b_nan);
    const bool better = (b_nan && !a_nan) || (!a_nan && (largest ? b.value > a.value : b.value < a.value));
    const bool second = better || (same && b.at < a.at);
    return {second ? b.value : a.value, second ? b.at : a.at};
  }
  __device__ __forceinline__ int32_t finish(const Best<T>& best, double) const { return best.at; }
};

// Any operation but those, chosen at each number: for the dtypes that are no hot path.
template <class T>
struct AnyOp {
  using In = T;
  using Part = T;
  using Carry = T;
  using Out = T;
  ReduceOp op;

  template <class V>
  __device__ __forceinline__ V identity() const {
    if (op == ReduceOp::max || op == ReduceOp::min) return worst<T>(op == ReduceOp::max);
    return op == ReduceOp::prod ? T(1) : T(0);
  }
  __device__ __forceinline__ T prepare(T x, T shift, int64_t at) const {
    if constexpr (Range<T>::kFloat) {
      if (op == ReduceOp::shifted_squares) return ShiftedSquares<T>().prepare(x, shift, at);
      if (op == ReduceOp::shifted_exp) return ShiftedExp<T>().prepare(x, shift, at);
    }
    return x;
  }
  __device__ __forceinline__ T join(T a, T b) const {
    if (op == ReduceOp::max) return Larger()(a, b);
    if (op == ReduceOp::min) return Smaller()(a, b);
    if constexpr (Range<T>::kFloat) {
      return op == ReduceOp::prod ? a * b : a + b;
    } else {  // integers wrap
      const uint64_t u = static_cast<uint64_t>(a), v = static_cast<uint64_t>(b);
      return static_cast<T>(op == ReduceOp::prod ? u * v : u + v);
    }
  }
  __device__ __forceinline__ T finish(T total, double scale) const {
    if constexpr (Range<T>::kFloat)
      return op == ReduceOp::max || op == ReduceOp::min ? total : total * static_cast<T>(scale);
    return total;
  }
};

template <class V>
__device__ __forceinline__ V from_lane(V x, int distance) {
  return static_cast<V>(__shfl_xor_sync(kWholeWarp, x, distance));
}
template <class T>
__device__ __forceinline__ Best<T> from_lane(const Best<T>& x, int distance) {
  return {from_lane(x.value, distance), from_lane(x.at, distance)};
}

}  // namespace dlbd::cuda
