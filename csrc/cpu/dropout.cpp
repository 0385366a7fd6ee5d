// Dropout with a counter-based generator: forward and backward draw the same mask, on any number of threads.
#include "../shapes/dropout.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "philox.h"

namespace dlbd::DLBD_ISA {
namespace {

struct Mask {
  uint64_t seed, block;
  uint32_t threshold;
  bool nothing;  // rate 1 keeps nothing

  DLBD_INLINE Mask(double rate, const int64_t* used)
      : seed(static_cast<uint64_t>(used[0])), block(static_cast<uint64_t>(used[1])) {
    const double scaled = rate * 4294967296.0;
    nothing = scaled >= 4294967295.0;
    threshold = nothing ? 0xFFFFFFFFu : static_cast<uint32_t>(scaled);
  }
  // The random numbers of group g.
  DLBD_INLINE void draw(int64_t g, uint32_t* numbers) const {
    philox_group(seed, block + static_cast<uint64_t>(g * kRandomBlocks), numbers);
  }
  DLBD_INLINE bool keeps(uint32_t number) const { return number >= threshold && !nothing; }
};

// y = x scaled where the mask keeps it, or y += that.
template <class T>
struct Scale {
  const T* x;
  T* y;
  T factor;
  bool accumulate;

  DLBD_INLINE void apply(int64_t i, bool keep) const {
    const T value = keep ? x[i] * factor : T(0);
    y[i] = accumulate ? y[i] + value : value;
  }
};

template <class T>
void drop_each(int threads, const DropoutShape& s, const Mask& mask, const Scale<T>& scale) {
  parallel_for(threads, s.size, kRandomTask, [&](int64_t begin, int64_t end, int) {
    uint32_t numbers[kRandomGroup];
    for (int64_t i = begin; i < end; i += kRandomGroup) {
      mask.draw(i / kRandomGroup, numbers);
      const int64_t n = min_of(end - i, kRandomGroup);
      for (int64_t j = 0; j < n; ++j) scale.apply(i + j, mask.keeps(numbers[j]));
    }
  });
}

// The mask as bytes first, then spread over x.
template <class T>
void drop_broadcast(int threads, const DropoutShape& s, const Mask& mask, const Scale<T>& scale, uint8_t* kept) {
  parallel_for(threads, s.noise, kRandomTask, [&](int64_t begin, int64_t end, int) {
    uint32_t numbers[kRandomGroup];
    for (int64_t i = begin; i < end; i += kRandomGroup) {
      mask.draw(i / kRandomGroup, numbers);
      const int64_t n = min_of(end - i, kRandomGroup);
      for (int64_t j = 0; j < n; ++j) kept[i + j] = mask.keeps(numbers[j]);
    }
  });
  const int64_t inner = s.sizes[s.dims - 1], stride = s.strides[s.dims - 1];
  if (inner == 0) return;
  parallel_for(threads, s.size / inner, max_of<int64_t>(1, kRandomTask / inner), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row;
      const uint8_t* from = kept;
      for (int d = s.dims - 2; d >= 0; --d) {
        from += rest % s.sizes[d] * s.strides[d];
        rest /= s.sizes[d];
      }
      if (stride == 0) {
        const bool keep = *from;
        for (int64_t j = 0; j < inner; ++j) scale.apply(row * inner + j, keep);
      } else {
        for (int64_t j = 0; j < inner; ++j) scale.apply(row * inner + j, from[j]);
      }
    }
  });
}

template <class T>
void drop(const LaunchArgs& a, const DropoutShape& s, double rate, const int64_t* used, const void* x, void* y,
          bool accumulate) {
  const Mask mask(rate, used);
  const T factor = mask.nothing ? T(0) : static_cast<T>(1.0 / (1.0 - rate));
  const Scale<T> scale{static_cast<const T*>(x), static_cast<T*>(y), factor, accumulate};
  if (s.noise == s.size) return drop_each<T>(a.threads, s, mask, scale);
  drop_broadcast<T>(a.threads, s, mask, scale, static_cast<uint8_t*>(a.scratch));
}

DLBD_INLINE int64_t mask_bytes(const DropoutShape& s) { return s.noise == s.size ? 0 : s.noise; }

}  // namespace

int64_t dropout_forward_scratch(const DropoutForwardArgs& a) { return mask_bytes(a.shape); }
int64_t dropout_backward_scratch(const DropoutBackwardArgs& a) { return mask_bytes(a.shape); }

void dropout_forward(const DropoutForwardArgs& a) {
  const DropoutShape& s = a.shape;
  a.used[0] = a.counter[0], a.used[1] = a.counter[1];
  a.counter[1] += ceil_div(s.noise, kRandomGroup) * kRandomBlocks;
  if (s.dtype == DType::f64) return drop<double>(a, s, a.rate, a.used, a.x, a.y, false);
  drop<float>(a, s, a.rate, a.used, a.x, a.y, false);
}

void dropout_backward(const DropoutBackwardArgs& a) {
  if (a.shape.dtype == DType::f64) return drop<double>(a, a.shape, a.rate, a.used, a.dy, a.dx, a.accumulate);
  drop<float>(a, a.shape, a.rate, a.used, a.dy, a.dx, a.accumulate);
}

}  // namespace dlbd::DLBD_ISA
