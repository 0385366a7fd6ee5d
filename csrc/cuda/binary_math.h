// The operations of two operands and their gradients. `op` is a constant in most kernels.
#pragma once

#include <type_traits>

#include "../shapes/elementwise.h"
#include "launch.h"

namespace dlbd::cuda {

// The remainder takes the divisor's sign and a = b * floor_divide(a, b) + mod(a, b), as in Python.
template <class T>
__device__ __forceinline__ T float_mod(T a, T b) {
  const T m = fmod(a, b);
  if (m != m) return m;
  return m == T(0) ? copysign(T(0), b) : ((m < T(0)) != (b < T(0)) ? m + b : m);
}
template <class T>
__device__ __forceinline__ T float_floor_divide(T a, T b) {
  const T quotient = a / b;
  if (b == T(0)) return quotient;
  const T m = fmod(a, b);
  T q = (a - m) / b;
  if (m != T(0) && (m < T(0)) != (b < T(0))) q -= T(1);
  const T whole = floor(q);
  return q == T(0) ? copysign(T(0), quotient) : (q - whole > T(0.5) ? whole + T(1) : whole);
}

template <class T>
__device__ __forceinline__ T float_of(BinaryOp op, T a, T b) {
  switch (op) {
    case BinaryOp::add: return a + b;
    case BinaryOp::subtract: return a - b;
    case BinaryOp::multiply: return a * b;
    case BinaryOp::divide: return a / b;
    case BinaryOp::power: return pow(a, b);
    case BinaryOp::maximum: return a > b || a != a ? a : b;
    case BinaryOp::minimum: return a < b || a != a ? a : b;
    case BinaryOp::floor_divide: return float_floor_divide(a, b);
    case BinaryOp::mod: return float_mod(a, b);
    case BinaryOp::arctan2: return atan2(a, b);
    case BinaryOp::count: break;
  }
  return a;
}

// Integers wrap around; division by zero gives zero, as in NumPy.
template <class T>
__device__ __forceinline__ T integer_power(T a, T b) {
  if (std::is_signed_v<T> && !(b >= T(1) || b == T(0)))
    return a == T(1) ? T(1) : (a == static_cast<T>(-1) ? ((b & 1) ? static_cast<T>(-1) : T(1)) : T(0));
  uint64_t result = 1, base = static_cast<uint64_t>(a);
  for (uint64_t e = static_cast<uint64_t>(b); e != 0; e >>= 1) {
    if (e & 1) result *= base;
    base *= base;
  }
  return static_cast<T>(result);
}
template <class T>
__device__ __forceinline__ bool is_minus_one(T x) {
  return std::is_signed_v<T> && x == static_cast<T>(-1);
}
template <class T>
__device__ __forceinline__ bool signs_differ(T a, T b) {
  return std::is_signed_v<T> && static_cast<int64_t>(a ^ b) < 0;
}
template <class T>
__device__ __forceinline__ T integer_mod(T a, T b) {
  if (b == 0 || is_minus_one(b)) return 0;
  const T r = static_cast<T>(a % b);
  return r != 0 && signs_differ(r, b) ? static_cast<T>(r + b) : r;
}
template <class T>
__device__ __forceinline__ T integer_floor_divide(T a, T b) {
  if (b == 0) return 0;
  if (is_minus_one(b)) return static_cast<T>(uint64_t{0} - static_cast<uint64_t>(a));
  const T q = static_cast<T>(a / b);
  return static_cast<T>(a % b != 0 && signs_differ(a, b) ? q - 1 : q);
}

template <class T>
__device__ __forceinline__ T integer_of(BinaryOp op, T a, T b) {
  const uint64_t u = static_cast<uint64_t>(a), v = static_cast<uint64_t>(b);
  switch (op) {
    case BinaryOp::add: return static_cast<T>(u + v);
    case BinaryOp::subtract: return static_cast<T>(u - v);
    case BinaryOp::multiply: return static_cast<T>(u * v);
    case BinaryOp::power: return integer_power(a, b);
    case BinaryOp::maximum: return a > b ? a : b;
    case BinaryOp::minimum: return a < b ? a : b;
    case BinaryOp::floor_divide: return integer_floor_divide(a, b);
    case BinaryOp::mod: return integer_mod(a, b);
    case BinaryOp::divide:
    case BinaryOp::arctan2:  // integers become floats first
    case BinaryOp::count: break;
  }
  return 0;
}

template <class T>
__device__ __forceinline__ T binary_of(BinaryOp op, T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return float_of(op, a, b);
  } else {
    return integer_of(op, a, b);
  }
}

// dy times the partial derivative in a, in b. At a tie of maximum or minimum each operand gets half of the gradient.
template <class T>
__device__ __forceinline__ T slope_in_a(BinaryOp op, T a, T b, T dy) {
  switch (op) {
    case BinaryOp::add:
    case BinaryOp::subtract:
    case BinaryOp::mod: return dy;
    case BinaryOp::multiply: return dy * b;
    case BinaryOp::divide: return dy / b;
    case BinaryOp::power: return b == T(0) ? T(0) : dy * b * pow(a, b - T(1));
    case BinaryOp::maximum: return a > b ? dy : (a == b ? dy * T(0.5) : T(0));
    case BinaryOp::minimum: return a < b ? dy : (a == b ? dy * T(0.5) : T(0));
    case BinaryOp::arctan2: return dy * b / (a * a + b * b);
    case BinaryOp::floor_divide:
    case BinaryOp::count: break;
  }
  return T(0);
}
template <class T>
__device__ __forceinline__ T slope_in_b(BinaryOp op, T a, T b, T dy) {
  switch (op) {
    case BinaryOp::add: return dy;
    case BinaryOp::subtract: return -dy;
    case BinaryOp::multiply: return dy * a;
    case BinaryOp::divide: return -dy * (a / b) / b;
    case BinaryOp::power: return a == T(0) ? T(0) : dy * pow(a, b) * log(a);
    case BinaryOp::maximum: return b > a ? dy : (a == b ? dy * T(0.5) : T(0));
    case BinaryOp::minimum: return b < a ? dy : (a == b ? dy * T(0.5) : T(0));
    case BinaryOp::mod: return -dy * floor(a / b);
    case BinaryOp::arctan2: return -dy * a / (a * a + b * b);
    case BinaryOp::floor_divide:
    case BinaryOp::count: break;
  }
  return T(0);
}

}  // namespace dlbd::cuda
