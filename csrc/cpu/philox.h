// Philox 4x32-10 (../shapes/random.h), sixteen blocks side by side: plain loops that the compiler vectorises.
#pragma once

#include "../shapes/random.h"
#include "simd.h"

namespace dlbd::DLBD_ISA {
namespace {

constexpr int64_t kRandomTask = 16384;  // numbers that a task draws: whole groups

inline void philox_group(uint64_t seed, uint64_t first_block, uint32_t* numbers) {
  uint32_t c[4][kRandomBlocks];
  for (int b = 0; b < kRandomBlocks; ++b) {
    const uint64_t block = first_block + static_cast<uint64_t>(b);
    c[0][b] = static_cast<uint32_t>(block), c[1][b] = static_cast<uint32_t>(block >> 32);
    c[2][b] = c[3][b] = 0;
  }
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int b = 0; b < kRandomBlocks; ++b) {
      const uint64_t p0 = uint64_t{0xD2511F53} * c[0][b], p1 = uint64_t{0xCD9E8D57} * c[2][b];
      c[0][b] = static_cast<uint32_t>(p1 >> 32) ^ c[1][b] ^ key0;
      c[2][b] = static_cast<uint32_t>(p0 >> 32) ^ c[3][b] ^ key1;
      c[1][b] = static_cast<uint32_t>(p1), c[3][b] = static_cast<uint32_t>(p0);
    }
    key0 += 0x9E3779B9, key1 += 0xBB67AE85;
  }
  __builtin_memcpy(numbers, c, sizeof(c));
}

}  // namespace
}  // namespace dlbd::DLBD_ISA
