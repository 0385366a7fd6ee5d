// What the forward and the backward of attention share: where a head's rows lie, and its logits.
#pragma once

#include "../shapes/attention.h"
#include "gemm_core.h"
#include "rows.h"
#include "vector_math.h"

namespace dlbd::DLBD_ISA {

template <class T>
constexpr T kMinusInfinity = T(-__builtin_inf());

// exp(x) for x of at most about 1, zero below -87: without subnormal results, which cost hundreds of cycles each and
// would come from every masked key. The polynomial is that of exp in vector_math.h.
DLBD_INLINE Vec<float> exp_of_logit(Vec<float> x) {
  using V = Vec<float>;
  using I = Vec<int32_t>;
  const V lowest = splat(-87.0f);
  const V clamped = x < lowest ? lowest : x;  // a NaN passes
  const V magic = splat(12582912.0f);         // 1.5 * 2^23: adding it rounds to an integer
  const V shifted = fma<float>(clamped, splat(1.44269504088896341f), magic);
  const V n = shifted - magic;
  V r = fma<float>(n, splat(-0.693359375f), clamped);
  r = fma<float>(n, splat(2.12194440e-4f), r);
  V p = splat(1.9875691500e-4f);
  p = fma<float>(p, r, splat(1.3981999507e-3f));
  p = fma<float>(p, r, splat(8.3334519073e-3f));
  p = fma<float>(p, r, splat(4.1665795894e-2f));
  p = fma<float>(p, r, splat(1.6666665459e-1f));
  p = fma<float>(p, r, splat(5.0000001201e-1f));
  p = fma<float>(p, r * r, r) + 1.0f;
  const I e = (I)shifted - (I)magic;
  return x < lowest ? V{} : p * (V)((e + 127) << 23);
}

DLBD_INLINE Vec<double> exp_of_logit(Vec<double> x) { return exp(x); }

// Row `row` of head (b, h) of an array (B, T, H, width); the next row is heads * width elements on.
template <class T>
DLBD_INLINE T* head_row(const void* data, int64_t b, int64_t h, int64_t row, int64_t t, int64_t heads, int64_t width) {
  return const_cast<T*>(static_cast<const T*>(data)) + ((b * t + row) * heads + h) * width;
}

// Queries times scale, row by row without gaps.
template <class T>
DLBD_INLINE void scale_rows(const T* from, int64_t stride, int64_t rows, int64_t width, T scale, T* to) {
  for (int64_t r = 0; r < rows; ++r)
    each_vector<T>(width, [&](int64_t j, int64_t lanes) {
      store_part<T>(to + r * width + j, load_part(from + r * stride + j, lanes) * scale, lanes);
    });
}

// Adds the bias to n logits of query i from key k0 on and puts -inf where the mask forbids.
template <class T>
DLBD_INLINE void adjust_logits(const AttentionTable& mask, const AttentionTable& bias, int64_t b, int64_t h, int64_t i,
                               int64_t k0, int64_t n, T* s) {
  if (bias.data) {
    const T* p = static_cast<const T*>(bias.data) + b * bias.batch + h * bias.head + i * bias.query + k0 * bias.key;
    if (bias.key == 0) {
      for (int64_t j = 0; j < n; ++j) s[j] += *p;
    } else {
      for (int64_t j = 0; j < n; ++j) s[j] += p[j];
    }
  }
  if (mask.data) {
    const uint8_t* p =
        static_cast<const uint8_t*>(mask.data) + b * mask.batch + h * mask.head + i * mask.query + k0 * mask.key;
    if (mask.key == 0) {
      if (!*p)
        for (int64_t j = 0; j < n; ++j) s[j] = kMinusInfinity<T>;
    } else {
      for (int64_t j = 0; j < n; ++j) s[j] = p[j] ? s[j] : kMinusInfinity<T>;
    }
  }
}

}  // namespace dlbd::DLBD_ISA
