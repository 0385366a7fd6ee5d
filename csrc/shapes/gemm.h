// C[b] = act(op(A[b]) op(B[b]) + bias), row-major, M x N x K.
#pragma once

#include "common.h"

namespace dlbd {

// Which implementation runs. `generic` serves every dtype; the others are float32 only.
// packed: A and B copied into panels block by block. small: operands in place where their layout allows.
// skinny: few rows or one column, bound by the memory that the large operand comes from.
enum class GemmPath : int32_t { generic, packed, small, skinny };

// Rows that the skinny path takes at most: of a product with B as it is stored, and of dot products with a transposed
// B.
inline constexpr int64_t kGemmStreamRows = 8, kGemmDotRows = 4;

struct GemmShape {
  int64_t batch, m, n, k;
  bool trans_a, trans_b;                 // A is stored K x M, B is stored N x K
  int64_t a_stride, b_stride, c_stride;  // elements between consecutive matrices of the batch; 0 broadcasts
  DType dtype;
  GemmPath path;
};

struct GemmArgs : LaunchArgs {
  GemmShape shape;
  const void* a;
  const void* b;
  const void* bias;  // N values or null
  void* c;
  ActivationSpec activation;
  bool accumulate;  // add to C; bias and activation are then not allowed
};

// Checks the sizes and picks the path; `path` is "auto" or a name of GemmPath. Throws std::invalid_argument.
GemmShape make_gemm_shape(int64_t batch, int64_t m, int64_t n, int64_t k, bool trans_a, bool trans_b, bool broadcast_a,
                          bool broadcast_b, DType dtype, const char* path);
const char* name_of(GemmPath path);

}  // namespace dlbd
