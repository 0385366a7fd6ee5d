// Tensor cores through mma.sync (PTX ISA, "Warp Level Matrix Multiply-Accumulate Instructions"): compute capability 8.0
// and up. All functions of a warp: its 32 threads call together. Lane l is g = l / 4, t = l % 4.
//
//   fragment        m16n8k8, tf32 (a number per register)     m16n8k16, bf16 and fp16 (two numbers per register)
//   a[0] ... a[3]   (g, t) (g+8, t) (g, t+4) (g+8, t+4)       (g, 2t..2t+1) (g+8, 2t..) (g, 2t+8..) (g+8, 2t+8..)
//   b[0], b[1]      (t, g) (t+4, g)                           (2t..2t+1, g) (2t+8.., g)
//   c[0] ... c[3]   (g, 2t) (g, 2t+1) (g+8, 2t) (g+8, 2t+1)   the same
//
// load_matrices() gives a whole a fragment, or two b fragments, when rows of 16 bytes lie in shared memory.
#pragma once

#include "launch.h"

namespace dlbd::cuda {

// Whether code for this architecture may call what is below: `if constexpr (kTensorCores)` keeps a kernel's body out of
// the others. A launcher asks for device().capability >= kTensorCoreCapability.
#if defined(DLBD_CUDA_EMULATION) || (defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800)
inline constexpr bool kTensorCores = true;
#else
inline constexpr bool kTensorCores = false;
#endif
inline constexpr int kTensorCoreCapability = 80;

// What mma.sync takes as tf32: float32 rounded to 11 bits, half away from zero.
__device__ __forceinline__ uint32_t to_tf32(float x);
// Two numbers rounded to nearest even; the first is in the low half.
__device__ __forceinline__ uint32_t to_bf16(float low, float high);
__device__ __forceinline__ uint32_t to_fp16(float low, float high);

// c += a b. The sum is truncated, not rounded, to float32.
__device__ __forceinline__ void mma_tf32(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
__device__ __forceinline__ void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
__device__ __forceinline__ void mma_fp16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);

// Four matrices of 8 rows of 16 bytes. Lane l names row l % 8 of matrix l / 8 and gets of matrix i, in r[i], the 4
// bytes t of row g; of the transposed matrix of 16-bit numbers: (2t, g) and (2t+1, g).
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const void* shared_row);
__device__ __forceinline__ void load_matrices_transposed(uint32_t (&r)[4], const void* shared_row);

#if defined(DLBD_CUDA_EMULATION)
}  // namespace dlbd::cuda
#include <mma_host.h>
#else

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define DLBD_TENSOR_CORES(...) __VA_ARGS__
#else
#define DLBD_TENSOR_CORES(...) __trap()
#endif

__device__ __forceinline__ uint32_t to_tf32(float x) {
  uint32_t y = 0;
  DLBD_TENSOR_CORES(asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x)));
  return y;
}
__device__ __forceinline__ uint32_t to_bf16(float low, float high) {
  uint32_t y = 0;
  DLBD_TENSOR_CORES(asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low)));
  return y;
}
__device__ __forceinline__ uint32_t to_fp16(float low, float high) {
  uint32_t y = 0;
  DLBD_TENSOR_CORES(asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low)));
  return y;
}

#define DLBD_MMA(name, instruction)                                                                                \
  __device__ __forceinline__ void name(float(&c)[4], const uint32_t(&a)[4], const uint32_t(&b)[2]) {               \
    DLBD_TENSOR_CORES(asm("mma.sync.aligned." instruction " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
                          : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                         \
                          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1])));                    \
  }
DLBD_MMA(mma_tf32, "m16n8k8.row.col.f32.tf32.tf32.f32")
DLBD_MMA(mma_bf16, "m16n8k16.row.col.f32.bf16.bf16.f32")
DLBD_MMA(mma_fp16, "m16n8k16.row.col.f32.f16.f16.f32")
#undef DLBD_MMA
#undef DLBD_TENSOR_CORES

__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const void* shared_row) {
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(shared_row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(at)
               : "memory");
}
__device__ __forceinline__ void load_matrices_transposed(uint32_t (&r)[4], const void* shared_row) {
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(shared_row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(at)
               : "memory");
}

}  // namespace dlbd::cuda
#endif
