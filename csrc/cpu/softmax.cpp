// Softmax and its logarithm along one axis. A NaN or +inf in a row makes the whole row NaN, as the formula has it.
#include "../shapes/softmax.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "rows.h"
#include "vector_math.h"

namespace dlbd::DLBD_ISA {
namespace {

// Elements per chunk: enough to hide the cost of handing a chunk out.
constexpr int64_t kGrain = 16384;
// Columns that one task of the strided path carries through the axis: whole cache lines, and the state stays in L1.
constexpr int64_t kColumns = 64;
// Rows whose sum is formed in T before it is added in double: the rounding error does not grow with the axis.
constexpr int64_t kSumRows = 64;

template <class T>
constexpr T kLowest = T(-__builtin_inf());

// The larger of the two; a NaN in x is ignored, for the sum of exponentials finds it anyway.
template <class T>
DLBD_INLINE Vec<T> larger(Vec<T> x, Vec<T> best) {
  return x > best ? x : best;
}

template <class T>
void forward_rows(const SoftmaxForwardArgs& a) {
  const int64_t n = a.shape.n;
  parallel_for(a.threads, a.shape.outer, max_of<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const T* x = static_cast<const T*>(a.x) + row * n;
      T* y = static_cast<T*>(a.y) + row * n;
      const T top = row_max(x, n);
      if (a.log) {
        const double sum =
            sum_vectors<T>(n, [&](int64_t j, int64_t lanes) { return exp(load_part(x + j, lanes, kLowest<T>) - top); });
        const T log_sum = static_cast<T>(__builtin_log(sum));
        each_vector<T>(
            n, [&](int64_t j, int64_t lanes) { store_part<T>(y + j, load_part(x + j, lanes) - top - log_sum, lanes); });
      } else {
        const double sum = sum_vectors<T>(n, [&](int64_t j, int64_t lanes) {
          const Vec<T> e = exp(load_part(x + j, lanes, kLowest<T>) - top);
          store_part<T>(y + j, e, lanes);
          return e;
        });
        const T inverse = static_cast<T>(1 / sum);
        each_vector<T>(
            n, [&](int64_t j, int64_t lanes) { store_part<T>(y + j, load_part(y + j, lanes) * inverse, lanes); });
      }
    }
  });
}

template <class T>
void backward_rows(const SoftmaxBackwardArgs& a) {
  const int64_t n = a.shape.n;
  parallel_for(a.threads, a.shape.outer, max_of<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const T* y = static_cast<const T*>(a.y) + row * n;
      const T* dy = static_cast<const T*>(a.dy) + row * n;
      T* dx = static_cast<T*>(a.dx) + row * n;
      const T dot = static_cast<T>(sum_vectors<T>(n, [&](int64_t j, int64_t lanes) {
        const Vec<T> g = load_part(dy + j, lanes);
        return a.log ? g : g * load_part(y + j, lanes);
      }));
      each_vector<T>(n, [&](int64_t j, int64_t lanes) {
        const Vec<T> g = load_part(dy + j, lanes), out = load_part(y + j, lanes);
        Vec<T> d = a.log ? g - exp(out) * dot : out * (g - dot);
        if (a.accumulate) d += load_part(dx + j, lanes);
        store_part<T>(dx + j, d, lanes);
      });
    }
  });
}

// total += part, part = 0, for every column.
template <class T>
DLBD_INLINE void fold(T* part, double* total) {
  for (int64_t j = 0; j < kColumns; ++j) total[j] += static_cast<double>(part[j]), part[j] = T(0);
}

// body(base, lanes) for every block of at most kColumns neighbouring columns; element i of the axis is base + i *
// inner.
template <class Body>
DLBD_INLINE void each_column_block(const SoftmaxShape& s, int threads, const Body& body) {
  const int64_t blocks = ceil_div(s.inner, kColumns);
  const int64_t grain = max_of<int64_t>(1, kGrain / (s.n * min_of(kColumns, s.inner)));
  parallel_for(threads, s.outer * blocks, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % blocks * kColumns;
      body(task / blocks * s.n * s.inner + first, min_of(kColumns, s.inner - first));
    }
  });
}

template <class T>
void forward_columns(const SoftmaxForwardArgs& a) {
  const SoftmaxShape& s = a.shape;
  each_column_block(s, a.threads, [&](int64_t base, int64_t width) {
    const T* x = static_cast<const T*>(a.x) + base;
    T* y = static_cast<T*>(a.y) + base;
    T top[kColumns], sum[kColumns] = {};
    double total[kColumns] = {};
    for (int64_t j = 0; j < kColumns; ++j) top[j] = kLowest<T>;
    for (int64_t i = 0; i < s.n; ++i)
      each_vector<T>(width, [&](int64_t j, int64_t lanes) {
        store<T>(top + j, larger<T>(load_part(x + i * s.inner + j, lanes, kLowest<T>), load(top + j)));
      });
    for (int64_t i = 0; i < s.n; ++i) {
      each_vector<T>(width, [&](int64_t j, int64_t lanes) {
        const Vec<T> e = exp(load_part(x + i * s.inner + j, lanes) - load(top + j));
        store<T>(sum + j, load(sum + j) + e);
        if (!a.log) store_part<T>(y + i * s.inner + j, e, lanes);
      });
      if ((i + 1) % kSumRows == 0 || i + 1 == s.n) fold(sum, total);
    }
    for (int64_t j = 0; j < width; ++j) sum[j] = static_cast<T>(a.log ? __builtin_log(total[j]) : 1 / total[j]);
    for (int64_t i = 0; i < s.n; ++i)
      each_vector<T>(width, [&](int64_t j, int64_t lanes) {
        const Vec<T> v = load_part((a.log ? x : y) + i * s.inner + j, lanes);
        store_part<T>(y + i * s.inner + j, a.log ? v - load(top + j) - load(sum + j) : v * load(sum + j), lanes);
      });
  });
}

template <class T>
void backward_columns(const SoftmaxBackwardArgs& a) {
  const SoftmaxShape& s = a.shape;
  each_column_block(s, a.threads, [&](int64_t base, int64_t width) {
    const T* y = static_cast<const T*>(a.y) + base;
    const T* dy = static_cast<const T*>(a.dy) + base;
    T* dx = static_cast<T*>(a.dx) + base;
    T dot[kColumns] = {};
    double total[kColumns] = {};
    for (int64_t i = 0; i < s.n; ++i) {
      each_vector<T>(width, [&](int64_t j, int64_t lanes) {
        const Vec<T> g = load_part(dy + i * s.inner + j, lanes);
        store<T>(dot + j, load(dot + j) + (a.log ? g : g * load_part(y + i * s.inner + j, lanes)));
      });
      if ((i + 1) % kSumRows == 0 || i + 1 == s.n) fold(dot, total);
    }
    for (int64_t j = 0; j < width; ++j) dot[j] = static_cast<T>(total[j]);
    for (int64_t i = 0; i < s.n; ++i)
      each_vector<T>(width, [&](int64_t j, int64_t lanes) {
        const int64_t at = i * s.inner + j;
        const Vec<T> g = load_part(dy + at, lanes), out = load_part(y + at, lanes);
        Vec<T> d = a.log ? g - exp(out) * load(dot + j) : out * (g - load(dot + j));
        if (a.accumulate) d += load_part(dx + at, lanes);
        store_part<T>(dx + at, d, lanes);
      });
  });
}

template <class T>
void forward_as(const SoftmaxForwardArgs& a) {
  if (a.shape.path == SoftmaxPath::rows)
    forward_rows<T>(a);
  else
    forward_columns<T>(a);
}

template <class T>
void backward_as(const SoftmaxBackwardArgs& a) {
  if (a.shape.path == SoftmaxPath::rows)
    backward_rows<T>(a);
  else
    backward_columns<T>(a);
}

bool is_empty(const SoftmaxShape& s) { return s.outer == 0 || s.n == 0 || s.inner == 0; }

}  // namespace

void softmax_forward(const SoftmaxForwardArgs& a) {
  if (is_empty(a.shape)) return;
  if (a.shape.dtype == DType::f64) return forward_as<double>(a);
  forward_as<float>(a);
}

void softmax_backward(const SoftmaxBackwardArgs& a) {
  if (is_empty(a.shape)) return;
  if (a.shape.dtype == DType::f64) return backward_as<double>(a);
  backward_as<float>(a);
}

}  // namespace dlbd::DLBD_ISA
