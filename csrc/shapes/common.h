// What every operation's argument struct is made of. Plain data only: the per-ISA kernel sources
// include this, so nothing here may emit code (no methods, no default member initialisers, no std containers).
#pragma once

#include <cstdint>

namespace dlbd {

enum class DType : int32_t { f32, f64, i32, i64, u8, b8 };

// What only the data can show is reported here; the optimizer skips its update while code is set.
enum class Fault : int64_t { none, label_out_of_range, index_out_of_range, label_not_whole };

struct Status {
  Fault code;
  int64_t value;  // the offending label or index; the bits of a double for label_not_whole
  int64_t limit;  // it had to lie in [0, limit)
  int64_t where;  // its flat position in the array it came from
};

// How products of float32 arrays are computed on a GPU that has tensor cores: exactly; with each factor as the sum of
// two tf32 numbers (close to exact: Ootomo and Yokota 2022); or with factors rounded to tf32, bf16, fp16. Sums are
// float32.
enum class MatmulPrecision : int32_t { f32, tf32x3, tf32, bf16, fp16 };

// First member (as base) of every kernel's Args. The launcher fills it.
struct LaunchArgs {
  int32_t threads;  // how many workers may run this kernel; never changes the result
  void* scratch;    // 64-byte aligned, as many bytes as the kernel's _scratch function asked for
  Status* status;
  void* stream;               // GPU only: where the kernel is queued
  MatmulPrecision precision;  // GPU only
};

// Activations whose derivative can be computed from their output: they ride in the epilogue of gemm and conv.
enum class Activation : int32_t { linear, relu, leaky_relu, sigmoid, tanh, elu, softplus };

struct ActivationSpec {
  Activation kind;
  float alpha;  // slope of leaky_relu, scale of elu
};

}  // namespace dlbd
