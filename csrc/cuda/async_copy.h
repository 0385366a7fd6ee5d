// Copies from global to shared memory that run while the thread goes on: cp.async of compute capability 8.0 (PTX ISA,
// "Data Movement and Conversion Instructions: cp.async"). Older chips copy at once, through registers.
#pragma once

#include "launch.h"

#if defined(DLBD_CUDA_EMULATION)
#include <map>
#include <vector>
#endif

namespace dlbd::cuda {

#if defined(DLBD_CUDA_EMULATION)

// The copies that each emulated thread has begun. They happen when the thread waits for them; until then the
// destination holds NaN, so that a wait or a barrier too few shows.
struct PendingCopy {
  void* to;
  const void* from;
  int bytes, valid;
};
using CopyGroups = std::vector<std::vector<PendingCopy>>;  // the last one is not committed yet
inline CopyGroups& pending_copies() {
  thread_local std::map<const void*, CopyGroups> all;
  CopyGroups& groups = all[&cuda_emulation::current()];
  if (groups.empty()) groups.emplace_back();
  return groups;
}

#endif

// Begins to copy Bytes (4, 8 or 16; both addresses are multiples of it), of which the first `valid` are read and the
// others are zero. Every copy must be waited for before the kernel ends.
template <int Bytes>
__device__ __forceinline__ void copy_async(void* to_shared, const void* from_global, int valid = Bytes) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
#if defined(DLBD_CUDA_EMULATION)
  if (reinterpret_cast<uintptr_t>(to_shared) % Bytes) cuda_emulation::fail("copy_async to an unaligned address");
  if (valid > 0 && reinterpret_cast<uintptr_t>(from_global) % Bytes)
    cuda_emulation::fail("copy_async from an unaligned address");
  std::memset(to_shared, 0xff, Bytes);
  pending_copies().back().push_back({to_shared, from_global, Bytes, valid});
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(to_shared));
  if constexpr (Bytes == 16) {  // past L1, which has no use for it
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from_global), "r"(valid) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from_global), "n"(Bytes), "r"(valid)
                 : "memory");
  }
#else
  unsigned words[Bytes / 4] = {};
  if (valid == Bytes) {
    struct alignas(Bytes) Words {
      unsigned v[Bytes / 4];
    };
    const Words read = *static_cast<const Words*>(from_global);
#pragma unroll
    for (int i = 0; i < Bytes / 4; ++i) words[i] = read.v[i];
  } else {
#pragma unroll
    for (int i = 0; i < Bytes; ++i)
      if (i < valid) words[i / 4] |= unsigned{static_cast<const unsigned char*>(from_global)[i]} << i % 4 * 8;
  }
#pragma unroll
  for (int i = 0; i < Bytes / 4; ++i) static_cast<unsigned*>(to_shared)[i] = words[i];
#endif
}

// Ends a group of copies, which may be empty.
__device__ __forceinline__ void commit_copies() {
#if defined(DLBD_CUDA_EMULATION)
  pending_copies().emplace_back();
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until all committed groups of this thread but the last Groups have arrived. Other threads see what arrived
// after the next barrier.
template <int Groups>
__device__ __forceinline__ void wait_copies() {
#if defined(DLBD_CUDA_EMULATION)
  CopyGroups& groups = pending_copies();
  while (groups.size() > Groups + 1) {
    for (const PendingCopy& copy : groups.front()) {
      std::memset(copy.to, 0, static_cast<size_t>(copy.bytes));
      if (copy.valid > 0) std::memcpy(copy.to, copy.from, static_cast<size_t>(copy.valid));
    }
    groups.erase(groups.begin());
  }
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(Groups) : "memory");
#endif
}

}  // namespace dlbd::cuda
