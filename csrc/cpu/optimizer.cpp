// The optimizers' rules, as Keras 3 writes them, over one flat buffer of all parameters.
#include "../shapes/optimizer.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "simd.h"

namespace dlbd::DLBD_ISA {
namespace {

// Fewer parameters than this are updated on the calling thread: opening a region costs more than the work.
constexpr int64_t kSerial = 2 * kOptimizerBlock;

// beta^t rounded to T after each use of it: Keras computes the corrections in the parameters' own precision, and
// 1 - 0.999^t has so few bits left in float32 that doing better would be seen in the first steps' losses.
template <class T>
T power(double base, int64_t exponent) {
  return static_cast<T>(__builtin_pow(static_cast<double>(static_cast<T>(base)), static_cast<double>(exponent)));
}

template <class T>
struct Constants {
  T learning_rate, per_count, decay, step;
};

struct Adam {
  template <class T>
  static DLBD_INLINE Vec<T> update(const OptimizerRule& r, const Constants<T>& c, Vec<T> p, Vec<T> g, T* const* state,
                                   int64_t i) {
    Vec<T> m = load(state[0] + i), v = load(state[1] + i);
    m += (g - m) * static_cast<T>(1 - r.beta_1);
    v += (g * g - v) * static_cast<T>(1 - r.beta_2);
    store(state[0] + i, m);
    store(state[1] + i, v);
    if (r.amsgrad) {
      v = vmax<T>(load(state[2] + i), v);
      store(state[2] + i, v);
    }
    return p - m * c.step / (vsqrt(v) + static_cast<T>(r.epsilon));
  }
};

struct Sgd {
  template <class T>
  static DLBD_INLINE Vec<T> update(const OptimizerRule& r, const Constants<T>& c, Vec<T> p, Vec<T> g, T* const* state,
                                   int64_t i) {
    if (r.momentum == 0) return p - g * c.learning_rate;
    const T mu = static_cast<T>(r.momentum);
    const Vec<T> m = load(state[0] + i) * mu - g * c.learning_rate;
    store(state[0] + i, m);
    return r.nesterov ? p + (m * mu - g * c.learning_rate) : p + m;
  }
};

struct RmsProp {
  template <class T>
  static DLBD_INLINE Vec<T> update(const OptimizerRule& r, const Constants<T>& c, Vec<T> p, Vec<T> g, T* const* state,
                                   int64_t i) {
    const T rho = static_cast<T>(r.rho), rest = static_cast<T>(1 - r.rho), epsilon = static_cast<T>(r.epsilon);
    const Vec<T> v = load(state[0] + i) * rho + g * g * rest;
    store(state[0] + i, v);
    Vec<T> denominator = v + epsilon;
    if (r.centered) {
      const Vec<T> average = load(state[2] + i) * rho + g * rest;
      store(state[2] + i, average);
      denominator = v - average * average + epsilon;
    }
    Vec<T> increment = g * c.learning_rate / vsqrt(denominator);
    if (r.momentum != 0) {
      increment += load(state[1] + i) * static_cast<T>(r.momentum);
      store(state[1] + i, increment);
    }
    return p - increment;
  }
};

struct Adagrad {
  template <class T>
  static DLBD_INLINE Vec<T> update(const OptimizerRule& r, const Constants<T>& c, Vec<T> p, Vec<T> g, T* const* state,
                                   int64_t i) {
    const Vec<T> accumulator = load(state[0] + i) + g * g;
    store(state[0] + i, accumulator);
    return p - g * c.learning_rate / vsqrt(accumulator + static_cast<T>(r.epsilon));
  }
};

// [begin, end) of one segment: whole vectors only.
template <class Rule, class T>
void update_range(const OptimizerArgs& a, const Constants<T>& c, int64_t segment, int64_t begin, int64_t end) {
  const OptimizerRule r = a.rule;  // a copy: the stores below could otherwise alias it
  const int64_t flags = a.table[segment * kSegmentFields + 2];
  if (!(flags & kSegmentActive)) return;
  T* parameters = static_cast<T*>(a.parameters);
  const T* gradients = static_cast<const T*>(a.gradients);
  T* const state[3] = {static_cast<T*>(a.state[0]), static_cast<T*>(a.state[1]), static_cast<T*>(a.state[2])};
  const bool decays = r.weight_decay != 0 && (flags & kSegmentDecays);
  const T limit = static_cast<T>(r.clip);
  T scale = T(1);  // g * limit / max(norm, limit), as Keras clips
  bool scaled = false;
  if (r.clipping == Clipping::norm || r.clipping == Clipping::global_norm) {
    const double squares = a.norms[r.clipping == Clipping::norm ? segment : a.segments];
    const double norm = __builtin_sqrt(squares) * static_cast<double>(c.per_count);
    scaled = !(norm <= r.clip);
    if (scaled) scale = static_cast<T>(r.clip / norm);  // NaN for a norm that is not finite or not a number
    if (norm - norm != 0) scale = static_cast<T>(norm - norm);
  }
  for (int64_t i = begin; i < end; i += kLanes<T>) {
    Vec<T> p = load(parameters + i), g = load(gradients + i) * c.per_count;
    if (r.clipping == Clipping::value) g = g > limit ? splat(limit) : (g < -limit ? splat(-limit) : g);
    if (scaled) g *= scale;
    if (decays) p -= p * c.decay * c.learning_rate;
    store(parameters + i, Rule::template update<T>(r, c, p, g, state, i));
  }
}

template <class Rule, class T>
void update_as(const OptimizerArgs& a) {
  const OptimizerRule& r = a.rule;
  const int64_t step = *a.iterations + 1;
  double count = 1;
  if (a.count) {
    count = a.count_dtype == DType::f32 ? static_cast<double>(*static_cast<const float*>(a.count))
                                        : *static_cast<const double*>(a.count);
  }
  Constants<T> c{};
  c.learning_rate = static_cast<T>(*a.learning_rate);
  c.per_count = count != 0 ? static_cast<T>(1 / count) : T(0);
  c.decay = static_cast<T>(r.weight_decay);
  if (r.kind == OptimizerKind::adam) {
    const T root = static_cast<T>(__builtin_sqrt(static_cast<double>(T(1) - power<T>(r.beta_2, step))));
    c.step = c.learning_rate * root / (T(1) - power<T>(r.beta_1, step));
  }
  const int threads = a.n < kSerial ? 1 : a.threads;
  parallel_for(threads, a.n, kOptimizerBlock, [&](int64_t begin, int64_t end, int) {
    const FlushSubnormals flush;         // moments of weights whose gradient has become zero fade into that range
    int64_t low = 0, high = a.segments;  // the segment that holds `begin`
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      if (a.table[middle * kSegmentFields] <= begin)
        low = middle;
      else
        high = middle;
    }
    for (int64_t segment = low; begin < end; ++segment) {
      const int64_t stop = min_of(end, a.table[segment * kSegmentFields + 1]);
      update_range<Rule, T>(a, c, segment, begin, stop);
      begin = stop;
    }
  });
  *a.iterations = step;
}

template <class T>
void dispatch(const OptimizerArgs& a) {
  switch (a.rule.kind) {
    case OptimizerKind::sgd: return update_as<Sgd, T>(a);
    case OptimizerKind::adam: return update_as<Adam, T>(a);
    case OptimizerKind::rmsprop: return update_as<RmsProp, T>(a);
    case OptimizerKind::adagrad: return update_as<Adagrad, T>(a);
  }
}

template <class T>
void norms_as(const GradientNormsArgs& a) {
  const T* gradients = static_cast<const T*>(a.gradients);
  double* partial = static_cast<double*>(a.scratch);
  parallel_for(a.threads, a.blocks, 1, [&](int64_t block, int64_t, int) {
    int64_t low = 0, high = a.segments;  // the segment that holds this block
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      if (a.table[middle * kSegmentFields + 3] <= block)
        low = middle;
      else
        high = middle;
    }
    const int64_t* segment = a.table + low * kSegmentFields;
    const int64_t begin = segment[0] + (block - segment[3]) * kOptimizerBlock;
    const int64_t end = min_of(segment[1], begin + kOptimizerBlock);
    // Squares are summed in double: in float32 they overflow from 1.8e19 on.
    double lanes[kLanes<T>] = {};
    for (int64_t i = begin; i < end; i += kLanes<T>)
      for (int lane = 0; lane < kLanes<T>; ++lane) {
        const double g = static_cast<double>(gradients[i + lane]);
        lanes[lane] += g * g;
      }
    double sum = 0;
    for (int lane = 0; lane < kLanes<T>; ++lane) sum += lanes[lane];
    partial[block] = sum;
  });
  double all = 0;
  for (int64_t s = 0; s < a.segments; ++s) {
    const int64_t* segment = a.table + s * kSegmentFields;
    const int64_t stop = s + 1 < a.segments ? segment[kSegmentFields + 3] : a.blocks;
    double sum = 0;
    for (int64_t block = segment[3]; block < stop; ++block) sum += partial[block];
    a.squares[s] = sum;
    if (segment[2] & kSegmentActive) all += sum;
  }
  a.squares[a.segments] = all;
}

}  // namespace

void optimizer_update(const OptimizerArgs& a) {
  if (a.status->code != Fault::none) return;
  if (a.dtype == DType::f64) return dispatch<double>(a);
  dispatch<float>(a);
}

int64_t gradient_norms_scratch(const GradientNormsArgs& a) { return a.blocks * static_cast<int64_t>(sizeof(double)); }

void gradient_norms(const GradientNormsArgs& a) {
  if (a.dtype == DType::f64) return norms_as<double>(a);
  norms_as<float>(a);
}

}  // namespace dlbd::DLBD_ISA
