// Layer normalization: every row by its own mean and variance.
#include "../shapes/kernels.h"
#include "../shapes/norm.h"
#include "parallel.h"
#include "rows.h"

namespace dlbd::DLBD_ISA {
namespace {

// Elements per chunk of the forward: enough to hide the cost of handing a chunk out.
constexpr int64_t kGrain = 16384;

template <class T>
DLBD_INLINE Vec<T> times(Vec<T> v, const T* weight, int64_t j, int64_t lanes) {
  return weight ? v * load_part(weight + j, lanes) : v;
}

template <class T>
void forward_as(const LayerNormForwardArgs& a) {
  const int64_t n = a.shape.n;
  const T* gamma = static_cast<const T*>(a.gamma);
  const T* beta = static_cast<const T*>(a.beta);
  parallel_for(a.threads, a.shape.rows, max_of<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const T* x = static_cast<const T*>(a.x) + row * n;
      T* y = static_cast<T*>(a.y) + row * n;
      const T mean =
          static_cast<T>(sum_vectors<T>(n, [&](int64_t j, int64_t lanes) { return load_part(x + j, lanes); }) /
                         static_cast<double>(n));
      const double squares = sum_vectors<T>(n, [&](int64_t j, int64_t lanes) {
        const Vec<T> d = load_part(x + j, lanes) - mean;
        return d * d;
      });
      const T rstd = static_cast<T>(1 / __builtin_sqrt(squares / static_cast<double>(n) + a.epsilon));
      each_vector<T>(n, [&](int64_t j, int64_t lanes) {
        Vec<T> v = times<T>((load_part(x + j, lanes) - mean) * rstd, gamma, j, lanes);
        if (beta) v += load_part(beta + j, lanes);
        store_part<T>(y + j, v, lanes);
      });
      if (a.mean) static_cast<T*>(a.mean)[row] = mean, static_cast<T*>(a.rstd)[row] = rstd;
    }
  });
}

// dx = rstd (g - mean(g) - xhat mean(g xhat)) with g = dy gamma and xhat = (x - mean) rstd.
template <class T>
void backward_row(const LayerNormBackwardArgs& a, int64_t row, T* dgamma, T* dbeta) {
  const int64_t n = a.shape.n;
  const T* x = static_cast<const T*>(a.x) + row * n;
  const T* dy = static_cast<const T*>(a.dy) + row * n;
  const T* gamma = static_cast<const T*>(a.gamma);
  const T mean = static_cast<const T*>(a.mean)[row], rstd = static_cast<const T*>(a.rstd)[row];
  if (dgamma || dbeta) {
    each_vector<T>(n, [&](int64_t j, int64_t lanes) {
      const Vec<T> d = load_part(dy + j, lanes);
      if (dgamma)
        store_part<T>(dgamma + j, load_part(dgamma + j, lanes) + d * (load_part(x + j, lanes) - mean) * rstd, lanes);
      if (dbeta) store_part<T>(dbeta + j, load_part(dbeta + j, lanes) + d, lanes);
    });
  }
  if (!a.dx) return;
  T* dx = static_cast<T*>(a.dx) + row * n;
  const double scale = 1 / static_cast<double>(n);
  const T g_mean = static_cast<T>(scale * sum_vectors<T>(n, [&](int64_t j, int64_t lanes) {
                                    return times<T>(load_part(dy + j, lanes), gamma, j, lanes);
                                  }));
  const T gx_mean = static_cast<T>(scale * sum_vectors<T>(n, [&](int64_t j, int64_t lanes) {
                                     const Vec<T> xhat = (load_part(x + j, lanes) - mean) * rstd;
                                     return times<T>(load_part(dy + j, lanes), gamma, j, lanes) * xhat;
                                   }));
  each_vector<T>(n, [&](int64_t j, int64_t lanes) {
    const Vec<T> g = times<T>(load_part(dy + j, lanes), gamma, j, lanes);
    const Vec<T> xhat = (load_part(x + j, lanes) - mean) * rstd;
    Vec<T> d = (g - g_mean - xhat * gx_mean) * rstd;
    if (a.accumulate_dx) d += load_part(dx + j, lanes);
    store_part<T>(dx + j, d, lanes);
  });
}

// out = the sum of the chunks' partial rows, in order.
template <class T>
void add_partials(const LaunchArgs& a, const T* partial, int64_t chunks, int64_t stride, int64_t n, T* out,
                  bool accumulate) {
  parallel_for(a.threads, n, 1024, [&](int64_t begin, int64_t end, int) {
    each_vector<T>(end - begin, [&](int64_t j, int64_t lanes) {
      Vec<T> sum{};
      for (int64_t c = 0; c < chunks; ++c) sum += load_part(partial + c * stride + begin + j, lanes);
      if (accumulate) sum += load_part(out + begin + j, lanes);
      store_part<T>(out + begin + j, sum, lanes);
    });
  });
}

template <class T>
void backward_as(const LayerNormBackwardArgs& a) {
  const LayerNormShape& s = a.shape;
  const int64_t width = round_up(s.n, kLanes<T>);
  T* partial = static_cast<T*>(a.scratch);  // per chunk: dgamma, dbeta
  parallel_for(a.threads, s.rows, s.chunk, [&](int64_t begin, int64_t end, int) {
    T* dgamma = a.dgamma ? partial + begin / s.chunk * 2 * width : nullptr;
    T* dbeta = a.dbeta ? partial + begin / s.chunk * 2 * width + width : nullptr;
    if (dgamma) __builtin_memset(dgamma, 0, static_cast<size_t>(width) * sizeof(T));
    if (dbeta) __builtin_memset(dbeta, 0, static_cast<size_t>(width) * sizeof(T));
    for (int64_t row = begin; row < end; ++row) backward_row<T>(a, row, dgamma, dbeta);
  });
  if (a.dgamma) add_partials<T>(a, partial, s.chunks, 2 * width, s.n, static_cast<T*>(a.dgamma), a.accumulate_dgamma);
  if (a.dbeta)
    add_partials<T>(a, partial + width, s.chunks, 2 * width, s.n, static_cast<T*>(a.dbeta), a.accumulate_dbeta);
}

}  // namespace

void layer_norm_forward(const LayerNormForwardArgs& a) {
  if (a.shape.rows == 0 || a.shape.n == 0) return;
  if (a.shape.dtype == DType::f64) return forward_as<double>(a);
  forward_as<float>(a);
}

void layer_norm_backward(const LayerNormBackwardArgs& a) {
  if (a.shape.n == 0) return;
  if (a.shape.dtype == DType::f64) return backward_as<double>(a);
  backward_as<float>(a);
}

int64_t layer_norm_backward_scratch(const LayerNormBackwardArgs& a) {
  if (!a.dgamma && !a.dbeta) return 0;
  const int64_t lanes = a.shape.dtype == DType::f64 ? kLanes<double> : kLanes<float>;
  return a.shape.chunks * 2 * round_up(a.shape.n, lanes) * (kVectorBytes / lanes);
}

}  // namespace dlbd::DLBD_ISA
