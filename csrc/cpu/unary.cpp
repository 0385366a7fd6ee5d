// Operations of one operand and their gradients.
#include "../shapes/kernels.h"
#include "broadcast.h"
#include "inverse_math.h"

namespace dlbd::DLBD_ISA {
namespace {

// One struct per operation. `of` is the function; `slope` is dy times its derivative, from what DLBD_UNARY says was
// saved: the input or the output. a and b are the operation's parameters alpha and beta.
#define DLBD_OF(name, formula)                         \
  struct name##_of {                                   \
    template <class T>                                 \
    static DLBD_INLINE Vec<T> of(Vec<T> x, T a, T b) { \
      (void)a, (void)b;                                \
      formula                                          \
    }                                                  \
  };
#define DLBD_SLOPE(name, formula)                                 \
  struct name##_slope {                                           \
    template <class T>                                            \
    static DLBD_INLINE Vec<T> of(Vec<T> v, Vec<T> dy, T a, T b) { \
      (void)v, (void)a, (void)b;                                  \
      formula                                                     \
    }                                                             \
  };

constexpr double kSeluScale = 1.0507009873554805, kSeluAlpha = 1.6732632423543772;  // Klambauer et al. 2017
constexpr double kInverseSqrtTwoPi = 0.39894228040143268;
constexpr double kSqrtTwoOverPi = 0.79788456080286536, kGeluCubic = 0.044715;  // Hendrycks and Gimpel 2016
constexpr double kTwoOverSqrtPi = 1.1283791670955126, kHalfSqrtPi = 0.88622692545275801;

DLBD_OF(negative, { return -x; })
DLBD_SLOPE(negative, { return -dy; })
DLBD_OF(abs, { return vabs<T>(x); })
DLBD_SLOPE(abs, { return v > T(0) ? dy : (v < T(0) ? -dy : Vec<T>{}); })
DLBD_OF(square, { return x * x; })
DLBD_SLOPE(square, { return dy * (v + v); })
DLBD_OF(sqrt, { return sqrt(x); })
DLBD_SLOPE(sqrt, { return dy * T(0.5) / v; })
DLBD_OF(rsqrt, { return rsqrt<T>(x); })
DLBD_SLOPE(rsqrt, { return dy * T(-0.5) * v * v * v; })
DLBD_OF(reciprocal, { return T(1) / x; })
DLBD_SLOPE(reciprocal, { return -dy * v * v; })
DLBD_OF(exp, { return exp(x); })
DLBD_SLOPE(exp, { return dy * v; })
DLBD_OF(expm1, { return expm1(x); })
DLBD_SLOPE(expm1, { return dy * (v + T(1)); })
DLBD_OF(log, { return log(x); })
DLBD_SLOPE(log, { return dy / v; })
DLBD_OF(log1p, { return log1p(x); })
DLBD_SLOPE(log1p, { return dy / (v + T(1)); })
DLBD_OF(sin, { return sin(x); })
DLBD_SLOPE(sin, { return dy * cos(v); })
DLBD_OF(cos, { return cos(x); })
DLBD_SLOPE(cos, { return -dy * sin(v); })
DLBD_OF(erf, { return erf(x); })
DLBD_SLOPE(erf, { return dy * T(kTwoOverSqrtPi) * exp(-v * v); })
DLBD_OF(sign, { return x > T(0) ? splat(T(1)) : (x < T(0) ? splat(T(-1)) : x); })  // NaN and zeros stay
DLBD_SLOPE(sign, { return dy - dy; })
DLBD_OF(floor, { return floor<T>(x); })
DLBD_SLOPE(floor, { return dy - dy; })
DLBD_OF(ceil, { return ceil<T>(x); })
DLBD_SLOPE(ceil, { return dy - dy; })
DLBD_OF(round, { return round<T>(x); })
DLBD_SLOPE(round, { return dy - dy; })
DLBD_OF(clip, { return at_most(b, at_least(a, x)); })
DLBD_SLOPE(clip, { return (v < a) | (v > b) ? Vec<T>{} : dy; })

DLBD_OF(relu, { return x < T(0) ? Vec<T>{} : x; })
DLBD_SLOPE(relu, { return v > T(0) ? dy : Vec<T>{}; })
DLBD_OF(leaky_relu, { return x < T(0) ? x * a : x; })
DLBD_SLOPE(leaky_relu, { return v < T(0) ? dy * a : dy; })
DLBD_OF(relu6, {
  const Vec<T> raised = x < T(0) ? Vec<T>{} : x;
  return raised > T(6) ? splat(T(6)) : raised;
})
DLBD_SLOPE(relu6, { return (v > T(0)) & (v < T(6)) ? dy : Vec<T>{}; })
DLBD_OF(threshold, { return (x > a) | (x != x) ? x : splat(b); })
DLBD_SLOPE(threshold, { return v > a ? dy : Vec<T>{}; })
DLBD_OF(sigmoid, { return sigmoid<T>(x); })
DLBD_SLOPE(sigmoid, { return dy * v * (T(1) - v); })
DLBD_OF(tanh, { return tanh(x); })
DLBD_SLOPE(tanh, { return dy * (T(1) - v * v); })
DLBD_OF(gelu, { return (x < T(0) ? Vec<T>{} : x) - vabs<T>(x) * normal_tail(x).probability; })
DLBD_SLOPE(gelu, {
  const auto tail = normal_tail(v);
  const Vec<T> probability = v < T(0) ? tail.probability : T(1) - tail.probability;
  return dy * (probability + v * T(kInverseSqrtTwoPi) * tail.bell);
})
DLBD_OF(gelu_tanh, { return T(0.5) * x * (T(1) + tanh((x + T(kGeluCubic) * x * x * x) * T(kSqrtTwoOverPi))); })
DLBD_SLOPE(gelu_tanh, {
  const Vec<T> t = tanh((v + T(kGeluCubic) * v * v * v) * T(kSqrtTwoOverPi));
  const Vec<T> inner = T(kSqrtTwoOverPi) * (T(1) + T(3 * kGeluCubic) * v * v);
  return dy * T(0.5) * (T(1) + t + v * (T(1) - t * t) * inner);
})
DLBD_OF(silu, { return x * sigmoid<T>(x); })
DLBD_SLOPE(silu, {
  const Vec<T> s = sigmoid<T>(v);
  return dy * s * (T(1) + v * (T(1) - s));
})
DLBD_OF(elu, { return x < T(0) ? expm1(x) * a : x; })
DLBD_SLOPE(elu, { return v < T(0) ? dy * a * exp(v) : dy; })
DLBD_OF(celu, { return x < T(0) ? expm1(x / a) * a : x; })
DLBD_SLOPE(celu, { return v < T(0) ? dy * exp(v / a) : dy; })
DLBD_OF(selu, { return x < T(0) ? expm1(x) * T(kSeluScale * kSeluAlpha) : x * T(kSeluScale); })
DLBD_SLOPE(selu, { return v < T(0) ? dy * (v + T(kSeluScale * kSeluAlpha)) : dy * T(kSeluScale); })
DLBD_OF(softplus, { return softplus<T>(x); })
DLBD_SLOPE(softplus, { return -dy * expm1(-v); })
DLBD_OF(softsign, { return x / (T(1) + vabs<T>(x)); })
DLBD_SLOPE(softsign, {
  const Vec<T> d = T(1) + vabs<T>(v);
  return dy / (d * d);
})
DLBD_OF(hard_sigmoid, { return relu6_of::of<T>(x + T(3), a, b) * T(1.0 / 6); })
DLBD_SLOPE(hard_sigmoid, { return (v > T(0)) & (v < T(1)) ? dy * T(1.0 / 6) : Vec<T>{}; })
DLBD_OF(hard_silu, { return x * (relu6_of::of<T>(x + T(3), a, b) * T(1.0 / 6)); })
DLBD_SLOPE(hard_silu, { return v <= T(-3) ? Vec<T>{} : (v >= T(3) ? dy : dy * (v * T(1.0 / 3) + T(0.5))); })
DLBD_OF(hard_tanh, { return clip_of::of<T>(x, T(-1), T(1)); })
DLBD_SLOPE(hard_tanh, { return clip_slope::of<T>(v, dy, T(-1), T(1)); })
DLBD_OF(hard_shrink, { return vabs<T>(x) <= a ? Vec<T>{} : x; })
DLBD_SLOPE(hard_shrink, { return vabs<T>(v) <= a ? Vec<T>{} : dy; })
DLBD_OF(soft_shrink, { return vabs<T>(x) <= a ? Vec<T>{} : x - copysign<T>(splat(a), x); })
DLBD_SLOPE(soft_shrink, { return vabs<T>(v) <= a ? Vec<T>{} : dy; })
DLBD_OF(tanh_shrink, { return x - tanh(x); })
DLBD_SLOPE(tanh_shrink, {
  const Vec<T> t = tanh(v);
  return dy * t * t;
})
DLBD_OF(log_sigmoid, { return -softplus<T>(-x); })
DLBD_SLOPE(log_sigmoid, { return dy * sigmoid<T>(-v); })
DLBD_OF(mish, { return x * tanh(softplus<T>(x)); })
DLBD_SLOPE(mish, {
  const Vec<T> t = tanh(softplus<T>(v));
  return dy * (t + v * (T(1) - t * t) * sigmoid<T>(v));
})

DLBD_OF(arcsin, { return arcsin(x); })
DLBD_SLOPE(arcsin, { return dy * rsqrt<T>((T(1) - v) * (T(1) + v)); })
DLBD_OF(arccos, { return arccos(x); })
DLBD_SLOPE(arccos, { return -dy * rsqrt<T>((T(1) - v) * (T(1) + v)); })
DLBD_OF(arctan, { return arctan(x); })
DLBD_SLOPE(arctan, { return dy / (T(1) + v * v); })
DLBD_OF(arcsinh, { return arcsinh(x); })
DLBD_SLOPE(arcsinh, { return dy * rsqrt<T>(T(1) + v * v); })
DLBD_OF(arccosh, { return arccosh(x); })
DLBD_SLOPE(arccosh, { return dy * rsqrt<T>((v - T(1)) * (v + T(1))); })
DLBD_OF(arctanh, { return arctanh(x); })
DLBD_SLOPE(arctanh, { return dy / ((T(1) - v) * (T(1) + v)); })
DLBD_OF(cbrt, { return cbrt(x); })
DLBD_SLOPE(cbrt, { return dy / (T(3) * v * v); })
DLBD_OF(erfinv, { return erfinv(x); })
DLBD_SLOPE(erfinv, { return dy * T(kHalfSqrtPi) * exp(v * v); })

template <class T, class Op>
void unary_floats(const UnaryArgs& args) {
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  parallel_for(args.threads, args.n, kElementGrain, [&](int64_t begin, int64_t end, int) {
    constexpr int L = kLanes<T>;
    const T a = static_cast<T>(args.alpha), b = static_cast<T>(args.beta);  // in here no store can change them
    int64_t i = begin;
#pragma GCC unroll 2
    for (; i + L <= end; i += L) store(y + i, Op::template of<T>(load(x + i), a, b));
    if (i < end) store_n(y + i, Op::template of<T>(load_n(x + i, end - i), a, b), end - i);
  });
}

template <class T, class Op, bool Accumulate>
void unary_gradient(const UnaryBackwardArgs& args) {
  const T *saved = static_cast<const T*>(args.saved), *dy = static_cast<const T*>(args.dy);
  T* dx = static_cast<T*>(args.dx);
  parallel_for(args.threads, args.n, kElementGrain, [&](int64_t begin, int64_t end, int) {
    constexpr int L = kLanes<T>;
    const T a = static_cast<T>(args.alpha), b = static_cast<T>(args.beta);
    int64_t i = begin;
#pragma GCC unroll 2
    for (; i + L <= end; i += L) {
      Vec<T> g = Op::template of<T>(load(saved + i), load(dy + i), a, b);
      if (Accumulate) g += load(dx + i);
      store(dx + i, g);
    }
    if (i < end) {
      const int64_t n = end - i;
      Vec<T> g = Op::template of<T>(load_n(saved + i, n), load_n(dy + i, n), a, b);
      if (Accumulate) g += load_n(dx + i, n);
      store_n(dx + i, g, n);
    }
  });
}

template <class T>
void unary_as(const UnaryArgs& args) {
  switch (args.op) {
#define DLBD_CASE(name, saved) \
  case UnaryOp::name: return unary_floats<T, name##_of>(args);
    DLBD_UNARY(DLBD_CASE)
#undef DLBD_CASE
    case UnaryOp::count: return;
  }
}

// Integers know only these; they wrap around.
template <class T>
void unary_integers(const UnaryArgs& args) {
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  constexpr T kHighest = static_cast<T>(~uint64_t{0} >> (64 - 8 * sizeof(T) + (T(-1) < T(0) ? 1 : 0)));
  constexpr T kLowest = static_cast<T>(~kHighest);
  const auto limit = [](double v) {
    if (v >= static_cast<double>(kHighest)) return kHighest;
    return v <= static_cast<double>(kLowest) ? kLowest : static_cast<T>(v);
  };
  const T low = limit(args.alpha), high = limit(args.beta);
  const auto each = [&](auto f) {
    parallel_for(args.threads, args.n, kElementGrain, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) y[i] = static_cast<T>(f(x[i]));
    });
  };
  switch (args.op) {
    case UnaryOp::negative: return each([](T v) { return uint64_t{0} - static_cast<uint64_t>(v); });
    case UnaryOp::abs:
      return each([](T v) { return v < 0 ? uint64_t{0} - static_cast<uint64_t>(v) : static_cast<uint64_t>(v); });
    case UnaryOp::square: return each([](T v) { return static_cast<uint64_t>(v) * static_cast<uint64_t>(v); });
    case UnaryOp::sign: return each([](T v) { return (v > 0) - (v < 0); });
    case UnaryOp::clip:
      return each([=](T v) {
        const T raised = v < low ? low : v;
        return raised > high ? high : raised;
      });
    case UnaryOp::relu: return each([](T v) { return v < 0 ? T(0) : v; });
    default: return each([](T v) { return v; });  // floor, ceil, round
  }
}

template <class T>
void unary_backward_as(const UnaryBackwardArgs& args) {
  switch (args.op) {
#define DLBD_CASE(name, saved) \
  case UnaryOp::name:          \
    return args.accumulate ? unary_gradient<T, name##_slope, true>(args) : unary_gradient<T, name##_slope, false>(args);
    DLBD_UNARY(DLBD_CASE)
#undef DLBD_CASE
    case UnaryOp::count: return;
  }
}

template <class T>
void predicate_as(const PredicateArgs& args) {
  const T* x = static_cast<const T*>(args.x);
  uint8_t* y = static_cast<uint8_t*>(args.y);
  const auto each = [&](auto f) {
    parallel_for(args.threads, args.n, kElementGrain, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) y[i] = f(x[i]);
    });
  };
  switch (args.op) {
    case PredicateOp::isnan: return each([](T v) { return v != v; });
    case PredicateOp::isinf: return each([](T v) { return v == v && v - v != v - v; });
    case PredicateOp::isfinite: return each([](T v) { return v - v == v - v; });
    case PredicateOp::logical_not: return each([](T v) { return v == T(0); });
    case PredicateOp::count: return;
  }
}

}  // namespace

void unary_forward(const UnaryArgs& args) {
  switch (args.dtype) {
    case DType::f32: return unary_as<float>(args);
    case DType::f64: return unary_as<double>(args);
    case DType::i32: return unary_integers<int32_t>(args);
    case DType::i64: return unary_integers<int64_t>(args);
    case DType::u8:
    case DType::b8: return unary_integers<uint8_t>(args);
  }
}

void unary_backward(const UnaryBackwardArgs& args) {
  args.dtype == DType::f32 ? unary_backward_as<float>(args) : unary_backward_as<double>(args);
}

void predicate_forward(const PredicateArgs& args) {
  switch (args.dtype) {
    case DType::f32: return predicate_as<float>(args);
    case DType::f64: return predicate_as<double>(args);
    case DType::i32: return predicate_as<int32_t>(args);
    case DType::i64: return predicate_as<int64_t>(args);
    case DType::u8:
    case DType::b8: return predicate_as<uint8_t>(args);
  }
}

}  // namespace dlbd::DLBD_ISA
