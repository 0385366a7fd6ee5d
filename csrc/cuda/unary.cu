// Operations of one operand and their gradients. Each has a kernel of its own in float32; in float64 and for integers
// one kernel chooses as it runs.
#include <limits>
#include <type_traits>

#include "../shapes/kernels.h"
#include "elements.h"
#include "unary_math.h"

namespace dlbd::cuda {
namespace {

constexpr UnaryOp kAny = UnaryOp::count;  // the kernel that chooses as it runs

// The kernel of all operations takes one pack: it holds the code of each for every element.
template <UnaryOp kOp, class T>
using UnaryPart = std::conditional_t<kOp == kAny, MoreInputs<T>, OneInput<T>>;

template <UnaryOp kOp, class T>
__global__ void __launch_bounds__(kElementThreads) unary_kernel(UnaryArgs args, bool packed) {
  using Each = UnaryPart<kOp, T>;
  const T *x = static_cast<const T*>(args.x), a = static_cast<T>(args.alpha), b = static_cast<T>(args.beta);
  T* y = static_cast<T*>(args.y);
  for_each_chunk<Each>(args.n, packed, [&](int64_t start, Each part) {
    T v[Each::kValues];
    part.load(x + start, v);
#pragma unroll
    for (T& each : v) each = unary_of(kOp == kAny ? args.op : kOp, each, a, b);
    part.store(y + start, v);
  });
}

template <UnaryOp kOp, class T>
__global__ void __launch_bounds__(kElementThreads) unary_backward_kernel(UnaryBackwardArgs args, bool packed) {
  using Each = MoreInputs<T>;
  const T *saved = static_cast<const T*>(args.saved), *dy = static_cast<const T*>(args.dy);
  const T a = static_cast<T>(args.alpha), b = static_cast<T>(args.beta);
  T* dx = static_cast<T*>(args.dx);
  for_each_chunk<Each>(args.n, packed, [&](int64_t start, Each part) {
    T v[Each::kValues], g[Each::kValues];
    part.load(saved + start, v);
    part.load(dy + start, g);
#pragma unroll
    for (int k = 0; k < Each::kValues; ++k) g[k] = unary_slope(kOp == kAny ? args.op : kOp, v[k], g[k], a, b);
    part.put(dx + start, g, args.accumulate);
  });
}

// Integers know only these; they wrap around.
template <class T>
__device__ __forceinline__ T integer_of(UnaryOp op, T x, T low, T high) {
  const uint64_t wide = static_cast<uint64_t>(x);
  switch (op) {
    case UnaryOp::negative: return static_cast<T>(uint64_t{0} - wide);
    case UnaryOp::abs: return static_cast<T>(x > 0 ? wide : uint64_t{0} - wide);
    case UnaryOp::square: return static_cast<T>(wide * wide);
    case UnaryOp::sign: return static_cast<T>(x > 0 ? 1 : (x == 0 ? 0 : -1));
    case UnaryOp::clip: return clip(x, low, high);
    case UnaryOp::relu: return x > 0 ? x : T(0);
    default: return x;  // floor, ceil, round
  }
}

template <class T>
__global__ void __launch_bounds__(kElementThreads)
    integer_kernel(UnaryOp op, int64_t n, const T* x, T* y, T low, T high, bool packed) {
  using Each = OneInput<T>;
  for_each_chunk<Each>(n, packed, [&](int64_t start, Each part) {
    T v[Each::kValues];
    part.load(x + start, v);
#pragma unroll
    for (T& each : v) each = integer_of(op, each, low, high);
    part.store(y + start, v);
  });
}

template <class T>
T within(double limit) {
  constexpr T kHighest = std::numeric_limits<T>::max(), kLowest = std::numeric_limits<T>::min();
  if (limit >= static_cast<double>(kHighest)) return kHighest;
  return limit <= static_cast<double>(kLowest) ? kLowest : static_cast<T>(limit);
}

template <class T>
__device__ __forceinline__ bool predicate_of(PredicateOp op, T x) {
  switch (op) {
    case PredicateOp::isnan: return x != x;
    case PredicateOp::isinf: return x == x && x - x != x - x;
    case PredicateOp::isfinite: return x - x == x - x;
    case PredicateOp::logical_not: return x == T(0);
    case PredicateOp::count: break;
  }
  return false;
}

template <class T>
__global__ void __launch_bounds__(kElementThreads)
    predicate_kernel(PredicateOp op, int64_t n, const T* x, uint8_t* y, bool packed) {
  using Each = OneInput<T>;
  for_each_chunk<Each>(n, packed, [&](int64_t start, Each part) {
    T v[Each::kValues];
    uint8_t truth[Each::kValues];
    part.load(x + start, v);
#pragma unroll
    for (int k = 0; k < Each::kValues; ++k) truth[k] = predicate_of(op, v[k]);
    part.store(y + start, truth);
  });
}

template <UnaryOp kOp, class T>
void forward(const UnaryArgs& args) {
  launch(unary_kernel<kOp, T>, chunks_of<UnaryPart<kOp, T>>(args.n), stream_of(args), args, aligned(args.x, args.y));
}

template <class T>
void forward_integers(const UnaryArgs& args, T) {
  launch(integer_kernel<T>, chunks_of<OneInput<T>>(args.n), stream_of(args), args.op, args.n,
         static_cast<const T*>(args.x), static_cast<T*>(args.y), within<T>(args.alpha), within<T>(args.beta),
         aligned(args.x, args.y));
}

template <UnaryOp kOp, class T>
void backward(const UnaryBackwardArgs& args) {
  launch(unary_backward_kernel<kOp, T>, chunks_of<MoreInputs<T>>(args.n), stream_of(args), args,
         aligned(args.saved, args.dy, args.dx));
}

}  // namespace

void unary_forward(const UnaryArgs& args) {
  if (args.dtype == DType::f64) return forward<kAny, double>(args);
  if (args.dtype != DType::f32) return with_integer(args.dtype, [&](auto zero) { forward_integers(args, zero); });
  switch (args.op) {
#define DLBD_CASE(name, saved) \
  case UnaryOp::name: return forward<UnaryOp::name, float>(args);
    DLBD_UNARY(DLBD_CASE)
#undef DLBD_CASE
    case UnaryOp::count: return;
  }
}

void unary_backward(const UnaryBackwardArgs& args) {
  if (args.dtype == DType::f64) return backward<kAny, double>(args);
  switch (args.op) {
#define DLBD_CASE(name, saved) \
  case UnaryOp::name: return backward<UnaryOp::name, float>(args);
    DLBD_UNARY(DLBD_CASE)
#undef DLBD_CASE
    case UnaryOp::count: return;
  }
}

void predicate_forward(const PredicateArgs& args) {
  with_type(args.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(predicate_kernel<T>, chunks_of<OneInput<T>>(args.n), stream_of(args), args.op, args.n,
           static_cast<const T*>(args.x), static_cast<uint8_t*>(args.y), aligned(args.x, args.y));
  });
}

}  // namespace dlbd::cuda
