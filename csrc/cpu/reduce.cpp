// Reductions over (outer, n, inner). Float sums and products are added up in small trees of float32 and carried in
// float64, so that the error stays under 4 eps sum|x| at any length. Every split depends on the sizes alone.
#include "../shapes/reduce.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "vector_math.h"

namespace dlbd::DLBD_ISA {
namespace {

constexpr int64_t kColumns = 2048;   // columns per chunk: their accumulators stay in L1 and L2
constexpr int64_t kChunk = 32768;    // elements per chunk
constexpr int64_t kTree = 8;         // vectors that are added in float32 before they are carried over
constexpr int64_t kLongRow = 65536;  // a longer row is split into chunks

// How an operation treats a vector (`prepare`), joins two of them (`join`), and what it starts from.
struct Sum {
  template <class T>
  static DLBD_INLINE Vec<T> prepare(Vec<T> x, Vec<T>) {
    return x;
  }
  template <class V>
  static DLBD_INLINE V join(V a, V b) {
    return a + b;
  }
  template <class T>
  static DLBD_INLINE T identity() {
    return T(0);
  }
  static constexpr bool kWide = true;  // float32 is carried in float64
};

struct ShiftedSquares : Sum {
  template <class T>
  static DLBD_INLINE Vec<T> prepare(Vec<T> x, Vec<T> shift) {
    const Vec<T> d = x - shift;
    return d * d;
  }
};

struct ShiftedExp : Sum {
  template <class T>
  static DLBD_INLINE Vec<T> prepare(Vec<T> x, Vec<T> shift) {
    return x == shift ? splat(T(1)) : exp(x - shift);  // infinity less infinity
  }
};

struct Prod : Sum {
  template <class V>
  static DLBD_INLINE V join(V a, V b) {
    return a * b;
  }
  template <class T>
  static DLBD_INLINE T identity() {
    return T(1);
  }
};

struct Max : Sum {
  template <class V>
  static DLBD_INLINE V join(V a, V b) {
    return (a > b) | (a != a) ? a : b;
  }
  template <class T>
  static DLBD_INLINE T identity() {
    return static_cast<T>(-__builtin_inf());
  }
  static constexpr bool kWide = false;
};

struct Min : Max {
  template <class V>
  static DLBD_INLINE V join(V a, V b) {
    return (a < b) | (a != a) ? a : b;
  }
  template <class T>
  static DLBD_INLINE T identity() {
    return static_cast<T>(__builtin_inf());
  }
};

template <bool Wide, class T>
struct CarryOf {
  using type = T;
};
template <>
struct CarryOf<true, float> {
  using type = double;
};
template <class Op, class T>
using Carry = typename CarryOf<Op::kWide, T>::type;

typedef float HalfVector __attribute__((vector_size(kVectorBytes / 2)));

// One accumulator per lane, in the carried type: one vector of it, or two when it is wider than T.
template <class Op, class T>
struct Accumulators {
  static constexpr int kParts = static_cast<int>(sizeof(Carry<Op, T>) / sizeof(T));
  Vec<Carry<Op, T>> part[kParts];

  DLBD_INLINE void clear() {
    for (int i = 0; i < kParts; ++i) part[i] = splat(Op::template identity<Carry<Op, T>>());
  }
  DLBD_INLINE void add(Vec<T> v) {
    if constexpr (kParts == 1) {
      part[0] = Op::join(part[0], v);
    } else {
      HalfVector halves[2];
      __builtin_memcpy(halves, &v, sizeof(v));
      for (int i = 0; i < 2; ++i) part[i] = Op::join(part[i], __builtin_convertvector(halves[i], Vec<double>));
    }
  }
  DLBD_INLINE void load_from(const Carry<Op, T>* p) {
    for (int i = 0; i < kParts; ++i) part[i] = load(p + i * kLanes<Carry<Op, T>>);
  }
  DLBD_INLINE void store_to(Carry<Op, T>* p) const {
    for (int i = 0; i < kParts; ++i) store(p + i * kLanes<Carry<Op, T>>, part[i]);
  }
  DLBD_INLINE Carry<Op, T> total() const {
    Carry<Op, T> lanes[kLanes<T>];
    store_to(lanes);
    for (int width = kLanes<T> / 2; width > 0; width /= 2)
      for (int i = 0; i < width; ++i) lanes[i] = Op::join(lanes[i], lanes[i + width]);
    return lanes[0];
  }
};

template <class Op, class T>
DLBD_INLINE Vec<T> tree(Vec<T> (&v)[kTree]) {
#pragma GCC unroll 4
  for (int64_t width = kTree / 2; width > 0; width /= 2)
#pragma GCC unroll 4
    for (int64_t i = 0; i < width; ++i) v[i] = Op::join(v[i], v[i + width]);
  return v[0];
}

template <class Op, class T>
Carry<Op, T> reduce_run(const T* x, int64_t n, T shift_value) {
  constexpr int L = kLanes<T>;
  const Vec<T> shift = splat(shift_value);
  Accumulators<Op, T> sums;
  sums.clear();
  int64_t i = 0;
  for (; i + kTree * L <= n; i += kTree * L) {
    Vec<T> v[kTree];
#pragma GCC unroll 8
    for (int64_t j = 0; j < kTree; ++j) v[j] = Op::template prepare<T>(load(x + i + j * L), shift);
    sums.add(tree<Op, T>(v));
  }
  for (; i + L <= n; i += L) sums.add(Op::template prepare<T>(load(x + i), shift));
  if (i < n) {
    T lanes[L];
    store(lanes, Op::template prepare<T>(load_n(x + i, n - i, shift_value), shift));
    for (int64_t j = n - i; j < L; ++j) lanes[j] = Op::template identity<T>();
    sums.add(load(lanes));
  }
  return sums.total();
}

int64_t row_parts(const ReduceArgs& a) { return a.n > kLongRow ? ceil_div(a.n, kChunk) : 1; }

template <class Op, class T>
DLBD_INLINE void finish(const ReduceArgs& a, T* y, Carry<Op, T> total) {
  const T value = static_cast<T>(Op::kWide ? total * static_cast<Carry<Op, T>>(a.scale) : total);
  *y = a.accumulate ? *y + value : value;
}

template <class Op, class T>
void reduce_rows(const ReduceArgs& a) {
  const T *x = static_cast<const T*>(a.x), *shift = static_cast<const T*>(a.shift);
  T* y = static_cast<T*>(a.y);
  const int64_t parts = row_parts(a);
  if (parts == 1) {
    const int64_t grain = max_of<int64_t>(1, kChunk / max_of<int64_t>(1, a.n));
    parallel_for(a.threads, a.outer, grain, [&](int64_t begin, int64_t end, int) {
      for (int64_t o = begin; o < end; ++o)
        finish<Op, T>(a, y + o, reduce_run<Op, T>(x + o * a.n, a.n, shift ? shift[o] : T(0)));
    });
    return;
  }
  Carry<Op, T>* partial = static_cast<Carry<Op, T>*>(a.scratch);
  parallel_for(a.threads, a.outer * parts, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t o = chunk / parts, first = chunk % parts * kChunk;
      partial[chunk] = reduce_run<Op, T>(x + o * a.n + first, min_of(kChunk, a.n - first), shift ? shift[o] : T(0));
    }
  });
  for (int64_t o = 0; o < a.outer; ++o) {
    Carry<Op, T> total = partial[o * parts];
    for (int64_t i = 1; i < parts; ++i) total = Op::join(total, partial[o * parts + i]);
    finish<Op, T>(a, y + o, total);
  }
}

// Columns: chunks of rows x columns; each worker accumulates in a buffer of its own.
int64_t rows_per_part(const ReduceArgs& a) {
  return round_up(max_of<int64_t>(64, kChunk / min_of(a.inner, kColumns)), kTree);
}
int64_t column_parts(const ReduceArgs& a) { return max_of<int64_t>(1, ceil_div(a.n, rows_per_part(a))); }

template <class Op, class T>
void reduce_columns(const ReduceArgs& a) {
  using C = Carry<Op, T>;
  constexpr int L = kLanes<T>;
  const T *x = static_cast<const T*>(a.x), *shift = static_cast<const T*>(a.shift);
  T* y = static_cast<T*>(a.y);
  const int64_t parts = column_parts(a), rows = rows_per_part(a), strips = ceil_div(a.inner, kColumns);
  C* buffers = static_cast<C*>(a.scratch);
  C* partial = buffers + a.threads * kColumns;
  // Few columns and rows make a chunk small: several go to a worker at once.
  const int64_t grain = max_of<int64_t>(1, kChunk / max_of<int64_t>(1, min_of(a.n, rows) * min_of(a.inner, kColumns)));
  parallel_for(a.threads, a.outer * parts * strips, grain, [&](int64_t begin, int64_t end, int worker) {
    C* buffer = buffers + worker * kColumns;
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t strip = chunk % strips, part = chunk / strips % parts, o = chunk / strips / parts;
      const int64_t first = strip * kColumns, width = min_of(kColumns, a.inner - first);
      const int64_t last_row = min_of(a.n, (part + 1) * rows);
      const T* shifts = shift ? shift + o * a.inner + first : nullptr;
      for (int64_t row = part * rows; row == part * rows || row < last_row; row += kTree) {
        const T* from = x + (o * a.n + row) * a.inner + first;
        const int64_t count = min_of(kTree, last_row - row);
        for (int64_t i = 0; i < width; i += L) {
          const int64_t lanes = min_of<int64_t>(L, width - i);
          const bool whole = lanes == L;
          const Vec<T> s = shifts ? load_n(shifts + i, lanes) : Vec<T>{};
          Accumulators<Op, T> sums;
          if (row == part * rows) {
            sums.clear();
          } else {
            sums.load_from(buffer + i);
          }
          if (count == kTree && whole) {
            Vec<T> v[kTree];
#pragma GCC unroll 8
            for (int64_t j = 0; j < kTree; ++j) v[j] = Op::template prepare<T>(load(from + j * a.inner + i), s);
            sums.add(tree<Op, T>(v));
          } else if (count == kTree) {
            Vec<T> v[kTree];
            for (int64_t j = 0; j < kTree; ++j)
              v[j] = Op::template prepare<T>(load_n(from + j * a.inner + i, lanes), s);
            sums.add(tree<Op, T>(v));
          } else {
            for (int64_t j = 0; j < count; ++j)
              sums.add(Op::template prepare<T>(load_n(from + j * a.inner + i, lanes), s));
          }
          sums.store_to(buffer + i);
        }
      }
      if (parts == 1) {
        for (int64_t i = 0; i < width; ++i) finish<Op, T>(a, y + o * a.inner + first + i, buffer[i]);
      } else {
        __builtin_memcpy(partial + (o * parts + part) * a.inner + first, buffer,
                         static_cast<size_t>(width) * sizeof(C));
      }
    }
  });
  if (parts == 1) return;
  parallel_for(a.threads, a.outer * strips, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t o = chunk / strips, first = chunk % strips * kColumns;
      const int64_t width = min_of(kColumns, a.inner - first);
      C* total = partial + o * parts * a.inner + first;
      for (int64_t part = 1; part < parts; ++part)
        for (int64_t i = 0; i < width; ++i) total[i] = Op::join(total[i], total[part * a.inner + i]);
      for (int64_t i = 0; i < width; ++i) finish<Op, T>(a, y + o * a.inner + first + i, total[i]);
    }
  });
}

template <class Op, class T>
void reduce_floats(const ReduceArgs& a) {
  a.inner == 1 ? reduce_rows<Op, T>(a) : reduce_columns<Op, T>(a);
}

// join(running, x) in order; a worker owns whole columns. Integers, and the positions of largest and least values.
template <class T, class Join>
void reduce_integers(const ReduceArgs& a, T identity, const Join& join) {
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(a.y);
  const int64_t strips = ceil_div(a.inner, kColumns);
  parallel_for(a.threads, a.outer * strips, max_of<int64_t>(1, kChunk / max_of<int64_t>(1, a.n)),
               [&](int64_t begin, int64_t end, int) {
                 for (int64_t chunk = begin; chunk < end; ++chunk) {
                   const int64_t o = chunk / strips, first = chunk % strips * kColumns;
                   const int64_t width = min_of(kColumns, a.inner - first);
                   const T* from = x + o * a.n * a.inner + first;
                   T* to = y + o * a.inner + first;
                   if (a.inner == 1) {
                     T total = identity;
                     for (int64_t i = 0; i < a.n; ++i) total = join(total, from[i]);
                     *to = total;
                     continue;
                   }
                   for (int64_t c = 0; c < width; ++c) to[c] = identity;
                   for (int64_t i = 0; i < a.n; ++i)
                     for (int64_t c = 0; c < width; ++c) to[c] = join(to[c], from[i * a.inner + c]);
                 }
               });
}

template <bool Largest>
struct PositionOf {
  using type = Max;
};
template <>
struct PositionOf<false> {
  using type = Min;
};

// Where the first element stands that is equal to `value`, NaN equal to NaN.
template <class T>
int64_t first_equal(const T* x, int64_t n, T value) {
  constexpr int64_t kBlock = 64;
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t last = min_of(n, first + kBlock);
    int found = 0;
    for (int64_t i = first; i < last; ++i) found |= (x[i] == value) | ((x[i] != x[i]) & (value != value));
    if (!found) continue;
    for (int64_t i = first; i < last; ++i)
      if (x[i] == value || (x[i] != x[i] && value != value)) return i;
  }
  return 0;
}

// The first of the best; a NaN is better than anything.
template <class T, bool Largest>
void reduce_position(const ReduceArgs& a) {
  const T* x = static_cast<const T*>(a.x);
  int32_t* y = static_cast<int32_t*>(a.y);
  const auto better = [](T candidate, T best) {
    return (Largest ? candidate > best : candidate < best) || (candidate != candidate && best == best);
  };
  if constexpr (sizeof(T) >= 4 && T(0.5) != T(0)) {
    if (a.inner == 1) {  // the best value by vectors, then where it stands
      using Op = PositionOf<Largest>;
      parallel_for(a.threads, a.outer, max_of<int64_t>(1, kChunk / a.n), [&](int64_t begin, int64_t end, int) {
        for (int64_t o = begin; o < end; ++o) {
          const T* from = x + o * a.n;
          const T best = reduce_run<typename Op::type, T>(from, a.n, T(0));
          y[o] = static_cast<int32_t>(first_equal(from, a.n, best));
        }
      });
      return;
    }
  }
  constexpr int64_t kStrip = 64;
  const int64_t strips = ceil_div(a.inner, kStrip);
  const int64_t grain = max_of<int64_t>(1, kChunk / (a.n * min_of(a.inner, kStrip)));
  parallel_for(a.threads, a.outer * strips, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t o = chunk / strips, first = chunk % strips * kStrip;
      const int64_t width = min_of(kStrip, a.inner - first);
      const T* from = x + o * a.n * a.inner + first;
      T best[kStrip];
      int32_t at[kStrip];
      for (int64_t c = 0; c < width; ++c) best[c] = from[c], at[c] = 0;
      for (int64_t i = 1; i < a.n; ++i) {
        for (int64_t c = 0; c < width; ++c) {
          const T candidate = from[i * a.inner + c];
          const bool wins = better(candidate, best[c]);
          best[c] = wins ? candidate : best[c];
          at[c] = wins ? static_cast<int32_t>(i) : at[c];
        }
      }
      for (int64_t c = 0; c < width; ++c) y[o * a.inner + first + c] = at[c];
    }
  });
}

template <class T>
void reduce_as_floats(const ReduceArgs& a) {
  switch (a.op) {
    case ReduceOp::sum: return reduce_floats<Sum, T>(a);
    case ReduceOp::prod: return reduce_floats<Prod, T>(a);
    case ReduceOp::max: return reduce_floats<Max, T>(a);
    case ReduceOp::min: return reduce_floats<Min, T>(a);
    case ReduceOp::shifted_squares: return reduce_floats<ShiftedSquares, T>(a);
    case ReduceOp::shifted_exp: return reduce_floats<ShiftedExp, T>(a);
    case ReduceOp::argmax: return reduce_position<T, true>(a);
    case ReduceOp::argmin: return reduce_position<T, false>(a);
    case ReduceOp::count: return;
  }
}

template <class T>
void reduce_as_integers(const ReduceArgs& a) {
  constexpr bool kSigned = T(-1) < T(0);
  constexpr T kTop = static_cast<T>(~uint64_t{0} >> (64 - 8 * sizeof(T) + (kSigned ? 1 : 0)));
  switch (a.op) {
    case ReduceOp::sum:
      return reduce_integers<T>(
          a, 0, [](T u, T v) { return static_cast<T>(static_cast<uint64_t>(u) + static_cast<uint64_t>(v)); });
    case ReduceOp::prod:
      return reduce_integers<T>(
          a, 1, [](T u, T v) { return static_cast<T>(static_cast<uint64_t>(u) * static_cast<uint64_t>(v)); });
    case ReduceOp::max: return reduce_integers<T>(a, static_cast<T>(~kTop), [](T u, T v) { return u > v ? u : v; });
    case ReduceOp::min: return reduce_integers<T>(a, kTop, [](T u, T v) { return u < v ? u : v; });
    case ReduceOp::argmax: return reduce_position<T, true>(a);
    case ReduceOp::argmin: return reduce_position<T, false>(a);
    default: return;
  }
}

// dx for one row of `count` elements that share their position i; dy, y and ties run along it, or have one value.
template <class T, class Slope>
void reduce_slope(const ReduceBackwardArgs& a, const Slope& slope) {
  const T *x = static_cast<const T*>(a.x), *y = static_cast<const T*>(a.y), *dy = static_cast<const T*>(a.dy);
  T* dx = static_cast<T*>(a.dx);
  constexpr int L = kLanes<T>;
  const bool column = a.inner > 1;
  const int64_t rows = column ? a.outer * a.n : a.outer, width = column ? a.inner : a.n;
  const int64_t strips = ceil_div(width, kChunk);
  const int64_t grain = max_of<int64_t>(1, kChunk / max_of<int64_t>(1, min_of(width, kChunk)));
  parallel_for(a.threads, rows * strips, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t row = chunk / strips, first = chunk % strips * kChunk, last = min_of(width, first + kChunk);
      const int64_t result = column ? row / a.n * a.inner : row;  // where y and dy of this row start
      const Vec<T> one_dy = splat(dy[result]), one_y = y ? splat(y[result]) : Vec<T>{};
      for (int64_t i = first; i < last; i += L) {
        const int64_t lanes = min_of<int64_t>(L, last - i);
        const Vec<T> gy = column ? load_n(dy + result + i, lanes) : one_dy;
        const Vec<T> out = column && y ? load_n(y + result + i, lanes) : one_y;
        const Vec<T> in = x ? load_n(x + row * width + i, lanes) : Vec<T>{};
        Vec<T> g = slope(in, out, gy, result, i, lanes);
        T* to = dx + row * width + i;
        if (a.accumulate) g += load_n(to, lanes);
        store_n(to, g, lanes);
      }
    }
  });
}

// How many elements are equal to each result.
template <class T>
void count_ties(const ReduceBackwardArgs& a, T* ties) {
  const T *x = static_cast<const T*>(a.x), *y = static_cast<const T*>(a.y);
  parallel_for(a.threads, a.outer, max_of<int64_t>(1, kChunk / max_of<int64_t>(1, a.n * a.inner)),
               [&](int64_t begin, int64_t end, int) {
                 for (int64_t o = begin; o < end; ++o) {
                   T* count = ties + o * a.inner;
                   const T* best = y + o * a.inner;
                   if (a.inner == 1) {
                     int64_t found = 0;
                     for (int64_t i = 0; i < a.n; ++i) found += x[o * a.n + i] == *best;
                     *count = static_cast<T>(found);
                     continue;
                   }
                   for (int64_t c = 0; c < a.inner; ++c) count[c] = T(0);
                   for (int64_t i = 0; i < a.n; ++i)
                     for (int64_t c = 0; c < a.inner; ++c)
                       count[c] += x[(o * a.n + i) * a.inner + c] == best[c] ? T(1) : T(0);
                 }
               });
}

// The product of all the others: y / x without zeros among them, the product of the rest at a lone zero.
template <class T>
void prod_slope(const ReduceBackwardArgs& a) {
  const T *x = static_cast<const T*>(a.x), *dy = static_cast<const T*>(a.dy);
  T* dx = static_cast<T*>(a.dx);
  const int64_t grain = max_of<int64_t>(1, kChunk / max_of<int64_t>(1, a.n));
  parallel_for(a.threads, a.outer * a.inner, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t start = r / a.inner * a.n * a.inner + r % a.inner;
      double rest = 1;
      int64_t zeros = 0;
      for (int64_t i = 0; i < a.n; ++i) {
        const double v = x[start + i * a.inner];
        v == 0 ? static_cast<void>(++zeros) : static_cast<void>(rest *= v);
      }
      for (int64_t i = 0; i < a.n; ++i) {
        const double v = x[start + i * a.inner];
        const double others = zeros == 0 ? rest / v : (zeros == 1 && v == 0 ? rest : 0.0);
        const T g = static_cast<T>(dy[r] * others);
        T* to = dx + start + i * a.inner;
        *to = a.accumulate ? *to + g : g;
      }
    }
  });
}

template <class T>
void reduce_backward_as(const ReduceBackwardArgs& a) {
  const T scale = static_cast<T>(a.scale);
  switch (a.op) {
    case ReduceOp::sum:
      return reduce_slope<T>(a, [=](Vec<T>, Vec<T>, Vec<T> dy, int64_t, int64_t, int64_t) { return dy * scale; });
    case ReduceOp::shifted_squares:
      return reduce_slope<T>(
          a, [=](Vec<T> x, Vec<T> y, Vec<T> dy, int64_t, int64_t, int64_t) { return dy * scale * (x - y); });
    case ReduceOp::shifted_exp:
      return reduce_slope<T>(a, [=](Vec<T> x, Vec<T> y, Vec<T> dy, int64_t, int64_t, int64_t) {
        return dy * (x == y ? splat(T(1)) : exp(x - y));
      });
    case ReduceOp::max:
    case ReduceOp::min: {
      T* ties = static_cast<T*>(a.scratch);
      count_ties<T>(a, ties);
      const bool column = a.inner > 1;
      return reduce_slope<T>(a, [=](Vec<T> x, Vec<T> y, Vec<T> dy, int64_t result, int64_t i, int64_t lanes) {
        const Vec<T> count = column ? load_n(ties + result + i, lanes, T(1)) : splat(ties[result]);
        return x == y ? dy / count : Vec<T>{};
      });
    }
    case ReduceOp::prod: return prod_slope<T>(a);
    default: return;
  }
}

}  // namespace

int64_t reduce_forward_scratch(const ReduceArgs& a) {
  constexpr int64_t kCarried = 8;  // bytes
  if ((a.dtype != DType::f32 && a.dtype != DType::f64) || a.inner == 0) return 0;
  if (a.inner == 1) return row_parts(a) > 1 ? a.outer * row_parts(a) * kCarried : 0;
  const int64_t parts = column_parts(a);
  return (a.threads * kColumns + (parts > 1 ? a.outer * parts * a.inner : 0)) * kCarried;
}

void reduce_forward(const ReduceArgs& a) {
  if (a.outer == 0 || a.inner == 0) return;
  switch (a.dtype) {
    case DType::f32: return reduce_as_floats<float>(a);
    case DType::f64: return reduce_as_floats<double>(a);
    case DType::i32: return reduce_as_integers<int32_t>(a);
    case DType::i64: return reduce_as_integers<int64_t>(a);
    case DType::u8:
    case DType::b8: return reduce_as_integers<uint8_t>(a);
  }
}

int64_t reduce_backward_scratch(const ReduceBackwardArgs& a) {
  const bool counts = a.op == ReduceOp::max || a.op == ReduceOp::min;
  return counts ? a.outer * a.inner * (a.dtype == DType::f32 ? 4 : 8) : 0;
}

void reduce_backward(const ReduceBackwardArgs& a) {
  if (a.outer == 0 || a.n == 0 || a.inner == 0) return;
  a.dtype == DType::f32 ? reduce_backward_as<float>(a) : reduce_backward_as<double>(a);
}

}  // namespace dlbd::DLBD_ISA
