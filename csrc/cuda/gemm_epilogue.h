// What happens to the sums of a product on their way to C; shared by its kernels.
#pragma once

#include "../shapes/gemm.h"
#include "scalar_math.h"
#include "vector.h"

namespace dlbd::cuda {

// C = act(sum [+ C] [+ bias of the column]).
template <class T>
struct Epilogue {
  const T* bias;  // or null
  ActivationSpec activation;
  bool add;  // to what is in C
};

template <class T>
__host__ __device__ __forceinline__ Epilogue<T> epilogue_of(const GemmArgs& a) {
  return {static_cast<const T*>(a.bias), a.activation, a.accumulate};
}

// For sums that more will be added to.
template <class T>
__host__ __device__ __forceinline__ Epilogue<T> unfinished(bool add) {
  return {nullptr, {Activation::linear, 0.0f}, add};
}

// The activations that kernels apply to sums in registers. The others are big: they are applied in a loop over what the
// thread has stored, so that their code is there once and not once per register.
template <class T>
__device__ __forceinline__ bool in_registers(const Epilogue<T>& e) {
  return e.activation.kind <= Activation::leaky_relu;
}

template <class T>
__device__ __forceinline__ T finish(const Epilogue<T>& e, T sum, T before, T bias) {
  if (e.add) sum += before;
  if (e.bias) sum += bias;
  if (e.activation.kind == Activation::relu) return sum < T(0) ? T(0) : sum;  // NaN stays NaN
  if (e.activation.kind == Activation::leaky_relu) return sum < T(0) ? sum * static_cast<T>(e.activation.alpha) : sum;
  return sum;
}

template <class T>
__device__ __forceinline__ void store_one(const Epilogue<T>& e, T* c, int64_t column, T sum) {
  *c = finish(e, sum, e.add ? *c : T(0), e.bias ? e.bias[column] : T(0));
}

// N numbers of a row from `column` on, of which `left` lie in the matrix; packed: all or none of them do, and C and
// bias are aligned for it.
template <int N>
__device__ __forceinline__ void store_some(const Epilogue<float>& e, float* c, int64_t column, int64_t left,
                                           bool packed, const float (&sum)[N]) {
  using P = Pack<float, N>;
  if (packed) {
    if (left <= 0) return;
    P before{}, bias{}, y;
    if (e.add) before = *reinterpret_cast<const P*>(c);
    if (e.bias) bias = *reinterpret_cast<const P*>(e.bias + column);
#pragma unroll
    for (int i = 0; i < N; ++i) y.v[i] = finish(e, sum[i], before.v[i], bias.v[i]);
    *reinterpret_cast<P*>(c) = y;
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i)
      if (i < left) store_one(e, c + i, column + i, sum[i]);
  }
}

}  // namespace dlbd::cuda
