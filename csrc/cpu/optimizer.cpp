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

// What gradients are divided by.
inline double count_of(const void* count, DType dtype) {
  if (!count) return 1;
  return dtype == DType::f32 ? static_cast<double>(*static_cast<const float*>(count))
                             : *static_cast<const double*>(count);
}

template <class T>
T reciprocal(double count) {
  return count != 0 ? static_cast<T>(1 / count) : T(0);
}

// body(segment, begin, end) for the segments in all of [0, n), and their parts in each chunk.
template <class Body>
void for_each_segment(int threads, int64_t n, const int64_t* table, int64_t segments, const Body& body) {
  parallel_for(n < kSerial ? 1 : threads, n, kOptimizerBlock, [&](int64_t begin, int64_t end, int) {
    const FlushSubnormals flush;       // moments of weights whose gradient has become zero fade into that range
    int64_t low = 0, high = segments;  // the segment that holds `begin`
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      if (table[middle * kSegmentFields] <= begin)
        low = middle;
      else
        high = middle;
    }
    for (int64_t segment = low; begin < end; ++segment) {
      const int64_t stop = min_of(end, table[segment * kSegmentFields + 1]);
      body(segment, begin, stop);
      begin = stop;
    }
  });
}

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
  const int64_t taken = (*a.iterations)++;
  if ((taken + 1) % r.accumulation != 0) return;
  const int64_t step = taken / r.accumulation + 1;
  Constants<T> c{};
  c.learning_rate = static_cast<T>(*a.learning_rate);
  c.per_count = reciprocal<T>(count_of(a.count, a.count_dtype) * static_cast<double>(r.accumulation));
  c.decay = static_cast<T>(r.weight_decay);
  if (r.kind == OptimizerKind::adam) {
    const T root = static_cast<T>(__builtin_sqrt(static_cast<double>(T(1) - power<T>(r.beta_2, step))));
    c.step = c.learning_rate * root / (T(1) - power<T>(r.beta_1, step));
  }
  for_each_segment(a.threads, a.n, a.table, a.segments, [&](int64_t segment, int64_t begin, int64_t end) {
    update_range<Rule, T>(a, c, segment, begin, end);
  });
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
void accumulate_as(const GradientAccumulateArgs& a) {
  const T per_count = reciprocal<T>(count_of(a.count, a.count_dtype));
  const bool first = *a.iterations % a.accumulation == 0;
  const T* gradients = static_cast<const T*>(a.gradients);
  T* sums = static_cast<T*>(a.sums);
  for_each_segment(a.threads, a.n, a.table, a.segments, [&](int64_t segment, int64_t begin, int64_t end) {
    const T scale = a.table[segment * kSegmentFields + 2] & kSegmentActive ? per_count : T(0);
    if (scale == 0 && !first) return;
    for (int64_t i = begin; i < end; i += kLanes<T>) {
      const Vec<T> before = first ? splat(T(0)) : load(sums + i);
      store(sums + i, scale == 0 ? before : before + load(gradients + i) * scale);
    }
  });
}

template <class T>
void average_as(const MovingAverageArgs& a) {
  const int64_t update = (*a.iterations - 1) / a.accumulation;  // how many came before this one
  const T momentum = update == 0 ? T(0) : static_cast<T>(a.momentum), rest = T(1) - momentum;
  const bool overwrites = a.overwrite_every > 0 && (update + 1) % a.overwrite_every == 0;
  T* parameters = static_cast<T*>(a.parameters);
  T* averages = static_cast<T*>(a.averages);
  parallel_for(a.n < kSerial ? 1 : a.threads, a.n, kOptimizerBlock, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i += kLanes<T>) {
      const Vec<T> average = load(averages + i) * momentum + load(parameters + i) * rest;
      store(averages + i, average);
      if (overwrites) store(parameters + i, average);
    }
  });
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

void gradient_accumulate(const GradientAccumulateArgs& a) {
  if (a.status->code != Fault::none) return;
  if (a.dtype == DType::f64) return accumulate_as<double>(a);
  accumulate_as<float>(a);
}

void moving_average(const MovingAverageArgs& a) {
  if (a.status->code != Fault::none) return;
  if (a.dtype == DType::f64) return average_as<double>(a);
  average_as<float>(a);
}

int64_t gradient_norms_scratch(const GradientNormsArgs& a) { return a.blocks * static_cast<int64_t>(sizeof(double)); }

void gradient_norms(const GradientNormsArgs& a) {
  if (a.dtype == DType::f64) return norms_as<double>(a);
  norms_as<float>(a);
}

}  // namespace dlbd::DLBD_ISA
