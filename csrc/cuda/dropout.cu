// Dropout with a counter-based generator: forward and backward draw the same mask, the CPU twin's bit for bit.
#include "../shapes/dropout.h"
#include "../shapes/kernels.h"
#include "philox.h"

namespace dlbd::cuda {
namespace {

struct Mask {
  const int64_t* used;  // seed and number of the first block
  uint32_t threshold;
  bool nothing;  // rate 1 keeps nothing

  __device__ __forceinline__ bool operator()(uint32_t number) const { return number >= threshold && !nothing; }
};
__device__ __forceinline__ Drawn<bool> draw(const Mask& mask, int64_t place) {
  return draw<bool>(mask.used, place, mask);
}

Mask mask_of(double rate, const int64_t* used) {
  const double scaled = rate * 4294967296.0;
  const bool nothing = scaled >= 4294967295.0;
  return {used, nothing ? 0xFFFFFFFFu : static_cast<uint32_t>(scaled), nothing};
}

// y = x scaled where the mask keeps it, or y += that.
template <class T>
struct Scale {
  const T* x;
  T* y;
  T factor;
  bool accumulate;

  __device__ __forceinline__ T value(bool keep, T x, T y) const {
    const T scaled = keep ? x * factor : T(0);
    return accumulate ? y + scaled : scaled;
  }
};

template <class T>
__device__ __forceinline__ Run<T> load_run(const T* p) {
  Run<T> run;
  if constexpr (sizeof(run) == 16) {
    run = *reinterpret_cast<const Run<T>*>(p);
  } else {
#pragma unroll
    for (int i = 0; i < kBlocks; ++i) run.v[i] = p[i];
  }
  return run;
}

template <class T>
__global__ void drop_kernel(int64_t n, Mask mask, Scale<T> s, bool packed) {
  const int64_t place = global_thread();
  if (first_of(place, 0) >= n) return;
  if (packed && first_of(place, kRuns - 1) + kBlocks <= n) {
    Run<T> x[kRuns], y[kRuns];
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
      x[r] = load_run(s.x + first_of(place, r));
      if (s.accumulate) y[r] = load_run(s.y + first_of(place, r));
    }
    const Drawn<bool> drawn = draw(mask, place);
#pragma unroll
    for (int r = 0; r < kRuns; ++r) {
#pragma unroll
      for (int b = 0; b < kBlocks; ++b) y[r].v[b] = s.value(drawn.of[r][b], x[r].v[b], y[r].v[b]);
      store_run(s.y + first_of(place, r), y[r]);
    }
    return;
  }
  const Drawn<bool> drawn = draw(mask, place);
#pragma unroll
  for (int r = 0; r < kRuns; ++r)
#pragma unroll
    for (int b = 0; b < kBlocks; ++b) {
      const int64_t i = first_of(place, r) + b;
      if (i < n) s.y[i] = s.value(drawn.of[r][b], s.x[i], s.accumulate ? s.y[i] : T(0));
    }
}

// A broadcast mask, as bytes.
__global__ void mask_kernel(int64_t n, Mask mask, uint8_t* kept) {
  const int64_t place = global_thread();
  if (first_of(place, 0) >= n) return;
  const Drawn<bool> drawn = draw(mask, place);
#pragma unroll
  for (int r = 0; r < kRuns; ++r)
#pragma unroll
    for (int b = 0; b < kBlocks; ++b)
      if (first_of(place, r) + b < n) kept[first_of(place, r) + b] = drawn.of[r][b];
}

// Places that a thread of the next kernel has in flight.
template <int V>
constexpr int kSpread = V == 4 ? 4 : 8;

// V neighbours at a place, whose decisions are `step` apart. Offsets: in x and y, in the mask.
template <class T, int V>
__global__ void spread_kernel(Walk<2> walk, const uint8_t* kept, int step, Scale<T> s) {
  constexpr int U = kSpread<V>;
  int64_t at[U][2] = {};
  walk.locate_own(at);
  Pack<T, V> x[U];
  bool keep[U][V];
#pragma unroll
  for (int u = 0; u < U; ++u) {
    x[u] = *reinterpret_cast<const Pack<T, V>*>(s.x + at[u][0]);
#pragma unroll
    for (int i = 0; i < V; ++i) keep[u][i] = kept[at[u][1] + i * step];
  }
#pragma unroll
  for (int u = 0; u < U; ++u) {
    if (walk_place<U>(u) >= walk.total) continue;
    Pack<T, V>* to = reinterpret_cast<Pack<T, V>*>(s.y + at[u][0]);
    Pack<T, V> y = s.accumulate ? *to : Pack<T, V>{};
#pragma unroll
    for (int i = 0; i < V; ++i) y.v[i] = s.value(keep[u][i], x[u].v[i], y.v[i]);
    *to = y;
  }
}

template <class T, int V>
void spread(const LaunchArgs& a, const DropoutShape& s, const uint8_t* kept, const Scale<T>& scale) {
  Places<2> places;
  int64_t step = 1;  // in x
  for (int d = s.dims - 1; d >= 0; --d) {
    const int64_t neighbours = d == s.dims - 1 ? V : 1;
    places.append(s.sizes[d] / neighbours, {step * neighbours, s.strides[d] * neighbours});
    step *= s.sizes[d];
  }
  const int inner = static_cast<int>(s.strides[s.dims - 1]);
  places.each_walk([&](const Walk<2>& walk, const int64_t* at) {
    const Scale<T> part{scale.x + at[0], scale.y + at[0], scale.factor, scale.accumulate};
    launch(spread_kernel<T, V>, walk_grid<kSpread<V>>(walk.total), stream_of(a), walk, kept + at[1], inner, part);
  });
}

template <class T>
void drop_as(const LaunchArgs& a, const DropoutShape& s, double rate, const int64_t* used, const void* x, void* y,
             bool accumulate) {
  const Mask mask = mask_of(rate, used);
  const T factor = mask.nothing ? T(0) : static_cast<T>(1.0 / (1.0 - rate));
  const Scale<T> scale{static_cast<const T*>(x), static_cast<T*>(y), factor, accumulate};
  const bool packed = aligned(x, y);
  if (s.noise == s.size) {
    launch(drop_kernel<T>, draw_grid(s.size), stream_of(a), s.size, mask, scale, packed);
    return;
  }
  uint8_t* kept = static_cast<uint8_t*>(a.scratch);
  launch(mask_kernel, draw_grid(s.noise), stream_of(a), s.noise, mask, kept);
  constexpr int V = Pack<T>::kSize;
  packed&& s.sizes[s.dims - 1] % V == 0 ? spread<T, V>(a, s, kept, scale) : spread<T, 1>(a, s, kept, scale);
}

void drop(const LaunchArgs& a, const DropoutShape& s, double rate, const int64_t* used, const void* x, void* y,
          bool accumulate) {
  with_float(s.dtype, [&](auto zero) { drop_as<decltype(zero)>(a, s, rate, used, x, y, accumulate); });
}

int64_t mask_bytes(const DropoutShape& s) { return s.noise == s.size ? 0 : s.noise; }

}  // namespace

int64_t dropout_forward_scratch(const DropoutForwardArgs& a) { return mask_bytes(a.shape); }
int64_t dropout_backward_scratch(const DropoutBackwardArgs& a) { return mask_bytes(a.shape); }

void dropout_forward(const DropoutForwardArgs& a) {
  launch(advance_kernel, {1, 1}, stream_of(a), a.counter, a.used, a.shape.noise);
  drop(a, a.shape, a.rate, a.used, a.x, a.y, false);
}

void dropout_backward(const DropoutBackwardArgs& a) { drop(a, a.shape, a.rate, a.used, a.dy, a.dx, a.accumulate); }

}  // namespace dlbd::cuda
