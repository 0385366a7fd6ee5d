// The optimizers' rules, as Keras 3 writes them, over one flat buffer of all parameters.
#include "../shapes/kernels.h"
#include "../shapes/optimizer.h"
#include "rows.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256;
// Packs a thread takes, one after the other, from a tile.
constexpr int kPacks = 4;
// Blocks per multiprocessor: twice as many as run at once, so that few of them wait for their constants.
constexpr int64_t kWaves = 8;

// The rule's constants in the parameters' type.
template <class T>
struct Factors {
  T rest_1, rest_2, rho, rest, momentum, epsilon, decay, clip;
};

template <class T>
struct Constants {
  T learning_rate, per_count, step;
};

// What a block finds out about this step before its threads begin: whether it is an update, beta_1^t and beta_2^t.
template <class T>
struct Step {
  bool updates;
  T power_1, power_2;
};

// Arrays that the rule does not use are null.
template <class T>
struct Buffers {
  T* parameters;
  const T* gradients;
  T* state[3];
};

// The segment that holds an element (field 0) or a block (field 3): the last one that does not start after it.
__device__ __forceinline__ int64_t segment_of(const int64_t* table, int64_t segments, int field, int64_t at) {
  int64_t low = 0, high = segments;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    if (table[middle * kSegmentFields + field] <= at)
      low = middle;
    else
      high = middle;
  }
  return low;
}

// beta^t rounded to T after each use of it: Keras computes the corrections in the parameters' own precision, and
// 1 - 0.999^t has so few bits left in float32 that doing better would be seen in the first steps' losses.
template <class T>
__device__ T power(double base, int64_t exponent) {
  return static_cast<T>(pow(static_cast<double>(static_cast<T>(base)), static_cast<double>(exponent)));
}

// What gradients are divided by.
__device__ __forceinline__ double count_of(const void* count, DType dtype) {
  if (!count) return 1;
  return dtype == DType::f32 ? static_cast<double>(*static_cast<const float*>(count))
                             : *static_cast<const double*>(count);
}

template <class T>
__device__ __forceinline__ T reciprocal(double count) {
  return count != 0 ? static_cast<T>(1 / count) : T(0);
}

template <class T>
__device__ __forceinline__ Constants<T> constants(const OptimizerArgs& a, const Step<T>& step) {
  const double count = count_of(a.count, a.count_dtype) * static_cast<double>(a.rule.accumulation);
  Constants<T> c{static_cast<T>(*a.learning_rate), reciprocal<T>(count), T(0)};
  if (a.rule.kind == OptimizerKind::adam)
    c.step = c.learning_rate * static_cast<T>(sqrt(T(1) - step.power_2)) / (T(1) - step.power_1);
  return c;
}

// Called by one thread of each block once the block has read how many steps were taken: the last one counts this step.
__device__ __forceinline__ void take_ticket(const OptimizerArgs& a) {
  using Word = unsigned long long;
  __threadfence();  // the count goes up after all have read it
  if (atomicAdd(reinterpret_cast<Word*>(a.ticket), Word{1}) + 1 != gridDim.x) return;
  *a.ticket = 0;
  if (a.status->code == Fault::none) ++*a.iterations;
}

// By two warps at once: a power takes a microsecond.
template <class T>
__device__ __forceinline__ void begin_step(const OptimizerArgs& a, Step<T>& step) {
  const bool adam = a.rule.kind == OptimizerKind::adam;
  if (threadIdx.x == 0 || threadIdx.x == kWarp) {
    const int64_t taken = *a.iterations, update = taken / a.rule.accumulation + 1;
    if (threadIdx.x == kWarp) {
      if (adam) step.power_2 = power<T>(a.rule.beta_2, update);
    } else {
      if (adam) step.power_1 = power<T>(a.rule.beta_1, update);
      step.updates = a.status->code == Fault::none && (taken + 1) % a.rule.accumulation == 0;
    }
  }
  __syncthreads();
  if (threadIdx.x == 0) take_ticket(a);
}

// Moments of weights whose gradient has become zero fade to zero, not into the subnormal numbers.
template <class T>
__device__ __forceinline__ T flushed(T x) {
  constexpr T kSmallestNormal = sizeof(T) == 4 ? T(1.17549435e-38) : T(2.2250738585072014e-308);
  return fabs(x) < kSmallestNormal ? T(0) : x;
}

// The new parameter; s: the state of this element, in and out.
template <class T>
__device__ __forceinline__ T update(const OptimizerRule& r, const Factors<T>& f, const Constants<T>& c, T p, T g,
                                    T (&s)[3]) {
  switch (r.kind) {
    case OptimizerKind::adam: {
      s[0] = flushed(s[0] + (g - s[0]) * f.rest_1);
      s[1] = flushed(s[1] + (g * g - s[1]) * f.rest_2);
      T v = s[1];
      if (r.amsgrad) v = s[2] = Larger()(v, s[2]);
      return p - s[0] * c.step / (sqrt(v) + f.epsilon);
    }
    case OptimizerKind::sgd: {
      if (r.momentum == 0) return p - g * c.learning_rate;
      s[0] = flushed(s[0] * f.momentum - g * c.learning_rate);
      return r.nesterov ? p + (s[0] * f.momentum - g * c.learning_rate) : p + s[0];
    }
    case OptimizerKind::rmsprop: {
      s[0] = flushed(s[0] * f.rho + g * g * f.rest);
      T denominator = s[0] + f.epsilon;
      if (r.centered) {
        s[2] = flushed(s[2] * f.rho + g * f.rest);
        denominator = s[0] - s[2] * s[2] + f.epsilon;
      }
      T increment = g * c.learning_rate / sqrt(denominator);
      if (r.momentum != 0) s[1] = increment = flushed(increment + s[1] * f.momentum);
      return p - increment;
    }
    case OptimizerKind::adagrad: s[0] += g * g; return p - g * c.learning_rate / sqrt(s[0] + f.epsilon);
  }
  return p;
}

// What a segment's gradients are multiplied with: g * limit / max(norm, limit), as Keras clips. NaN for a norm that is
// not finite or not a number.
template <class T>
__device__ __forceinline__ T clipping_scale(const OptimizerArgs& a, const Constants<T>& c, int64_t segment) {
  const OptimizerRule& r = a.rule;
  if (r.clipping != Clipping::norm && r.clipping != Clipping::global_norm) return T(1);
  const double squares = a.norms[r.clipping == Clipping::norm ? segment : a.segments];
  const double norm = sqrt(squares) * static_cast<double>(c.per_count);
  if (norm - norm != 0) return static_cast<T>(norm - norm);
  return norm <= r.clip ? T(1) : static_cast<T>(r.clip / norm);
}

// What a thread knows of the segment it is in.
template <class T>
struct Segment {
  int64_t end = 0;
  bool active, decays;
  T scale;
};

template <class T>
__device__ __forceinline__ Segment<T> enter(const OptimizerArgs& a, const Constants<T>& c, int64_t at) {
  const int64_t number = segment_of(a.table, a.segments, 0, at);
  const int64_t* row = a.table + number * kSegmentFields;
  return {row[1], (row[2] & kSegmentActive) != 0, a.rule.weight_decay != 0 && (row[2] & kSegmentDecays),
          clipping_scale(a, c, number)};
}

// N: elements at a time; they belong to one segment. A tile has kPacks * N elements for each thread of a block.
template <class T, int N>
__global__ void __launch_bounds__(kThreads) update_kernel(OptimizerArgs a, Factors<T> f, Buffers<T> b) {
  using P = Pack<T, N>;
  Step<T>& step = shared<Step<T>>();
  begin_step(a, step);
  if (!step.updates) return;
  const Constants<T> c = constants(a, step);
  constexpr int64_t kTile = int64_t{kThreads} * kPacks * N;
  for (int64_t tile = blockIdx.x * kTile; tile < a.n; tile += gridDim.x * kTile) {
    Segment<T> segment{};
#pragma unroll 1
    for (int pack = 0; pack < kPacks; ++pack) {
      const int64_t i = tile + (pack * kThreads + static_cast<int>(threadIdx.x)) * N;
      if (i >= a.n) break;
      P p = *reinterpret_cast<const P*>(b.parameters + i), g = *reinterpret_cast<const P*>(b.gradients + i), s[3] = {};
#pragma unroll
      for (int k = 0; k < 3; ++k)
        if (b.state[k]) s[k] = *reinterpret_cast<const P*>(b.state[k] + i);
      if (i >= segment.end) segment = enter(a, c, i);
      if (!segment.active) continue;
#pragma unroll
      for (int j = 0; j < N; ++j) {
        g.v[j] *= c.per_count;
        if (a.rule.clipping == Clipping::value)
          g.v[j] = g.v[j] > f.clip ? f.clip : (g.v[j] < -f.clip ? -f.clip : g.v[j]);
        g.v[j] *= segment.scale;
        if (segment.decays) p.v[j] -= p.v[j] * f.decay * c.learning_rate;
        T of_one[3] = {s[0].v[j], s[1].v[j], s[2].v[j]};
        p.v[j] = update(a.rule, f, c, p.v[j], g.v[j], of_one);
#pragma unroll
        for (int k = 0; k < 3; ++k) s[k].v[j] = of_one[k];
      }
      *reinterpret_cast<P*>(b.parameters + i) = p;
#pragma unroll
      for (int k = 0; k < 3; ++k)
        if (b.state[k]) *reinterpret_cast<P*>(b.state[k] + i) = s[k];
    }
  }
}

template <class T, int N>
void launch_update(const OptimizerArgs& a, const Buffers<T>& b) {
  const OptimizerRule& r = a.rule;
  const Factors<T> f{static_cast<T>(1 - r.beta_1),   static_cast<T>(1 - r.beta_2), static_cast<T>(r.rho),
                     static_cast<T>(1 - r.rho),      static_cast<T>(r.momentum),   static_cast<T>(r.epsilon),
                     static_cast<T>(r.weight_decay), static_cast<T>(r.clip)};
  const int64_t tiles = ceil_div(a.n, int64_t{kThreads} * kPacks * N);
  const unsigned blocks = blocks_for(tiles > 0 ? tiles : 1, kWaves);  // one counts the step where there is nothing else
  launch(update_kernel<T, N>, Grid{blocks, kThreads, sizeof(Step<T>)}, stream_of(a), a, f, b);
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads) accumulate_kernel(GradientAccumulateArgs a) {
  using P = Pack<T, N>;
  if (a.status->code != Fault::none) return;
  const T per_count = reciprocal<T>(count_of(a.count, a.count_dtype));
  const bool first = *a.iterations % a.accumulation == 0;
  const T* gradients = static_cast<const T*>(a.gradients);
  T* sums = static_cast<T*>(a.sums);
  int64_t end = 0;  // of the segment
  T scale = T(0);
  for (int64_t i = global_thread() * N; i < a.n; i += global_threads() * N) {
    if (i >= end) {
      const int64_t* row = a.table + segment_of(a.table, a.segments, 0, i) * kSegmentFields;
      end = row[1], scale = row[2] & kSegmentActive ? per_count : T(0);
    }
    P sum{};
    if (!first) sum = *reinterpret_cast<const P*>(sums + i);
    if (scale != 0) {
      const P g = *reinterpret_cast<const P*>(gradients + i);
#pragma unroll
      for (int j = 0; j < N; ++j) sum.v[j] += g.v[j] * scale;
    }
    *reinterpret_cast<P*>(sums + i) = sum;
  }
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads) average_kernel(MovingAverageArgs a) {
  using P = Pack<T, N>;
  if (a.status->code != Fault::none) return;
  const int64_t update = (*a.iterations - 1) / a.accumulation;  // how many came before this one
  const T momentum = update == 0 ? T(0) : static_cast<T>(a.momentum), rest = T(1) - momentum;
  const bool overwrites = a.overwrite_every > 0 && (update + 1) % a.overwrite_every == 0;
  T* parameters = static_cast<T*>(a.parameters);
  T* averages = static_cast<T*>(a.averages);
  for (int64_t i = global_thread() * N; i < a.n; i += global_threads() * N) {
    const P p = *reinterpret_cast<const P*>(parameters + i);
    P average = *reinterpret_cast<const P*>(averages + i);
#pragma unroll
    for (int j = 0; j < N; ++j) average.v[j] = average.v[j] * momentum + p.v[j] * rest;
    *reinterpret_cast<P*>(averages + i) = average;
    if (overwrites) *reinterpret_cast<P*>(parameters + i) = average;
  }
}

template <class Args>
void launch_flat(void (*kernel)(Args), const Args& a, int64_t per_thread) {
  launch(kernel, Grid{blocks_for(ceil_div(a.n, kThreads * per_thread)), kThreads}, stream_of(a), a);
}

// Squares are summed in double: in float32 they overflow from 1.8e19 on.
template <class T>
__global__ void __launch_bounds__(kThreads) squares_kernel(GradientNormsArgs a) {
  TeamSlots& slots = shared<TeamSlots>();
  const T* gradients = static_cast<const T*>(a.gradients);
  const int64_t block = blockIdx.x;
  const int64_t* segment = a.table + segment_of(a.table, a.segments, 3, block) * kSegmentFields;
  const int64_t begin = segment[0] + (block - segment[3]) * kOptimizerBlock;
  const int64_t end = segment[1] < begin + kOptimizerBlock ? segment[1] : begin + kOptimizerBlock;
  const Span span = span_of(gradients, begin, end);
  constexpr int kStep = kThreads * kLanes<T>;
  double sum = 0;
#pragma unroll 1
  for (int64_t at = span.first + int64_t{threadIdx.x} * kLanes<T>; at < end; at += kAhead * kStep) {
    Pack<T> g[kAhead];
    load_run(gradients, at, kStep, span, g);
#pragma unroll
    for (int u = 0; u < kAhead; ++u)
#pragma unroll
      for (int i = 0; i < kLanes<T>; ++i) sum += static_cast<double>(g[u].v[i]) * static_cast<double>(g[u].v[i]);
  }
  sum = reduce_team(sum, Plus(), Team{kThreads}, slots);
  if (threadIdx.x == 0) static_cast<double*>(a.scratch)[block] = sum;
}

// squares[s]: a block for each segment.
__global__ void __launch_bounds__(kThreads) add_squares_kernel(GradientNormsArgs a) {
  TeamSlots& slots = shared<TeamSlots>();
  const double* partial = static_cast<const double*>(a.scratch);
  const int64_t s = blockIdx.x;
  const int64_t first = a.table[s * kSegmentFields + 3];
  const int64_t stop = s + 1 < a.segments ? a.table[(s + 1) * kSegmentFields + 3] : a.blocks;
  double sum = 0;
  for (int64_t block = first + threadIdx.x; block < stop; block += kThreads) sum += partial[block];
  sum = reduce_team(sum, Plus(), Team{kThreads}, slots);
  if (threadIdx.x == 0) a.squares[s] = sum;
}

__global__ void __launch_bounds__(kThreads) add_segments_kernel(GradientNormsArgs a) {
  TeamSlots& slots = shared<TeamSlots>();
  double sum = 0;
  for (int64_t s = threadIdx.x; s < a.segments; s += kThreads)
    if (a.table[s * kSegmentFields + 2] & kSegmentActive) sum += a.squares[s];
  sum = reduce_team(sum, Plus(), Team{kThreads}, slots);
  if (threadIdx.x == 0) a.squares[a.segments] = sum;
}

}  // namespace

void optimizer_update(const OptimizerArgs& a) {
  const OptimizerRule& r = a.rule;
  const bool rmsprop = r.kind == OptimizerKind::rmsprop, adam = r.kind == OptimizerKind::adam;
  const bool used[3] = {r.kind != OptimizerKind::sgd || r.momentum != 0, adam || (rmsprop && r.momentum != 0),
                        (adam && r.amsgrad) || (rmsprop && r.centered)};
  with_float(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    Buffers<T> b{static_cast<T*>(a.parameters), static_cast<const T*>(a.gradients), {}};
    for (int k = 0; k < 3; ++k) b.state[k] = used[k] ? static_cast<T*>(a.state[k]) : nullptr;
    if (aligned(b.parameters, b.gradients, b.state[0], b.state[1], b.state[2]))
      launch_update<T, kLanes<T>>(a, b);
    else
      launch_update<T, 1>(a, b);
  });
}

void gradient_accumulate(const GradientAccumulateArgs& a) {
  with_float(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (aligned(a.sums, a.gradients))
      launch_flat(accumulate_kernel<T, kLanes<T>>, a, kLanes<T>);
    else
      launch_flat(accumulate_kernel<T, 1>, a, 1);
  });
}

void moving_average(const MovingAverageArgs& a) {
  with_float(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (aligned(a.parameters, a.averages))
      launch_flat(average_kernel<T, kLanes<T>>, a, kLanes<T>);
    else
      launch_flat(average_kernel<T, 1>, a, 1);
  });
}

int64_t gradient_norms_scratch(const GradientNormsArgs& a) { return a.blocks * static_cast<int64_t>(sizeof(double)); }

void gradient_norms(const GradientNormsArgs& a) {
  with_float(a.dtype, [&](auto zero) {
    launch(squares_kernel<decltype(zero)>, Grid{static_cast<unsigned>(a.blocks), kThreads, sizeof(TeamSlots)},
           stream_of(a), a);
  });
  launch(add_squares_kernel, Grid{static_cast<unsigned>(a.segments), kThreads, sizeof(TeamSlots)}, stream_of(a), a);
  launch(add_segments_kernel, Grid{1, kThreads, sizeof(TeamSlots)}, stream_of(a), a);
}

}  // namespace dlbd::cuda
