// The part of CUDA that our kernels use, on the host: each thread of a block is a fiber that runs until it meets a
// barrier. It is found in place of CUDA's own header when the .cu sources are built by an ordinary compiler.
//
// A thread runs as far ahead as it can, in an order that DLBD_EMULATION_ORDER chooses (forward, reverse, or a seed),
// and shared memory starts as 0xFF bytes (NaN): so a missing barrier shows as a wrong result, and a barrier or a
// shuffle that not every thread reaches ends the process with a message.
#pragma once

#include <math.h>  // the global functions of floats, which <cmath> alone lacks

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __grid_constant__
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

#define DLBD_EMULATED_VECTORS(type, base, bytes)                           \
  struct alignas(bytes < 8 ? bytes : 8) type##2 {                          \
    base x, y;                                                             \
  };                                                                       \
  struct alignas(4 * sizeof(base) <= 16 ? 4 * sizeof(base) : 16) type##4 { \
    base x, y, z, w;                                                       \
  };                                                                       \
  inline type##2 make_##type##2(base x, base y) { return {x, y}; }         \
  inline type##4 make_##type##4(base x, base y, base z, base w) { return {x, y, z, w}; }
DLBD_EMULATED_VECTORS(float, float, 8)
DLBD_EMULATED_VECTORS(int, int, 8)
DLBD_EMULATED_VECTORS(uint, unsigned, 8)
#undef DLBD_EMULATED_VECTORS
struct alignas(16) double2 {
  double x, y;
};
inline double2 make_double2(double x, double y) { return {x, y}; }

// The runtime

using cudaError_t = int;
inline constexpr cudaError_t cudaSuccess = 0;
using cudaStream_t = struct CUstream_st*;
using cudaGraph_t = struct CUgraph_st*;
using cudaGraphExec_t = struct CUgraphExec_st*;
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal };
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount,
  cudaDevAttrMaxSharedMemoryPerBlockOptin,
  cudaDevAttrComputeCapabilityMajor,
  cudaDevAttrComputeCapabilityMinor
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
inline constexpr unsigned cudaStreamNonBlocking = 1;

cudaError_t cudaGetLastError();
const char* cudaGetErrorString(cudaError_t);
cudaError_t cudaGetDeviceCount(int*);
cudaError_t cudaGetDevice(int*);
cudaError_t cudaSetDevice(int);
cudaError_t cudaDeviceGetAttribute(int*, cudaDeviceAttr, int);
cudaError_t cudaDriverGetVersion(int*);
cudaError_t cudaRuntimeGetVersion(int*);
cudaError_t cudaMemsetAsync(void*, int, size_t, cudaStream_t);
cudaError_t cudaMemcpyAsync(void*, const void*, size_t, cudaMemcpyKind, cudaStream_t);
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int);
template <class... P>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void (*)(P...), int, size_t) {
  *blocks = 1;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t*, unsigned);
cudaError_t cudaStreamDestroy(cudaStream_t);
cudaError_t cudaStreamSynchronize(cudaStream_t);
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode);
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t*);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t*, cudaGraph_t, unsigned long long flags);
cudaError_t cudaGraphDestroy(cudaGraph_t);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t);
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t);

// Threads

namespace cuda_emulation {

struct Grid {
  dim3 blocks, threads;
  size_t shared_bytes;
  bool cooperative;
};

struct Thread {  // of the emulated device
  dim3 index, block;
};

// Runs every thread of the grid, or notes the launch in the graph that the stream captures.
void launch(const Grid& grid, cudaStream_t stream, std::function<void()> body);

Thread& current();
const Grid& current_grid();
void* shared_memory(size_t bytes);  // of the current block; ends the process when fewer were asked for

void block_barrier();
void named_barrier(int id, int threads);
void warp_barrier(unsigned mask);
void grid_barrier();
int lane();
// Shows the lanes of `mask` each other's objects: publish, then read others' with peer() until the next warp_barrier().
void publish(unsigned mask, const void* object);
const void* peer(int lane);
[[noreturn]] void fail(const char* what);

// The value that `from(lane)` gave in the lane that each asks for.
template <class T>
T exchange(unsigned mask, T value, int source) {
  publish(mask, &value);
  if (source < 0 || source > 31 || !(mask >> source & 1)) fail("a shuffle reads a lane outside of its mask");
  const T got = *static_cast<const T*>(peer(source));
  warp_barrier(mask);
  return got;
}

}  // namespace cuda_emulation

#define threadIdx (::cuda_emulation::current().index)
#define blockIdx (::cuda_emulation::current().block)
#define blockDim (::cuda_emulation::current_grid().threads)
#define gridDim (::cuda_emulation::current_grid().blocks)
inline constexpr int warpSize = 32;

inline void __syncthreads() { ::cuda_emulation::block_barrier(); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { ::cuda_emulation::warp_barrier(mask); }
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const int lane = ::cuda_emulation::lane();
  return ::cuda_emulation::exchange(mask, value, (lane & ~(width - 1)) + (source & (width - 1)));
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
  const int lane = ::cuda_emulation::lane(), source = lane ^ lanes;
  return ::cuda_emulation::exchange(mask, value, (source & ~(width - 1)) > (lane & ~(width - 1)) ? lane : source);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = ::cuda_emulation::lane(), source = lane + static_cast<int>(delta);
  return ::cuda_emulation::exchange(mask, value, (source ^ lane) & ~(width - 1) ? lane : source);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = ::cuda_emulation::lane(), source = lane - static_cast<int>(delta);
  return ::cuda_emulation::exchange(mask, value, source < (lane & ~(width - 1)) ? lane : source);
}
inline unsigned __ballot_sync(unsigned mask, bool predicate) {
  unsigned votes = 0;
  ::cuda_emulation::publish(mask, &predicate);
  for (int i = 0; i < 32; ++i)
    if (mask >> i & 1) votes |= static_cast<unsigned>(*static_cast<const bool*>(::cuda_emulation::peer(i))) << i;
  ::cuda_emulation::warp_barrier(mask);
  return votes;
}
inline int __any_sync(unsigned mask, bool predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, bool predicate) { return __ballot_sync(mask, predicate) == mask; }

// Atomics: fibers are never interrupted.
template <class T, class V>
T atomicAdd(T* p, V v) {
  const T old = *p;
  *p = static_cast<T>(old + static_cast<T>(v));
  return old;
}
template <class T, class V>
T atomicMax(T* p, V v) {
  const T old = *p;
  *p = std::max(old, static_cast<T>(v));
  return old;
}
template <class T, class V>
T atomicMin(T* p, V v) {
  const T old = *p;
  *p = std::min(old, static_cast<T>(v));
  return old;
}
template <class T, class V>
T atomicExch(T* p, V v) {
  const T old = *p;
  *p = static_cast<T>(v);
  return old;
}
template <class T, class U, class V>
T atomicCAS(T* p, U expected, V v) {
  const T old = *p;
  if (old == static_cast<T>(expected)) *p = static_cast<T>(v);
  return old;
}

// Intrinsics
template <class T>
T __ldg(const T* p) {
  return *p;
}
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((uint64_t{a} * b) >> 32); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
using std::max;
using std::min;
