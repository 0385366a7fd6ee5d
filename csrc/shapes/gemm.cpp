#include "gemm.h"

#include <cstring>
#include <iterator>

#include "checked.h"

namespace dlbd {
namespace {

constexpr const char* kPathNames[] = {"generic", "packed", "small", "skinny"};

// Up to this many multiply-adds a copy into panels costs more than it saves.
constexpr int64_t kSmallWork = 8000000;
// Up to this many rows nothing is gained from a register tile, however small the product.
constexpr int64_t kVectorRows = 3;

GemmPath choose(const GemmShape& s) {
  if (s.dtype != DType::f32) return GemmPath::generic;
  if (s.n == 1 || s.m <= (s.trans_b ? kGemmDotRows : kVectorRows)) return GemmPath::skinny;
  if (s.m * s.n * s.k <= kSmallWork) return GemmPath::small;
  if (s.m <= kGemmStreamRows) return GemmPath::skinny;
  return GemmPath::packed;
}

}  // namespace

const char* name_of(GemmPath path) { return kPathNames[static_cast<int>(path)]; }

GemmShape make_gemm_shape(int64_t batch, int64_t m, int64_t n, int64_t k, bool trans_a, bool trans_b, bool broadcast_a,
                          bool broadcast_b, DType dtype, const char* path) {
  if (batch < 0 || m < 0 || n < 0 || k < 0) throw std::invalid_argument("[matmul] sizes must not be negative");
  GemmShape s{};
  s.batch = batch, s.m = m, s.n = n, s.k = k, s.trans_a = trans_a, s.trans_b = trans_b, s.dtype = dtype;
  s.a_stride = checked_mul(m, k, "[matmul] M * K");
  s.b_stride = checked_mul(k, n, "[matmul] K * N");
  s.c_stride = checked_mul(m, n, "[matmul] M * N");
  checked_mul(checked_mul(s.c_stride, k, "[matmul] M * N * K"), batch, "[matmul] batch * M * N * K");
  for (const int64_t size : {s.a_stride, s.b_stride, s.c_stride}) checked_mul(size, batch, "[matmul] batch * matrix");
  if (broadcast_a) s.a_stride = 0;
  if (broadcast_b) s.b_stride = 0;
  s.path = choose(s);
  if (std::strcmp(path, "auto") == 0) return s;
  for (int i = 0; i < static_cast<int>(std::size(kPathNames)); ++i) {
    if (std::strcmp(path, kPathNames[i]) != 0) continue;
    if (dtype != DType::f32 && i != 0) throw std::invalid_argument("[matmul] only the generic path takes float64");
    s.path = static_cast<GemmPath>(i);
    return s;
  }
  throw std::invalid_argument(std::string("[matmul] no path named ") + path);
}

}  // namespace dlbd
