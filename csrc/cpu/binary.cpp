// Operations of two operands with broadcasting: arithmetic, its gradients, comparisons, selection.
#include <type_traits>

#include "../shapes/kernels.h"
#include "broadcast.h"
#include "vector_math.h"

namespace dlbd::DLBD_ISA {
namespace {

// Every arithmetic operation on vectors of floats, with its two partial derivatives, and on single integers.
// Integers wrap around; division of an integer by zero gives zero, as in NumPy.

struct Add {
  template <class T>
  static DLBD_INLINE Vec<T> of(Vec<T> a, Vec<T> b) {
    return a + b;
  }
  template <class T>
  static DLBD_INLINE Vec<T> da(Vec<T>, Vec<T>, Vec<T> dy) {
    return dy;
  }
  template <class T>
  static DLBD_INLINE Vec<T> db(Vec<T>, Vec<T>, Vec<T> dy) {
    return dy;
  }
  template <class T>
  static DLBD_INLINE T integer(T a, T b) {
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  }
};

struct Subtract {
  template <class T>
  static DLBD_INLINE Vec<T> of(Vec<T> a, Vec<T> b) {
    return a - b;
  }
  template <class T>
  static DLBD_INLINE Vec<T> da(Vec<T>, Vec<T>, Vec<T> dy) {
    return dy;
  }
  template <class T>
  static DLBD_INLINE Vec<T> db(Vec<T>, Vec<T>, Vec<T> dy) {
    return -dy;
  }
  template <class T>
  static DLBD_INLINE T integer(T a, T b) {
    return static_cast<T>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
  }
};

struct Multiply {
  template <class T>
  static DLBD_INLINE Vec<T> of(Vec<T> a, Vec<T> b) {
    return a * b;
  }
  template <class T>
  static DLBD_INLINE Vec<T> da(Vec<T>, Vec<T> b, Vec<T> dy) {
    return dy * b;
  }
  template <class T>
  static DLBD_INLINE Vec<T> db(Vec<T> a, Vec<T>, Vec<T> dy) {
    return dy * a;
  }
  template <class T>
  static DLBD_INLINE T integer(T a, T b) {
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
};

struct Divide {
  template <class T>
  static DLBD_INLINE Vec<T> of(Vec<T> a, Vec<T> b) {
    return a / b;
  }
  template <class T>
  static DLBD_INLINE Vec<T> da(Vec<T>, Vec<T> b, Vec<T> dy) {
    return dy / b;
  }
  template <class T>
  static DLBD_INLINE Vec<T> db(Vec<T> a, Vec<T> b, Vec<T> dy) {
    return -dy * (a / b) / b;
  }
  template <class T>
  static DLBD_INLINE T integer(T, T) {
    return T(0);  // integers are divided as floats
  }
};

struct Power {
  template <class T>
  static DLBD_INLINE Vec<T> of(Vec<T> a, Vec<T> b) {
    return pow(a, b);
  }
  template <class T>
  static DLBD_INLINE Vec<T> da(Vec<T> a, Vec<T> b, Vec<T> dy) {
    return b == T(0) ? Vec<T>{} : dy * b * pow(a, b - T(1));
  }
  template <class T>
  static DLBD_INLINE Vec<T> db(Vec<T> a, Vec<T> b, Vec<T> dy) {
    return a == T(0) ? Vec<T>{} : dy * pow(a, b) * log(a);
  }
  template <class T>
  static DLBD_INLINE T integer(T a, T b) {
    if (b < 0) return a == T(1) ? T(1) : (a == T(-1) ? ((b & 1) ? T(-1) : T(1)) : T(0));
    uint64_t result = 1, base = static_cast<uint64_t>(a);
    for (uint64_t e = static_cast<uint64_t>(b); e != 0; e >>= 1) {
      if (e & 1) result *= base;
      base *= base;
    }
    return static_cast<T>(result);
  }
};

// At a tie each operand gets half of the gradient.
struct Maximum {
  template <class T>
  static DLBD_INLINE Vec<T> of(Vec<T> a, Vec<T> b) {
    return vmax<T>(a, b);
  }
  template <class T>
  static DLBD_INLINE Vec<T> da(Vec<T> a, Vec<T> b, Vec<T> dy) {
    return a > b ? dy : (a == b ? dy * T(0.5) : Vec<T>{});
  }
  template <class T>
  static DLBD_INLINE Vec<T> db(Vec<T> a, Vec<T> b, Vec<T> dy) {
    return da<T>(b, a, dy);
  }
  template <class T>
  static DLBD_INLINE T integer(T a, T b) {
    return a > b ? a : b;
  }
};

struct Minimum {
  template <class T>
  static DLBD_INLINE Vec<T> of(Vec<T> a, Vec<T> b) {
    return vmin<T>(a, b);
  }
  template <class T>
  static DLBD_INLINE Vec<T> da(Vec<T> a, Vec<T> b, Vec<T> dy) {
    return a < b ? dy : (a == b ? dy * T(0.5) : Vec<T>{});
  }
  template <class T>
  static DLBD_INLINE Vec<T> db(Vec<T> a, Vec<T> b, Vec<T> dy) {
    return da<T>(b, a, dy);
  }
  template <class T>
  static DLBD_INLINE T integer(T a, T b) {
    return a < b ? a : b;
  }
};

// The remainder takes the divisor's sign and a = b * floor_divide(a, b) + mod(a, b), as in Python.
struct Mod {
  template <class T>
  static DLBD_INLINE Vec<T> of(Vec<T> a, Vec<T> b) {
    Vec<T> r;
    for (int i = 0; i < kLanes<T>; ++i) {
      const T m = static_cast<T>(__builtin_fmod(a[i], b[i]));  // exact, so computing it in double changes nothing
      r[i] = m != T(0) ? ((m < T(0)) != (b[i] < T(0)) ? m + b[i] : m) : (m != m ? m : __builtin_copysign(T(0), b[i]));
    }
    return r;
  }
  template <class T>
  static DLBD_INLINE Vec<T> da(Vec<T>, Vec<T>, Vec<T> dy) {
    return dy;
  }
  template <class T>
  static DLBD_INLINE Vec<T> db(Vec<T> a, Vec<T> b, Vec<T> dy) {
    return -dy * floor<T>(a / b);
  }
  template <class T>
  static DLBD_INLINE T integer(T a, T b) {
    if (b == 0 || (std::is_signed_v<T> && b == static_cast<T>(-1))) return 0;
    const T r = static_cast<T>(a % b);
    return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
  }
};

struct FloorDivide {
  template <class T>
  static DLBD_INLINE Vec<T> of(Vec<T> a, Vec<T> b) {
    Vec<T> quotient = a / b;
    for (int i = 0; i < kLanes<T>; ++i) {
      if (b[i] == T(0)) continue;
      const T m = static_cast<T>(__builtin_fmod(a[i], b[i]));
      T q = (a[i] - m) / b[i];
      if (m != T(0) && (m < T(0)) != (b[i] < T(0))) q -= T(1);
      const T whole = static_cast<T>(__builtin_floor(q));
      quotient[i] = q == T(0) ? __builtin_copysign(T(0), quotient[i]) : (q - whole > T(0.5) ? whole + T(1) : whole);
    }
    return quotient;
  }
  template <class T>
  static DLBD_INLINE Vec<T> da(Vec<T>, Vec<T>, Vec<T>) {
    return Vec<T>{};
  }
  template <class T>
  static DLBD_INLINE Vec<T> db(Vec<T>, Vec<T>, Vec<T>) {
    return Vec<T>{};
  }
  template <class T>
  static DLBD_INLINE T integer(T a, T b) {
    if (b == 0) return 0;
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return Subtract::integer<T>(0, a);
    const T q = static_cast<T>(a / b);
    return static_cast<T>(a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q);
  }
};

struct Arctan2 {
  template <class T>
  static DLBD_INLINE Vec<T> of(Vec<T> a, Vec<T> b) {
    for (int i = 0; i < kLanes<T>; ++i) a[i] = static_cast<T>(__builtin_atan2(a[i], b[i]));
    return a;
  }
  template <class T>
  static DLBD_INLINE Vec<T> da(Vec<T> a, Vec<T> b, Vec<T> dy) {
    return dy * b / (a * a + b * b);
  }
  template <class T>
  static DLBD_INLINE Vec<T> db(Vec<T> a, Vec<T> b, Vec<T> dy) {
    return -dy * a / (a * a + b * b);
  }
  template <class T>
  static DLBD_INLINE T integer(T, T) {
    return T(0);
  }
};

// Reads an operand of a run: along it, or its single value.
template <class T>
struct Operand {
  const T* p;
  bool runs;
  Vec<T> value;
  DLBD_INLINE Operand(const T* start, int64_t stride) : p(start), runs(stride != 0), value(splat<T>(*start)) {}
};

// A switch over who runs, outside the loop. body(i, lanes, a, b), lanes == kLanes in the main loop.
template <class T, class Body>
DLBD_INLINE void for_each_vector(int64_t n, const T* a, int64_t a_stride, const T* b, int64_t b_stride,
                                 const Body& body) {
  constexpr int L = kLanes<T>;
  const Operand<T> left(a, a_stride), right(b, b_stride);
  int64_t i = 0;
  if (left.runs && right.runs) {
#pragma GCC unroll 2
    for (; i + L <= n; i += L) body(i, L, load(a + i), load(b + i));
    if (i < n) body(i, n - i, load_n(a + i, n - i), load_n(b + i, n - i, T(1)));
  } else if (left.runs) {
#pragma GCC unroll 2
    for (; i + L <= n; i += L) body(i, L, load(a + i), right.value);
    if (i < n) body(i, n - i, load_n(a + i, n - i), right.value);
  } else if (right.runs) {
#pragma GCC unroll 2
    for (; i + L <= n; i += L) body(i, L, left.value, load(b + i));
    if (i < n) body(i, n - i, left.value, load_n(b + i, n - i, T(1)));
  } else {
    for (; i < n; i += L) body(i, min_of<int64_t>(L, n - i), left.value, right.value);
  }
}

template <class T>
DLBD_INLINE void put(T* y, Vec<T> v, int64_t lanes) {
  if (lanes == kLanes<T>) {
    store(y, v);
  } else {
    store_n(y, v, lanes);
  }
}

// Rows shorter than a few vectors beside one row, or one value per row: a tile of the second operand is laid out once
// (or per block), so that whole vectors run over many rows. body(u, v, at, n), all contiguous; false if it does not
// fit.
template <class T, class Body>
bool over_short_rows(int threads, const BroadcastShape& s, const T* a, const T* b, const Body& body) {
  constexpr int64_t kTile = 512;
  if (s.ndim != 2 || s.total == 0 || s.size[1] > 4 * kLanes<T> || s.size[0] < 16) return false;
  const int64_t n = s.size[1];
  const int whole = s.stride[0][0] == n && s.stride[0][1] == 1 ? 0 : 1;  // the operand of the full shape
  const int64_t *own = s.stride[whole], *other = s.stride[1 - whole];
  const bool row = other[0] == 0 && other[1] == 1, column = other[0] == 1 && other[1] == 0;
  if (own[0] != n || own[1] != 1 || !(row || column)) return false;
  const T *full = whole == 0 ? a : b, *small = whole == 0 ? b : a;
  const int64_t tile_rows = kTile / n, grain = round_up(max_of<int64_t>(1, kElementGrain / n), tile_rows);
  parallel_for(threads, s.size[0], grain, [&](int64_t begin, int64_t end, int) {
    T tile[kTile];
    for (int64_t first = begin; first < end; first += tile_rows) {
      const int64_t rows = min_of(tile_rows, end - first);
      if (column || first == begin)
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < n; ++j) tile[i * n + j] = column ? small[first + i] : small[j];
      const T* from = full + first * n;
      whole == 0 ? body(from, tile, first * n, rows * n) : body(tile, from, first * n, rows * n);
    }
  });
  return true;
}

template <class T, class Op>
void binary_floats(const BinaryArgs& args) {
  const T *a = static_cast<const T*>(args.a), *b = static_cast<const T*>(args.b);
  T* y = static_cast<T*>(args.y);
  const BroadcastShape& s = args.shape;
  const int64_t sa = s.stride[0][s.ndim - 1], sb = s.stride[1][s.ndim - 1];
  const auto run = [&](const T* u, int64_t su, const T* v, int64_t sv, int64_t out, int64_t n) {
    T* to = y + out;
    for_each_vector<T>(
        n, u, su, v, sv, [&](int64_t i, int64_t lanes, Vec<T> p, Vec<T> q) __attribute__((always_inline)) {
          put<T>(to + i, Op::template of<T>(p, q), lanes);
        });
  };
  const auto block = [&](const T* u, const T* v, int64_t out, int64_t n) { run(u, 1, v, 1, out, n); };
  if (over_short_rows<T>(args.threads, s, a, b, block)) return;
  for_each_row(args.threads, s,
               [&](const int64_t* at, int64_t out, int64_t n) { run(a + at[0], sa, b + at[1], sb, out, n); });
}

template <class T, class Op>
void binary_integers(const BinaryArgs& args) {
  const T *a = static_cast<const T*>(args.a), *b = static_cast<const T*>(args.b);
  T* y = static_cast<T*>(args.y);
  const BroadcastShape& s = args.shape;
  const int64_t sa = s.stride[0][s.ndim - 1], sb = s.stride[1][s.ndim - 1];
  for_each_row(args.threads, s, [&](const int64_t* at, int64_t out, int64_t n) {
    const T *u = a + at[0], *v = b + at[1];
    T* to = y + out;
    if (sa == 1 && sb == 1) {
      for (int64_t i = 0; i < n; ++i) to[i] = Op::template integer<T>(u[i], v[i]);
    } else {
      for (int64_t i = 0; i < n; ++i) to[i] = Op::template integer<T>(u[i * sa], v[i * sb]);
    }
  });
}

template <class Op>
void binary_as(const BinaryArgs& args) {
  switch (args.dtype) {
    case DType::f32: return binary_floats<float, Op>(args);
    case DType::f64: return binary_floats<double, Op>(args);
    case DType::i32: return binary_integers<int32_t, Op>(args);
    case DType::i64: return binary_integers<int64_t, Op>(args);
    case DType::u8:
    case DType::b8: return binary_integers<uint8_t, Op>(args);
  }
}

template <class T, class Op, bool Left, bool Accumulate>
void binary_gradient(const BinaryBackwardArgs& args) {
  const T *a = static_cast<const T*>(args.a), *b = static_cast<const T*>(args.b);
  const T* dy = static_cast<const T*>(args.dy);
  T* gradient = static_cast<T*>(args.gradient);
  const BroadcastShape& s = args.shape;
  const int64_t sa = s.stride[0][s.ndim - 1], sb = s.stride[1][s.ndim - 1];
  const auto run = [&](const T* u, int64_t su, const T* v, int64_t sv, int64_t out, int64_t n) {
    const T* from = dy + out;
    T* to = gradient + out;
    for_each_vector<T>(
        n, u, su, v, sv, [&](int64_t i, int64_t lanes, Vec<T> p, Vec<T> q) __attribute__((always_inline)) {
          const bool whole = lanes == kLanes<T>;
          const Vec<T> w = whole ? load(from + i) : load_n(from + i, lanes);
          Vec<T> g = Left ? Op::template da<T>(p, q, w) : Op::template db<T>(p, q, w);
          if (Accumulate) g += whole ? load(to + i) : load_n(to + i, lanes);
          put<T>(to + i, g, lanes);
        });
  };
  const auto block = [&](const T* u, const T* v, int64_t out, int64_t n) { run(u, 1, v, 1, out, n); };
  if (over_short_rows<T>(args.threads, s, a, b, block)) return;
  for_each_row(args.threads, s,
               [&](const int64_t* at, int64_t out, int64_t n) { run(a + at[0], sa, b + at[1], sb, out, n); });
}

template <class T, class Op>
void binary_backward_as(const BinaryBackwardArgs& args) {
  if (args.side == 0) {
    if (args.accumulate) return binary_gradient<T, Op, true, true>(args);
    return binary_gradient<T, Op, true, false>(args);
  }
  if (args.accumulate) return binary_gradient<T, Op, false, true>(args);
  return binary_gradient<T, Op, false, false>(args);
}

template <class T>
struct Comparison {
  static bool equal(T a, T b) { return a == b; }
  static bool not_equal(T a, T b) { return a != b; }
  static bool less(T a, T b) { return a < b; }
  static bool less_equal(T a, T b) { return a <= b; }
  static bool greater(T a, T b) { return a > b; }
  static bool greater_equal(T a, T b) { return a >= b; }
  static bool logical_and(T a, T b) { return (a != 0) & (b != 0); }
  static bool logical_or(T a, T b) { return (a != 0) | (b != 0); }
  static bool logical_xor(T a, T b) { return (a != 0) != (b != 0); }
};

template <class T, bool (*F)(T, T)>
void compare_with(const CompareArgs& args) {
  const T *a = static_cast<const T*>(args.a), *b = static_cast<const T*>(args.b);
  uint8_t* y = static_cast<uint8_t*>(args.y);
  const BroadcastShape& s = args.shape;
  const int64_t sa = s.stride[0][s.ndim - 1], sb = s.stride[1][s.ndim - 1];
  for_each_row(args.threads, s, [&](const int64_t* at, int64_t out, int64_t n) {
    const T *u = a + at[0], *v = b + at[1];
    uint8_t* to = y + out;
    if (sa == 1 && sb == 1) {
      for (int64_t i = 0; i < n; ++i) to[i] = F(u[i], v[i]);
    } else if (sa == 1) {
      const T value = *v;
      for (int64_t i = 0; i < n; ++i) to[i] = F(u[i], value);
    } else {
      for (int64_t i = 0; i < n; ++i) to[i] = F(u[i * sa], v[i * sb]);
    }
  });
}

template <class T>
void compare_as(const CompareArgs& args) {
  switch (args.op) {
// clang-format off
#define DLBD_CASE(name) \
  case CompareOp::name: return compare_with<T, Comparison<T>::name>(args);
    // clang-format on
    DLBD_COMPARE(DLBD_CASE)
#undef DLBD_CASE
    case CompareOp::count: return;
  }
}

template <class T, bool Accumulate>
void select_as(const SelectArgs& args) {
  const uint8_t* c = static_cast<const uint8_t*>(args.condition);
  const T *a = static_cast<const T*>(args.a), *b = static_cast<const T*>(args.b);
  T* y = static_cast<T*>(args.y);
  const BroadcastShape& s = args.shape;
  const int last = s.ndim - 1;
  const int64_t sc = s.stride[0][last], sa = s.stride[1][last], sb = s.stride[2][last];
  for_each_row(args.threads, s, [&](const int64_t* at, int64_t out, int64_t n) {
    const uint8_t* m = c + at[0];
    const T *u = a + at[1], *v = b + at[2];
    T* to = y + out;
    const auto set = [&](int64_t i, T chosen) { to[i] = Accumulate ? static_cast<T>(to[i] + chosen) : chosen; };
    if (sc == 1 && sa == 1 && sb == 1) {
      for (int64_t i = 0; i < n; ++i) set(i, m[i] ? u[i] : v[i]);
    } else if (sc == 1 && sa == 1) {
      const T other = *v;
      for (int64_t i = 0; i < n; ++i) set(i, m[i] ? u[i] : other);
    } else if (sc == 1 && sb == 1) {
      const T one = *u;
      for (int64_t i = 0; i < n; ++i) set(i, m[i] ? one : v[i]);
    } else {
      for (int64_t i = 0; i < n; ++i) set(i, m[i * sc] ? u[i * sa] : v[i * sb]);
    }
  });
}

}  // namespace

// clang-format off
#define DLBD_OPERATIONS(X) \
  X(add, Add) \
  X(subtract, Subtract) \
  X(multiply, Multiply) \
  X(divide, Divide) \
  X(power, Power) X(maximum, Maximum) X(minimum, Minimum) X(floor_divide, FloorDivide) X(mod, Mod) X(arctan2, Arctan2)
// clang-format on

void binary_forward(const BinaryArgs& args) {
  switch (args.op) {
// clang-format off
#define DLBD_CASE(name, Op) \
  case BinaryOp::name: return binary_as<Op>(args);
    // clang-format on
    DLBD_OPERATIONS(DLBD_CASE)
#undef DLBD_CASE
    case BinaryOp::count: return;
  }
}

void binary_backward(const BinaryBackwardArgs& args) {
  switch (args.op) {
// clang-format off
#define DLBD_CASE(name, Op) \
  case BinaryOp::name: \
    return args.dtype == DType::f32 ? binary_backward_as<float, Op>(args) : binary_backward_as<double, Op>(args);
    // clang-format on
    DLBD_OPERATIONS(DLBD_CASE)
#undef DLBD_CASE
    case BinaryOp::count: return;
  }
}

void compare_forward(const CompareArgs& args) {
  switch (args.dtype) {
    case DType::f32: return compare_as<float>(args);
    case DType::f64: return compare_as<double>(args);
    case DType::i32: return compare_as<int32_t>(args);
    case DType::i64: return compare_as<int64_t>(args);
    case DType::u8:
    case DType::b8: return compare_as<uint8_t>(args);
  }
}

void select_forward(const SelectArgs& args) {
  switch (args.dtype) {
    case DType::f32: return args.accumulate ? select_as<float, true>(args) : select_as<float, false>(args);
    case DType::f64: return args.accumulate ? select_as<double, true>(args) : select_as<double, false>(args);
    case DType::i32: return select_as<int32_t, false>(args);
    case DType::i64: return select_as<int64_t, false>(args);
    case DType::u8:
    case DType::b8: return select_as<uint8_t, false>(args);
  }
}

}  // namespace dlbd::DLBD_ISA
