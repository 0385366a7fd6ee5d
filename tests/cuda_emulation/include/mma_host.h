// The host twins of csrc/cuda/mma.h, which includes this.
#pragma once

#include <limits>

namespace dlbd::cuda {

namespace mma_host {

constexpr unsigned kAllLanes = 0xffffffffu;

inline float of_tf32(uint32_t x) { return std::bit_cast<float>(x & 0xffffe000u); }  // the chip ignores the low bits
inline float of_bf16(uint32_t x) { return std::bit_cast<float>(x << 16); }
inline float of_fp16(uint32_t x) {
  const uint32_t exponent = x >> 10 & 31, fraction = x & 1023;
  const float sign = x >> 15 & 1 ? -1.0f : 1.0f;
  if (exponent == 31)
    return fraction ? std::numeric_limits<float>::quiet_NaN() : sign * std::numeric_limits<float>::infinity();
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(fraction + 1024), static_cast<int>(exponent) - 25);
}

inline uint32_t one_bf16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (x != x) return 0x7fff;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
inline uint32_t one_fp16(float x) {
  const uint32_t sign = std::bit_cast<uint32_t>(x) >> 16 & 0x8000;
  const float size = std::fabs(x);
  if (x != x) return 0x7fff;
  if (size == 0) return sign;
  if (size >= 65520.0f) return sign | 0x7c00;  // half way to the number after the largest
  int exponent = 0;
  std::frexp(size, &exponent);
  const int step = std::max(exponent - 11, -24);  // of the last bit
  const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(size, -step)));
  // a normal number's units lie in [1024, 2048]: the carry of 2048 into the exponent is right
  return sign | (step == -24 ? units : static_cast<uint32_t>(step + 24) * 1024 + units);
}

inline float toward_zero(double x) {
  const auto y = static_cast<float>(x);
  return std::fabs(static_cast<double>(y)) > std::fabs(x) && std::isfinite(y) ? std::nextafter(y, 0.0f) : y;
}

struct Operands {
  uint32_t a[4], b[2];
};

// c += a b for matrices of 16 x K and K x 8; a register holds K / 8 numbers.
template <int K, class Decode>
void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], const Decode& decode) {
  const Operands mine{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  cuda_emulation::publish(kAllLanes, &mine);
  constexpr int kPer = K / 8;  // numbers in a register
  const int g = cuda_emulation::lane() / 4, t = cuda_emulation::lane() % 4;
  const auto number = [&](uint32_t word, int k) { return decode(kPer == 2 && k % 2 ? word >> 16 : word); };
  for (int i = 0; i < 4; ++i) {
    double sum = c[i];
    for (int k = 0; k < K; ++k) {
      const int half = k / (K / 2), lane = k % (K / 2) / kPer;
      const auto& row = *static_cast<const Operands*>(cuda_emulation::peer(g * 4 + lane));
      const auto& column = *static_cast<const Operands*>(cuda_emulation::peer((2 * t + i % 2) * 4 + lane));
      sum += double{number(row.a[half * 2 + i / 2], k)} * double{number(column.b[half], k)};
    }
    c[i] = toward_zero(sum);
  }
  cuda_emulation::warp_barrier(kAllLanes);
}

inline void load(uint32_t (&r)[4], const void* row, bool transposed) {
  if (reinterpret_cast<uintptr_t>(row) % 16) cuda_emulation::fail("ldmatrix from an unaligned address");
  cuda_emulation::publish(kAllLanes, row);
  const int g = cuda_emulation::lane() / 4, t = cuda_emulation::lane() % 4;
  for (int i = 0; i < 4; ++i) {
    if (transposed) {
      uint16_t pair[2];
      for (int h = 0; h < 2; ++h) pair[h] = static_cast<const uint16_t*>(cuda_emulation::peer(i * 8 + 2 * t + h))[g];
      r[i] = pair[0] | static_cast<uint32_t>(pair[1]) << 16;
    } else {
      r[i] = static_cast<const uint32_t*>(cuda_emulation::peer(i * 8 + g))[t];
    }
  }
  cuda_emulation::warp_barrier(kAllLanes);
}

}  // namespace mma_host

inline uint32_t to_tf32(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (x != x) return 0x7fffffff;
  return std::isinf(x) ? bits : (bits + 0x1000) & 0xffffe000u;
}
inline uint32_t to_bf16(float low, float high) { return mma_host::one_bf16(low) | mma_host::one_bf16(high) << 16; }
inline uint32_t to_fp16(float low, float high) { return mma_host::one_fp16(low) | mma_host::one_fp16(high) << 16; }

inline void mma_tf32(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  mma_host::multiply<8>(c, a, b, mma_host::of_tf32);
}
inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  mma_host::multiply<16>(c, a, b, mma_host::of_bf16);
}
inline void mma_fp16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  mma_host::multiply<16>(c, a, b, [](uint32_t x) { return mma_host::of_fp16(x & 0xffff); });
}
inline void load_matrices(uint32_t (&r)[4], const void* shared_row) { mma_host::load(r, shared_row, false); }
inline void load_matrices_transposed(uint32_t (&r)[4], const void* shared_row) { mma_host::load(r, shared_row, true); }

}  // namespace dlbd::cuda
