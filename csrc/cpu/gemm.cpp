// C = act(op(A) op(B) + bias).
#include "../shapes/gemm.h"

#include "activation.h"
#include "kernels.h"
#include "micro.h"
#include "parallel.h"

namespace dlbd::DLBD_ISA {
namespace {

// Any dtype and any sizes, vectorised over N: the reference that the other paths are tested against.
template <class T>
void gemm_generic(const GemmArgs& args) {
  const GemmShape& s = args.shape;
  const int64_t lda = s.trans_a ? s.m : s.k, ldb = s.trans_b ? s.k : s.n;
  const int64_t a_row = s.trans_a ? 1 : lda, a_k = s.trans_a ? lda : 1;
  const int64_t b_k = s.trans_b ? 1 : ldb, b_col = s.trans_b ? ldb : 1;
  parallel_for(args.threads, s.batch * s.m, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t batch = row / s.m, i = row % s.m;
      const T* a = static_cast<const T*>(args.a) + batch * s.a_stride + i * a_row;
      const T* b = static_cast<const T*>(args.b) + batch * s.b_stride;
      const T* bias = static_cast<const T*>(args.bias);
      T* c = static_cast<T*>(args.c) + batch * s.c_stride + i * s.n;
      for (int64_t j = 0; j < s.n; j += kLanes<T>) {
        const int64_t lanes = min_of<int64_t>(kLanes<T>, s.n - j);
        Vec<T> sum{};
        for (int64_t p = 0; p < s.k; ++p) {
          Vec<T> column{};
          if (b_col == 1) {
            column = load_n(b + p * b_k + j, lanes);
          } else {
            for (int64_t lane = 0; lane < lanes; ++lane) column[lane] = b[p * b_k + (j + lane) * b_col];
          }
          sum += splat(a[p * a_k]) * column;
        }
        if (args.accumulate) sum += load_n(c + j, lanes);
        if (bias) sum += load_n(bias + j, lanes);
        store_n(c + j, activate<T>(args.activation, sum), lanes);
      }
    }
  });
}

}  // namespace

void gemm(const GemmArgs& args) {
  if (args.shape.dtype == DType::f64) return gemm_generic<double>(args);
  gemm_generic<float>(args);
}

}  // namespace dlbd::DLBD_ISA
