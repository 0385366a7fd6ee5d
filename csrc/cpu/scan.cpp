// Running sums and products. A line that is alone is cut into chunks: first their totals, then these added up, then
// every chunk from what is before it. Every cut depends on the sizes alone; float32 is carried in float64.
#include "../shapes/scan.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "simd.h"

namespace dlbd::DLBD_ISA {
namespace {

constexpr int64_t kColumns = 256;    // lines that lie side by side in memory and are run through together
constexpr int64_t kChunk = 16384;    // elements of a chunk
constexpr int64_t kManyLines = 128;  // groups of lines that keep every core busy without cutting them

struct Cut {
  int64_t outer, n, inner;
  bool reverse;
  int64_t groups;  // of columns
  int64_t rows;    // of a chunk
  int64_t chunks;  // of a line, in the order of the run

  Cut(int64_t outer_size, int64_t length, int64_t inner_size, bool backwards)
      : outer(outer_size), n(length), inner(inner_size), reverse(backwards), groups(ceil_div(inner_size, kColumns)) {
    const bool whole = outer * groups >= kManyLines;
    rows = whole ? max_of<int64_t>(n, 1) : ceil_div(kChunk, max_of<int64_t>(1, min_of(inner, kColumns)));
    chunks = ceil_div(n, rows);
  }
  int64_t totals() const { return chunks > 1 ? outer * chunks * inner : 0; }
};

// An operation has: State, start(); step(state, at, row): the state with one element more; put(before, after, at): what
// is written for it; join(first, second): the state after both.
template <class Op>
void run(int threads, const Cut& c, void* scratch, const Op& op) {
  using State = typename Op::State;
  State* totals = static_cast<State*>(scratch);
  const auto each = [&](bool write) {
    parallel_for(threads, c.outer * c.chunks * c.groups, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t first = task % c.groups * kColumns, width = min_of(kColumns, c.inner - first);
        const int64_t chunk = task / c.groups % c.chunks, o = task / c.groups / c.chunks;
        State* total = totals + (o * c.chunks + chunk) * c.inner + first;
        State state[kColumns];
        for (int64_t i = 0; i < width; ++i) state[i] = write && c.chunks > 1 ? total[i] : op.start();
        for (int64_t j = chunk * c.rows; j < min_of(c.n, (chunk + 1) * c.rows); ++j) {
          const int64_t row = c.reverse ? c.n - 1 - j : j, at = (o * c.n + row) * c.inner + first;
          if (write) {
            for (int64_t i = 0; i < width; ++i) {
              const State before = state[i];
              state[i] = op.step(before, at + i, row);
              op.put(before, state[i], at + i);
            }
          } else {
            for (int64_t i = 0; i < width; ++i) state[i] = op.step(state[i], at + i, row);
          }
        }
        if (!write)
          for (int64_t i = 0; i < width; ++i) total[i] = state[i];
      }
    });
  };
  if (c.chunks > 1) {
    each(false);
    parallel_for(threads, c.outer * c.groups, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t first = task % c.groups * kColumns, width = min_of(kColumns, c.inner - first);
        State state[kColumns];
        for (int64_t i = 0; i < width; ++i) state[i] = op.start();
        for (int64_t chunk = 0; chunk < c.chunks; ++chunk) {
          State* total = totals + (task / c.groups * c.chunks + chunk) * c.inner + first;
          for (int64_t i = 0; i < width; ++i) {
            const State before = state[i];
            state[i] = op.join(before, total[i]);
            total[i] = before;
          }
        }
      }
    });
  }
  each(true);
}

template <class T>
struct CarryOf {
  using type = double;
};
template <>
struct CarryOf<int32_t> {  // integers wrap around
  using type = uint32_t;
};
template <>
struct CarryOf<int64_t> {
  using type = uint64_t;
};

template <class T, bool Product>
struct Running {
  using State = typename CarryOf<T>::type;
  const T* x;
  T* y;
  bool exclusive, accumulate;

  DLBD_INLINE State start() const { return State(Product); }
  DLBD_INLINE State join(State a, State b) const { return Product ? a * b : a + b; }
  DLBD_INLINE State step(State s, int64_t at, int64_t) const { return join(s, static_cast<State>(x[at])); }
  DLBD_INLINE void put(State before, State after, int64_t at) const {
    const T found = static_cast<T>(exclusive ? before : after);
    y[at] = accumulate ? y[at] + found : found;
  }
};

// s = dy[i] + x[i + 1] s, from the end: a step is a map b + a s, and so are two.
template <class T>
struct ProdBackward {
  struct State {
    double a, b;
  };
  const ScanProdBackwardArgs& args;

  const T* values(const void* p) const { return static_cast<const T*>(p); }
  DLBD_INLINE State start() const { return {1, 0}; }
  DLBD_INLINE State join(State first, State second) const {
    return {second.a * first.a, second.b + second.a * first.b};
  }
  DLBD_INLINE State step(State s, int64_t at, int64_t row) const {
    const double next = row + 1 < args.n ? static_cast<double>(values(args.x)[at + args.inner]) : 0.0;
    return join(s, {next, static_cast<double>(values(args.dy)[at])});
  }
  DLBD_INLINE void put(State, State after, int64_t at) const {
    T& dx = static_cast<T*>(args.dx)[at];
    const T found = static_cast<T>(static_cast<double>(values(args.before)[at]) * after.b);
    dx = args.accumulate ? dx + found : found;
  }
};

Cut cut_of(const ScanArgs& a) { return Cut(a.outer, a.n, a.inner, a.reverse); }
Cut cut_of(const ScanProdBackwardArgs& a) { return Cut(a.outer, a.n, a.inner, true); }

template <class T>
void scan_as(const ScanArgs& a) {
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(a.y);
  if (a.op == ScanOp::prod)
    run(a.threads, cut_of(a), a.scratch, Running<T, true>{x, y, a.exclusive, a.accumulate});
  else
    run(a.threads, cut_of(a), a.scratch, Running<T, false>{x, y, a.exclusive, a.accumulate});
}

}  // namespace

int64_t scan_forward_scratch(const ScanArgs& a) { return cut_of(a).totals() * static_cast<int64_t>(sizeof(double)); }

void scan_forward(const ScanArgs& a) {
  switch (a.dtype) {
    case DType::f32: return scan_as<float>(a);
    case DType::f64: return scan_as<double>(a);
    case DType::i32: return scan_as<int32_t>(a);
    default: return scan_as<int64_t>(a);
  }
}

int64_t scan_prod_backward_scratch(const ScanProdBackwardArgs& a) {
  return cut_of(a).totals() * static_cast<int64_t>(2 * sizeof(double));
}

void scan_prod_backward(const ScanProdBackwardArgs& a) {
  if (a.dtype == DType::f64)
    run(a.threads, cut_of(a), a.scratch, ProdBackward<double>{a});
  else
    run(a.threads, cut_of(a), a.scratch, ProdBackward<float>{a});
}

}  // namespace dlbd::DLBD_ISA
