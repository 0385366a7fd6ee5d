// Batch normalization: every channel by the mean and variance of the batch (training) or by the moving ones.
#include "../shapes/kernels.h"
#include "../shapes/norm.h"
#include "parallel.h"
#include "rows.h"

namespace dlbd::DLBD_ISA {
namespace {

// Elements that are summed before their total joins the chunk's: they stay in L1 for the second reading.
constexpr int64_t kBlockElements = 8192;
// Channels per chunk of the passes that join what the chunks of rows gave.
constexpr int64_t kChannels = 256;
// Rows of a block at least: joining it to the chunk's costs about as much as three rows.
constexpr int64_t kBlockRows = 16;
// Elements per chunk of the passes that write: enough to hide the cost of handing a chunk out.
constexpr int64_t kGrain = 16384;

// Calls body.operator()<V>(j, lanes) for groups of V vectors of columns; only a last group of one vector is partial.
template <class T, class Body>
DLBD_INLINE void each_column_group(int64_t channels, const Body& body) {
  constexpr int64_t L = kLanes<T>;
  int64_t j = 0;
  for (; j + 4 * L <= channels; j += 4 * L) body.template operator()<4>(j, L);
  if (j + 2 * L <= channels) body.template operator()<2>(j, L), j += 2 * L;
  if (j + L <= channels) body.template operator()<1>(j, L), j += L;
  if (j < channels) body.template operator()<1>(j, channels - j);
}

// Chan, Golub, LeVeque: statistics of `count` values joined by those of `more` values.
template <class V, class T>
DLBD_INLINE void merge(V& mean, V& squares, T count, V mean_more, V squares_more, T more) {
  const T part = more / (count + more);
  const V delta = mean_more - mean;
  mean += delta * part;
  squares += squares_more + delta * delta * (count * part);
}

// Mean and sum of squared deviations of each channel over rows [begin, end) of x (rows x channels).
template <class T>
void row_statistics(const T* x, int64_t channels, int64_t begin, int64_t end, T* mean, T* squares) {
  const int64_t block = max_of(kBlockRows, kBlockElements / channels);
  for (int64_t first = begin; first < end; first += block) {
    const int64_t rows = min_of(block, end - first);
    each_column_group<T>(channels, [&]<int V>(int64_t j, int64_t lanes) {
      const T* p = x + first * channels + j;
      Vec<T> sum[V] = {}, square[V] = {};
      for (int64_t r = 0; r < rows; ++r)
        for (int v = 0; v < V; ++v) sum[v] += load_part(p + r * channels + v * kLanes<T>, lanes);
      for (int v = 0; v < V; ++v) sum[v] /= static_cast<T>(rows);
      for (int64_t r = 0; r < rows; ++r)
        for (int v = 0; v < V; ++v) {
          const Vec<T> d = load_part(p + r * channels + v * kLanes<T>, lanes) - sum[v];
          square[v] += d * d;
        }
      for (int v = 0; v < V; ++v) {
        const int64_t at = j + v * kLanes<T>;
        Vec<T> m{}, s{};
        if (first != begin) m = load_part(mean + at, lanes), s = load_part(squares + at, lanes);
        merge(m, s, static_cast<T>(first - begin), sum[v], square[v], static_cast<T>(rows));
        store_part<T>(mean + at, m, lanes), store_part<T>(squares + at, s, lanes);
      }
    });
  }
}

// The same for one channel of x (outer x channels x inner).
template <class T>
void plane_statistics(const T* x, const BatchNormShape& s, int64_t channel, double& mean, double& squares) {
  double count = 0;
  mean = squares = 0;
  for (int64_t o = 0; o < s.outer; ++o) {
    for (int64_t first = 0; first < s.inner; first += kBlockElements) {
      const T* p = x + (o * s.channels + channel) * s.inner + first;
      const int64_t n = min_of(kBlockElements, s.inner - first);
      const double m =
          sum_vectors<T>(n, [&](int64_t j, int64_t lanes) { return load_part(p + j, lanes); }) / static_cast<double>(n);
      const double q = sum_vectors<T>(n, [&](int64_t j, int64_t lanes) {
        const Vec<T> d = load_part(p + j, lanes) - static_cast<T>(m);
        return d * d;
      });
      merge(mean, squares, count, m, q, static_cast<double>(n));
      count += static_cast<double>(n);
    }
  }
}

// The statistics of n channels from those that row_statistics left for each chunk of rows.
template <class T>
void join_statistics(const BatchNormShape& s, const T* partial, int64_t n, double* __restrict mean,
                     double* __restrict squares) {
  for (int64_t c = 0; c < n; ++c) mean[c] = squares[c] = 0;
  for (int64_t i = 0; i < s.chunks; ++i) {
    const T *mean_more = partial + i * 2 * s.channels, *squares_more = mean_more + s.channels;
    const double before = static_cast<double>(i * s.chunk);
    const double rows = static_cast<double>(min_of(s.chunk, s.outer - i * s.chunk));
    const double part = rows / (before + rows);
    for (int64_t c = 0; c < n; ++c) {
      const double delta = static_cast<double>(mean_more[c]) - mean[c];
      mean[c] += delta * part;
      squares[c] += static_cast<double>(squares_more[c]) + delta * delta * (before * part);
    }
  }
}

template <class T>
void store_statistics(int64_t n, const double* m, const double* variance, double epsilon, T* __restrict mean,
                      T* __restrict rstd) {
  for (int64_t c = 0; c < n; ++c) {
    mean[c] = static_cast<T>(m[c]);
    rstd[c] = static_cast<T>(1 / __builtin_sqrt(variance[c] + epsilon));
  }
}

// mean and rstd of every channel; in training from x, with the moving averages updated.
template <class T>
void find_statistics(const BatchNormForwardArgs& a, T* mean, T* rstd, T* partial) {
  const BatchNormShape& s = a.shape;
  const T* x = static_cast<const T*>(a.x);
  T* moving_mean = static_cast<T*>(a.moving_mean);
  T* moving_variance = static_cast<T*>(a.moving_variance);
  if (!a.training) {
    for (int64_t c = 0; c < s.channels; ++c) {
      mean[c] = moving_mean[c];
      rstd[c] = static_cast<T>(1 / __builtin_sqrt(static_cast<double>(moving_variance[c]) + a.epsilon));
    }
    return;
  }
  if (s.path == BatchNormPath::channels) {
    parallel_for(a.threads, s.outer, s.chunk, [&](int64_t begin, int64_t end, int) {
      T* into = partial + begin / s.chunk * 2 * s.channels;
      row_statistics(x, s.channels, begin, end, into, into + s.channels);
    });
  }
  const double count = static_cast<double>(s.outer * s.inner);
  const int64_t grain = s.path == BatchNormPath::planes ? 1 : kChannels;
  parallel_for(a.threads, s.channels, grain, [&](int64_t begin, int64_t end, int) {
    const int64_t n = end - begin;
    double m[kChannels], squares[kChannels];
    if (s.path == BatchNormPath::planes) {
      plane_statistics(x, s, begin, m[0], squares[0]);
    } else {
      join_statistics(s, partial + begin, n, m, squares);
    }
    for (int64_t c = 0; c < n; ++c) squares[c] /= count;
    store_statistics(n, m, squares, a.epsilon, mean + begin, rstd + begin);
    for (int64_t c = 0; c < n; ++c) {
      T &of_mean = moving_mean[begin + c], &of_variance = moving_variance[begin + c];
      of_mean = static_cast<T>(static_cast<double>(of_mean) * a.momentum + m[c] * (1 - a.momentum));
      of_variance = static_cast<T>(static_cast<double>(of_variance) * a.momentum + squares[c] * (1 - a.momentum));
    }
  });
}

// Calls body(at, channel, lanes) for every vector of the array: at is its flat position. In the path `channels` its
// lanes belong to the channels from `channel` on, in `planes` all to `channel`.
template <class T, class Body>
DLBD_INLINE void each_element(const BatchNormShape& s, int threads, const Body& body) {
  const bool planes = s.path == BatchNormPath::planes;
  const int64_t width = planes ? s.inner : s.channels;
  if (planes && s.outer * s.channels == 1) {  // one long run: share it out
    parallel_for(threads, width, kGrain, [&](int64_t begin, int64_t end, int) {
      each_vector<T>(end - begin, [&](int64_t j, int64_t lanes) { body(begin + j, int64_t{0}, lanes); });
    });
    return;
  }
  const int64_t rows = planes ? s.outer * s.channels : s.outer;
  parallel_for(threads, rows, max_of<int64_t>(1, kGrain / width), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t channel = planes ? row % s.channels : 0;
      each_vector<T>(width, [&](int64_t j, int64_t lanes) { body(row * width + j, planes ? channel : j, lanes); });
    }
  });
}

// The coefficients that belong to a vector of each_element.
template <class T>
DLBD_INLINE Vec<T> coefficient(const BatchNormShape& s, const T* p, int64_t channel, int64_t lanes) {
  return s.path == BatchNormPath::planes ? splat(p[channel]) : load_part(p + channel, lanes);
}

template <class T>
void forward_as(const BatchNormForwardArgs& a) {
  const BatchNormShape& s = a.shape;
  const T* x = static_cast<const T*>(a.x);
  const T* gamma = static_cast<const T*>(a.gamma);
  const T* beta = static_cast<const T*>(a.beta);
  T* y = static_cast<T*>(a.y);
  T* scale = static_cast<T*>(a.scratch);
  T* shift = scale + s.channels;
  T* mean = a.mean ? static_cast<T*>(a.mean) : shift + s.channels;
  T* rstd = a.rstd ? static_cast<T*>(a.rstd) : shift + 2 * s.channels;
  find_statistics<T>(a, mean, rstd, shift + 3 * s.channels);
  for (int64_t c = 0; c < s.channels; ++c) {
    scale[c] = gamma ? gamma[c] * rstd[c] : rstd[c];
    shift[c] = beta ? beta[c] : T(0);
  }
  each_element<T>(s, a.threads, [&](int64_t at, int64_t c, int64_t lanes) {
    // the mean is taken off first: folding it into the shift would cancel badly where |mean| >> deviation
    const Vec<T> centred = load_part(x + at, lanes) - coefficient(s, mean, c, lanes);
    store_part<T>(y + at, fma<T>(centred, coefficient(s, scale, c, lanes), coefficient(s, shift, c, lanes)), lanes);
  });
}

// Per channel over rows [begin, end): sums[0..C) = sum dy, sums[C..2C) = sum dy (x - mean).
template <class T>
void row_sums(const BatchNormBackwardArgs& a, int64_t begin, int64_t end, T* sums) {
  const int64_t channels = a.shape.channels, block = max_of(kBlockRows, kBlockElements / channels);
  const T* mean = static_cast<const T*>(a.mean);
  for (int64_t first = begin; first < end; first += block) {
    const int64_t rows = min_of(block, end - first);
    each_column_group<T>(channels, [&]<int V>(int64_t j, int64_t lanes) {
      const T* x = static_cast<const T*>(a.x) + first * channels + j;
      const T* dy = static_cast<const T*>(a.dy) + first * channels + j;
      Vec<T> centre[V], sum[V] = {}, product[V] = {};
      for (int v = 0; v < V; ++v) centre[v] = load_part(mean + j + v * kLanes<T>, lanes);
      for (int64_t r = 0; r < rows; ++r)
        for (int v = 0; v < V; ++v) {
          const int64_t at = r * channels + v * kLanes<T>;
          const Vec<T> d = load_part(dy + at, lanes);
          sum[v] += d;
          product[v] += d * (load_part(x + at, lanes) - centre[v]);
        }
      for (int v = 0; v < V; ++v) {
        T* s = sums + j + v * kLanes<T>;
        if (first != begin) sum[v] += load_part(s, lanes), product[v] += load_part(s + channels, lanes);
        store_part<T>(s, sum[v], lanes), store_part<T>(s + channels, product[v], lanes);
      }
    });
  }
}

template <class T>
void plane_sums(const BatchNormBackwardArgs& a, int64_t channel, double& sum, double& product) {
  const BatchNormShape& s = a.shape;
  const T mean = static_cast<const T*>(a.mean)[channel];
  for (int64_t o = 0; o < s.outer; ++o) {
    const int64_t start = (o * s.channels + channel) * s.inner;
    const T* x = static_cast<const T*>(a.x) + start;
    const T* dy = static_cast<const T*>(a.dy) + start;
    sum += sum_vectors<T>(s.inner, [&](int64_t j, int64_t lanes) { return load_part(dy + j, lanes); });
    product += sum_vectors<T>(
        s.inner, [&](int64_t j, int64_t lanes) { return load_part(dy + j, lanes) * (load_part(x + j, lanes) - mean); });
  }
}

// dx = gamma rstd (dy - mean(dy) - xhat mean(dy xhat)) in training, gamma rstd dy in inference;
// dgamma = sum dy xhat, dbeta = sum dy.
template <class T>
void backward_as(const BatchNormBackwardArgs& a) {
  const BatchNormShape& s = a.shape;
  const T* x = static_cast<const T*>(a.x);
  const T* dy = static_cast<const T*>(a.dy);
  const T* gamma = static_cast<const T*>(a.gamma);
  const T* mean = static_cast<const T*>(a.mean);
  const T* rstd = static_cast<const T*>(a.rstd);
  T* dx = static_cast<T*>(a.dx);
  T* dgamma = static_cast<T*>(a.dgamma);
  T* dbeta = static_cast<T*>(a.dbeta);
  T* of_dy = static_cast<T*>(a.scratch);  // dx = of_dy dy + of_x (x - mean) + constant
  T* of_x = of_dy + s.channels;
  T* constant = of_x + s.channels;
  T* partial = constant + s.channels;
  if (s.path == BatchNormPath::channels) {
    parallel_for(a.threads, s.outer, s.chunk, [&](int64_t begin, int64_t end, int) {
      row_sums<T>(a, begin, end, partial + begin / s.chunk * 2 * s.channels);
    });
  }
  const double count = static_cast<double>(s.outer * s.inner);
  parallel_for(
      a.threads, s.channels, s.path == BatchNormPath::planes ? 1 : kChannels, [&](int64_t begin, int64_t end, int) {
        for (int64_t c = begin; c < end; ++c) {
          double sum = 0, product = 0;
          if (s.path == BatchNormPath::planes) {
            plane_sums<T>(a, c, sum, product);
          } else {
            for (int64_t i = 0; i < s.chunks; ++i) {
              sum += static_cast<double>(partial[i * 2 * s.channels + c]);
              product += static_cast<double>(partial[(i * 2 + 1) * s.channels + c]);
            }
          }
          const double r = static_cast<double>(rstd[c]), scale = gamma ? static_cast<double>(gamma[c]) * r : r;
          if (dgamma)
            dgamma[c] = static_cast<T>((a.accumulate_dgamma ? static_cast<double>(dgamma[c]) : 0) + product * r);
          if (dbeta) dbeta[c] = static_cast<T>((a.accumulate_dbeta ? static_cast<double>(dbeta[c]) : 0) + sum);
          of_dy[c] = static_cast<T>(scale);
          of_x[c] = a.training ? static_cast<T>(-scale * r * r * product / count) : T(0);
          constant[c] = a.training ? static_cast<T>(-scale * sum / count) : T(0);
        }
      });
  if (!dx || count == 0) return;
  each_element<T>(s, a.threads, [&](int64_t at, int64_t c, int64_t lanes) {
    Vec<T> d = fma<T>(load_part(dy + at, lanes), coefficient(s, of_dy, c, lanes), coefficient(s, constant, c, lanes));
    if (a.training)
      d = fma<T>(load_part(x + at, lanes) - coefficient(s, mean, c, lanes), coefficient(s, of_x, c, lanes), d);
    if (a.accumulate_dx) d += load_part(dx + at, lanes);
    store_part<T>(dx + at, d, lanes);
  });
}

int64_t scratch_bytes(const BatchNormShape& s, int64_t channel_arrays) {
  const int64_t partial = s.path == BatchNormPath::channels ? s.chunks * 2 : 0;
  return (channel_arrays + partial) * s.channels * (s.dtype == DType::f64 ? 8 : 4);
}

}  // namespace

void batch_norm_forward(const BatchNormForwardArgs& a) {
  if (a.shape.outer == 0 || a.shape.channels == 0 || a.shape.inner == 0) {  // the moving averages stay as they are
    const size_t bytes = static_cast<size_t>(a.shape.channels) * (a.shape.dtype == DType::f64 ? 8 : 4);
    if (a.mean) __builtin_memset(a.mean, 0, bytes);
    if (a.rstd) __builtin_memset(a.rstd, 0, bytes);
    return;
  }
  if (a.shape.dtype == DType::f64) return forward_as<double>(a);
  forward_as<float>(a);
}

int64_t batch_norm_forward_scratch(const BatchNormForwardArgs& a) { return scratch_bytes(a.shape, 4); }

void batch_norm_backward(const BatchNormBackwardArgs& a) {
  if (a.shape.channels == 0) return;
  if (a.shape.dtype == DType::f64) return backward_as<double>(a);
  backward_as<float>(a);
}

int64_t batch_norm_backward_scratch(const BatchNormBackwardArgs& a) { return scratch_bytes(a.shape, 3); }

}  // namespace dlbd::DLBD_ISA
