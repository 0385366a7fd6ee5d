// Operands of attention's products on tensor cores: the packed arrays, tiles of them in shared memory, and fragments. A
// fragment's depth is 32 bytes, 16 numbers of 16 bits or 8 of tf32, so that most of this does not ask which.
#pragma once

#include "async_copy.h"
#include "attention_tile.h"
#include "block.h"
#include "mma.h"

namespace dlbd::cuda {

// Numbers of 16 bits. The accumulators of two products side by side have the layout of an a fragment.
template <class Stored16>
struct Operands16 {
  using Stored = uint16_t;
  static constexpr int kDepth = 16;
  static __device__ __forceinline__ uint4 pack(const float (&x)[8]) {
    return {Stored16::pair(x[0], x[1]), Stored16::pair(x[2], x[3]), Stored16::pair(x[4], x[5]),
            Stored16::pair(x[6], x[7])};
  }
  // Columns kDepth * step of the products s as the a fragment of the next product.
  template <int N>
  static __device__ __forceinline__ void weights(const float (&s)[N][4], int step, uint32_t (&a)[4]) {
    a[0] = Stored16::pair(s[2 * step][0], s[2 * step][1]);
    a[1] = Stored16::pair(s[2 * step][2], s[2 * step][3]);
    a[2] = Stored16::pair(s[2 * step + 1][0], s[2 * step + 1][1]);
    a[3] = Stored16::pair(s[2 * step + 1][2], s[2 * step + 1][3]);
  }
  // Two b fragments, of columns n and n + 8, whose depth is the rows from k on.
  template <class StagedTile>
  static __device__ __forceinline__ void columns(const StagedTile& x, int k, int n, uint32_t (&b)[4]) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    load_matrices_transposed(b, &x.row[k + lane % 16][n + lane / 16 * 8]);
  }
};
struct Bf16 : Operands16<Bf16> {
  static __device__ __forceinline__ uint32_t pair(float low, float high) { return to_bf16(low, high); }
  static __device__ __forceinline__ void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    mma_bf16(c, a, b);
  }
};
struct Fp16 : Operands16<Fp16> {
  static __device__ __forceinline__ uint32_t pair(float low, float high) { return to_fp16(low, high); }
  static __device__ __forceinline__ void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    mma_fp16(c, a, b);
  }
};

// A lane holds columns 2t and 2t + 1 of a product but t and t + 4 of an a fragment: the second product takes its depth
// in the order of the first's columns, in both factors.
struct Tf32 {
  using Stored = uint32_t;
  static constexpr int kDepth = 8;
  static __device__ __forceinline__ uint4 pack(const float (&x)[4]) {
    return {to_tf32(x[0]), to_tf32(x[1]), to_tf32(x[2]), to_tf32(x[3])};
  }
  template <int N>
  static __device__ __forceinline__ void weights(const float (&s)[N][4], int step, uint32_t (&a)[4]) {
    a[0] = to_tf32(s[step][0]), a[1] = to_tf32(s[step][2]), a[2] = to_tf32(s[step][1]), a[3] = to_tf32(s[step][3]);
  }
  template <class StagedTile>
  static __device__ __forceinline__ void columns(const StagedTile& x, int k, int n, uint32_t (&b)[4]) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, g = lane / 4, t = lane % 4;
    b[0] = x.row[k + 2 * t][n + g], b[1] = x.row[k + 2 * t + 1][n + g];
    b[2] = x.row[k + 2 * t][n + 8 + g], b[3] = x.row[k + 2 * t + 1][n + 8 + g];
  }
  static __device__ __forceinline__ void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    mma_tf32(c, a, b);
  }
};

template <class F>
void with_operands(MatmulPrecision precision, const F& f) {
  if (precision == MatmulPrecision::bf16) return f(Bf16{});
  if (precision == MatmulPrecision::fp16) return f(Fp16{});
  f(Tf32{});
}

// Rows of (B, T, H, width) as rows (B, H, T) of kWidth rounded numbers, zeros beyond the width, so that tiles are
// copied by 16 bytes whatever the array's shape and alignment. The operands are read once for each tile of the other
// side: rounding them once pays from two tiles on.
template <class P>
struct PackTask {
  const float* from;
  typename P::Stored* to;
  int64_t t, width;
  float factor;
  bool packs;  // rows are whole aligned packs
};
constexpr int kPackTasks = 4, kPackThreads = 256;
template <class P>
struct PackTasks {
  PackTask<P> task[kPackTasks];
};

// Logits are in units of ln 2, for exp2: the queries are packed times scale log2(e).
constexpr float kLog2E = 1.44269504088896341f, kLn2 = 0.693147180559945309f;

template <class P, int kWidth>
__global__ void __launch_bounds__(kPackThreads) pack_rows(PackTasks<P> all, int64_t batch, int64_t heads) {
  constexpr int kNumbers = 16 / static_cast<int>(sizeof(typename P::Stored)), kPacks = kWidth / kNumbers;
  const PackTask<P> x = all.task[blockIdx.y];
  for (int64_t n = global_thread(); n < batch * heads * x.t * kPacks; n += global_threads()) {
    const int64_t row = n / kPacks, d = n % kPacks * kNumbers;  // rows in the order they are read
    const int64_t h = row % heads, i = row / heads % x.t, b = row / heads / x.t;
    const float* from = x.from + row * x.width;
    float v[kNumbers];
#pragma unroll
    for (int u = 0; u < kNumbers; u += 4) {
      const Pack<float> four = load_four({from, 1, 0, static_cast<int>(x.width), x.packs}, 0, static_cast<int>(d) + u);
#pragma unroll
      for (int w = 0; w < 4; ++w) v[u + w] = four.v[w] * x.factor;
    }
    *reinterpret_cast<uint4*>(x.to + ((b * heads + h) * x.t + i) * kWidth + d) = P::pack(v);
  }
}

template <class P>
PackTask<P> pack_task(const void* from, typename P::Stored* to, int64_t t, int64_t width, float factor) {
  return {static_cast<const float*>(from), to, t, width, factor, width % 4 == 0 && aligned(from)};
}

template <class P, int kWidth>
void pack_operands(const PackTasks<P>& tasks, const AttentionShape& s, cudaStream_t stream) {
  constexpr int64_t kPacks = kWidth * sizeof(typename P::Stored) / 16;
  const int64_t packs = s.batch * s.heads * (s.tq > s.tk ? s.tq : s.tk) * kPacks;
  const dim3 blocks(blocks_for(ceil_div(packs, kPackThreads)),
                    tasks.task[kPackTasks - 1].to ? kPackTasks : kPackTasks - 1);
  launch(pack_rows<P, kWidth>, Grid{blocks, kPackThreads}, stream, tasks, s.batch, s.heads);
}

// Bytes of `rows` packed rows of every head.
inline int64_t packed_bytes(const AttentionShape& s, MatmulPrecision precision, int64_t rows) {
  const int64_t width = s.d > 64 || s.dv > 64 ? 128 : 64;
  return s.batch * s.heads * rows * width * (precision == MatmulPrecision::tf32 ? 4 : 2);
}

template <class F>
void with_tensor_width(const AttentionShape& s, const F& f) {
  if (s.d <= 64 && s.dv <= 64) return f(std::integral_constant<int, 64>{});
  f(std::integral_constant<int, 128>{});
}

template <class Args>
__host__ __device__ __forceinline__ bool has_tables(const Args& a) {
  return a.mask.data || a.bias.data;
}
inline bool fits_shared(size_t bytes) { return static_cast<int64_t>(bytes) <= device().shared_bytes; }

// Whether products of these sizes are computed on tensor cores.
inline bool tensor_path(const AttentionShape& s, MatmulPrecision precision) {
  const bool rounded =
      precision == MatmulPrecision::tf32 || precision == MatmulPrecision::bf16 || precision == MatmulPrecision::fp16;
  return rounded && s.dtype == DType::f32 && s.d <= kWidestTile && s.dv <= kWidestTile && device().capability >= 80;
}

// Rows in shared memory, 16 bytes longer than they need be: 8 rows of 16 bytes meet all banks once.
template <class P, int kRows, int kWidth>
struct alignas(16) Staged {
  static constexpr int kSteps = kWidth / P::kDepth;
  typename P::Stored row[kRows][kWidth + 16 / sizeof(typename P::Stored)];
};

// Begins to copy the rows of one head from `first` on; zeros beyond `count`.
template <class P, int kRows, int kWidth>
__device__ __forceinline__ void stage_async(const typename P::Stored* x, int64_t first, int64_t count,
                                            Staged<P, kRows, kWidth>& to) {
  constexpr int kNumbers = 16 / static_cast<int>(sizeof(typename P::Stored)), kPacks = kWidth / kNumbers;
  static_assert(kRows * kPacks % kAttentionThreads == 0 && kAttentionThreads % kPacks == 0);
  constexpr int kRowsAtOnce = kAttentionThreads / kPacks;
  const int row = static_cast<int>(threadIdx.x) / kPacks, d = static_cast<int>(threadIdx.x) % kPacks * kNumbers;
  const int left = static_cast<int>(smaller(kRows, count - first));
  const typename P::Stored* from = x + (first + row) * kWidth + d;
#pragma unroll
  for (int n = 0; n < kRows; n += kRowsAtOnce)  // rows that do not exist are not read
    copy_async<16>(&to.row[row + n][d], from + n * kWidth, row + n < left ? 16 : 0);
}

// s[m][n] = rows row + 16 m of x times rows 8 n of y. A warp calls; a lane holds (g, 2t) (g, 2t+1) (g+8, 2t) (g+8,
// 2t+1).
template <class P, int M, int N, int kRows, int kWidth>
__device__ __forceinline__ void dot_staged(const Staged<P, kRows, kWidth>& x, int row,
                                           const Staged<P, 8 * N, kWidth>& y, float (&s)[M][N][4]) {
  constexpr int kNumbers = 16 / static_cast<int>(sizeof(typename P::Stored));  // of 16 bytes
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) s[m][n][i] = 0;
#pragma unroll
  for (int step = 0; step < Staged<P, kRows, kWidth>::kSteps; ++step) {
    uint32_t a[M][4];
#pragma unroll
    for (int m = 0; m < M; ++m)
      load_matrices(a[m], &x.row[row + 16 * m + lane % 16][step * P::kDepth + lane / 16 * kNumbers]);
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      uint32_t b[4];
      load_matrices(b, &y.row[8 * n + lane % 8 + lane / 16 * 8][step * P::kDepth + lane / 8 % 2 * kNumbers]);
#pragma unroll
      for (int m = 0; m < M; ++m) {
        P::multiply(s[m][n], a[m], {b[0], b[1]});
        P::multiply(s[m][n + 1], a[m], {b[2], b[3]});
      }
    }
  }
}

// o[m] += s[m] x: s from registers, the sums over the rows of x.
template <class P, int M, int N, int kWidth>
__device__ __forceinline__ void add_staged(const float (&s)[M][N][4], const Staged<P, 8 * N, kWidth>& x,
                                           float (&o)[M][kWidth / 8][4]) {
#pragma unroll
  for (int step = 0; step < 8 * N / P::kDepth; ++step) {
    uint32_t a[M][4];
#pragma unroll
    for (int m = 0; m < M; ++m) P::weights(s[m], step, a[m]);
#pragma unroll
    for (int n = 0; n < kWidth / 8; n += 2) {
      uint32_t b[4];
      P::columns(x, step * P::kDepth, 8 * n, b);
#pragma unroll
      for (int m = 0; m < M; ++m) {
        P::multiply(o[m][n], a[m], {b[0], b[1]});
        P::multiply(o[m][n + 1], a[m], {b[2], b[3]});
      }
    }
  }
}

// 2^x with a relative error of 2^-22; zero for -inf.
__device__ __forceinline__ float exp2_of(float x) {
#if defined(DLBD_CUDA_EMULATION)
  return std::exp2(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

}  // namespace dlbd::cuda
