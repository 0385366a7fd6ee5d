// What the recurrent layers take from elsewhere: products over all steps by this twin's gemm, and memory to cut up.
#pragma once

#include "../shapes/kernels.h"
#include "launch.h"

namespace dlbd::cuda {

constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// Cuts scratch memory into aligned arrays; with a null base it only counts.
struct ScratchCutter {
  char* base;
  int64_t used;

  template <class T>
  T* take(int64_t count) {
    T* p = base ? reinterpret_cast<T*>(base + used) : nullptr;
    used += ceil_div(count * static_cast<int64_t>(sizeof(T)), 64) * 64;
    return p;
  }
};

// C (m x n) = op(A) op(B), k deep.
inline GemmArgs product_over_steps(const LaunchArgs& launch, DType dtype, int64_t m, int64_t n, int64_t k, bool trans_a,
                                   bool trans_b) {
  GemmArgs g{};
  static_cast<LaunchArgs&>(g) = launch;
  g.shape = make_gemm_shape(1, m, n, k, trans_a, trans_b, false, false, dtype, "auto");
  g.activation = {Activation::linear, 0};
  return g;
}

inline void run_product(GemmArgs g, const void* a, const void* b, const void* bias, void* c, bool accumulate,
                        void* scratch) {
  g.a = a, g.b = b, g.bias = bias, g.c = c, g.accumulate = accumulate, g.scratch = scratch;
  gemm(g);
}

}  // namespace dlbd::cuda
