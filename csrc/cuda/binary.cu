// Operations of two operands with broadcasting: arithmetic, its gradients, comparisons, selection. In float32 each
// arithmetic operation has a kernel of its own; for the other types one kernel chooses as it runs.
#include "../shapes/kernels.h"
#include "binary_math.h"
#include "broadcast.h"

namespace dlbd::cuda {
namespace {

constexpr BinaryOp kAny = BinaryOp::count;  // the kernel that chooses as it runs

template <BinaryOp kOp, class T>
__global__ void __launch_bounds__(kElementThreads)
    binary_kernel(Broadcast shape, BinaryOp op, const T* a, const T* b, T* y) {
  using Each = MoreInputs<T>;
  for_each_chunk<Each>(shape.total, shape.packed, [&](int64_t start, Each part) {
    T u[Each::kValues], v[Each::kValues];
    const auto offsets = find_operands<2>(shape, start, part);
    load_operand(operand_at(shape, 0, a, start), offsets.at[0], shape.runs[0], part, u);
    load_operand(operand_at(shape, 1, b, start), offsets.at[1], shape.runs[1], part, v);
#pragma unroll
    for (int k = 0; k < Each::kValues; ++k) u[k] = binary_of(kOp == kAny ? op : kOp, u[k], v[k]);
    part.store(y + start, u);
  });
}

// `side` is a constant in kernels of one operation, for what the derivative does not need is not read then.
template <BinaryOp kOp, int kSide, class T>
__global__ void __launch_bounds__(kElementThreads)
    binary_backward_kernel(Broadcast shape, BinaryOp op, int side, const T* a, const T* b, const T* dy, T* gradient,
                           bool accumulate) {
  using Each = MoreInputs<T>;
  const bool in_a = kOp == kAny ? side == 0 : kSide == 0;
  for_each_chunk<Each>(shape.total, shape.packed, [&](int64_t start, Each part) {
    T u[Each::kValues], v[Each::kValues], g[Each::kValues];
    const auto offsets = find_operands<2>(shape, start, part);
    load_operand(operand_at(shape, 0, a, start), offsets.at[0], shape.runs[0], part, u);
    load_operand(operand_at(shape, 1, b, start), offsets.at[1], shape.runs[1], part, v);
    part.load(dy + start, g);
#pragma unroll
    for (int k = 0; k < Each::kValues; ++k) {
      const BinaryOp own = kOp == kAny ? op : kOp;
      g[k] = in_a ? slope_in_a(own, u[k], v[k], g[k]) : slope_in_b(own, u[k], v[k], g[k]);
    }
    part.put(gradient + start, g, accumulate);
  });
}

// The answers to a < b, a == b, a > b, and neither (NaN), each a bit; or for the logical operations those to the four
// combinations of a != 0 and b != 0.
enum Answer : unsigned { kLess = 1, kEqual = 2, kGreater = 4, kUnordered = 8 };
enum LogicalAnswer : unsigned { kNone = 1, kOnlyB = 2, kOnlyA = 4, kBoth = 8 };

struct Comparison {
  unsigned true_for;
  bool logical;
};

Comparison comparison_of(CompareOp op) {
  switch (op) {
    case CompareOp::equal: return {kEqual, false};
    case CompareOp::not_equal: return {kLess | kGreater | kUnordered, false};
    case CompareOp::less: return {kLess, false};
    case CompareOp::less_equal: return {kLess | kEqual, false};
    case CompareOp::greater: return {kGreater, false};
    case CompareOp::greater_equal: return {kGreater | kEqual, false};
    case CompareOp::logical_and: return {kBoth, true};
    case CompareOp::logical_or: return {kOnlyA | kOnlyB | kBoth, true};
    case CompareOp::logical_xor: return {kOnlyA | kOnlyB, true};
    case CompareOp::count: break;
  }
  return {0, false};
}

template <class T>
__device__ __forceinline__ uint8_t compare(Comparison c, T a, T b) {
  const unsigned ordered = a < b ? kLess : (a == b ? kEqual : (a > b ? kGreater : kUnordered));
  const unsigned truths = a != T(0) ? (b != T(0) ? kBoth : kOnlyA) : (b != T(0) ? kOnlyB : kNone);
  return (c.true_for & (c.logical ? truths : ordered)) != 0;
}

template <class T>
__global__ void __launch_bounds__(kElementThreads)
    compare_kernel(Broadcast shape, Comparison c, const T* a, const T* b, uint8_t* y) {
  using Each = MoreInputs<T>;
  for_each_chunk<Each>(shape.total, shape.packed, [&](int64_t start, Each part) {
    T u[Each::kValues], v[Each::kValues];
    uint8_t truth[Each::kValues];
    const auto offsets = find_operands<2>(shape, start, part);
    load_operand(operand_at(shape, 0, a, start), offsets.at[0], shape.runs[0], part, u);
    load_operand(operand_at(shape, 1, b, start), offsets.at[1], shape.runs[1], part, v);
#pragma unroll
    for (int k = 0; k < Each::kValues; ++k) truth[k] = compare(c, u[k], v[k]);
    part.store(y + start, truth);
  });
}

template <class T>
__global__ void __launch_bounds__(kElementThreads)
    select_kernel(Broadcast shape, const uint8_t* condition, const T* a, const T* b, T* y, bool accumulate) {
  using Each = MoreInputs<T>;
  for_each_chunk<Each>(shape.total, shape.packed, [&](int64_t start, Each part) {
    uint8_t c[Each::kValues];
    T u[Each::kValues], v[Each::kValues];
    const auto offsets = find_operands<3>(shape, start, part);
    load_operand(operand_at(shape, 0, condition, start), offsets.at[0], shape.runs[0], part, c);
    load_operand(operand_at(shape, 1, a, start), offsets.at[1], shape.runs[1], part, u);
    load_operand(operand_at(shape, 2, b, start), offsets.at[2], shape.runs[2], part, v);
#pragma unroll
    for (int k = 0; k < Each::kValues; ++k) u[k] = c[k] ? u[k] : v[k];
    part.put(y + start, u, accumulate);
  });
}

// Calls f(broadcast, a, b, start in the result) for every slice; a and b where the slice starts.
template <class T, class F>
void for_each_broadcast(const BroadcastShape& shape, const void* a, const void* b, bool results_aligned, const F& f) {
  for_each_slice(Slice{shape, {}, 0}, [&](const Slice& s) {
    const T *u = static_cast<const T*>(a) + s.operand[0], *v = static_cast<const T*>(b) + s.operand[1];
    const int last = s.shape.ndim - 1;
    const bool packs = results_aligned && s.result * static_cast<int64_t>(sizeof(T)) % 16 == 0 &&
                       (s.shape.stride[0][last] == 0 || aligned(u)) && (s.shape.stride[1][last] == 0 || aligned(v));
    f(make_broadcast(s.shape, MoreInputs<T>::kPack, packs), u, v, s.result);
  });
}

template <BinaryOp kOp, class T>
void forward(const BinaryArgs& args) {
  for_each_broadcast<T>(args.shape, args.a, args.b, aligned(args.y),
                        [&](const Broadcast& shape, const T* a, const T* b, int64_t start) {
                          launch(binary_kernel<kOp, T>, chunks_of<MoreInputs<T>>(shape.total), stream_of(args), shape,
                                 args.op, a, b, static_cast<T*>(args.y) + start);
                        });
}

template <BinaryOp kOp, class T>
void backward(const BinaryBackwardArgs& args) {
  const auto kernel = args.side == 0 || kOp == kAny ? binary_backward_kernel<kOp, 0, T> : binary_backward_kernel < kOp,
             kOp == kAny ? 0 : 1, T > ;
  for_each_broadcast<T>(args.shape, args.a, args.b, aligned(args.dy, args.gradient),
                        [&](const Broadcast& shape, const T* a, const T* b, int64_t start) {
                          launch(kernel, chunks_of<MoreInputs<T>>(shape.total), stream_of(args), shape, args.op,
                                 args.side, a, b, static_cast<const T*>(args.dy) + start,
                                 static_cast<T*>(args.gradient) + start, args.accumulate);
                        });
}

}  // namespace

void binary_forward(const BinaryArgs& args) {
  if (args.dtype == DType::f64) return forward<kAny, double>(args);
  if (args.dtype != DType::f32)
    return with_integer(args.dtype, [&](auto zero) { forward<kAny, decltype(zero)>(args); });
  switch (args.op) {
#define DLBD_CASE(name) \
  case BinaryOp::name: return forward<BinaryOp::name, float>(args);
    DLBD_BINARY(DLBD_CASE)
#undef DLBD_CASE
    case BinaryOp::count: return;
  }
}

void binary_backward(const BinaryBackwardArgs& args) {
  if (args.dtype == DType::f64) return backward<kAny, double>(args);
  switch (args.op) {
#define DLBD_CASE(name) \
  case BinaryOp::name: return backward<BinaryOp::name, float>(args);
    DLBD_BINARY(DLBD_CASE)
#undef DLBD_CASE
    case BinaryOp::count: return;
  }
}

void compare_forward(const CompareArgs& args) {
  const Comparison c = comparison_of(args.op);
  with_type(args.dtype, [&](auto zero) {
    using T = decltype(zero);
    for_each_broadcast<T>(args.shape, args.a, args.b, aligned(args.y),
                          [&](const Broadcast& shape, const T* a, const T* b, int64_t start) {
                            launch(compare_kernel<T>, chunks_of<MoreInputs<T>>(shape.total), stream_of(args), shape, c,
                                   a, b, static_cast<uint8_t*>(args.y) + start);
                          });
  });
}

void select_forward(const SelectArgs& args) {
  with_type(args.dtype, [&](auto zero) {
    using T = decltype(zero);
    for_each_slice(Slice{args.shape, {}, 0}, [&](const Slice& s) {
      const uint8_t* condition = static_cast<const uint8_t*>(args.condition) + s.operand[0];
      const T *a = static_cast<const T*>(args.a) + s.operand[1], *b = static_cast<const T*>(args.b) + s.operand[2];
      T* y = static_cast<T*>(args.y) + s.result;
      const int last = s.shape.ndim - 1;
      const auto fits = [&](int k, const void* p) { return s.shape.stride[k][last] == 0 || aligned(p); };
      const Broadcast shape =
          make_broadcast(s.shape, MoreInputs<T>::kPack, aligned(y) && fits(0, condition) && fits(1, a) && fits(2, b));
      launch(select_kernel<T>, chunks_of<MoreInputs<T>>(shape.total), stream_of(args), shape, condition, a, b, y,
             args.accumulate);
    });
  });
}

}  // namespace dlbd::cuda
