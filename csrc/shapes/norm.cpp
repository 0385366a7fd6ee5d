#include "norm.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "checked.h"

namespace dlbd {
namespace {

constexpr const char* kPathNames[] = {"channels", "planes"};

// Elements of a chunk: 64 KB of float32, so that its second reading comes from L2; more when that gave too many chunks.
constexpr int64_t kChunkElements = 16384;
constexpr int64_t kMaxChunks = 64;  // bounds the scratch memory and the serial merge

int64_t rows_per_chunk(int64_t rows, int64_t width) {
  const int64_t by_size = std::max<int64_t>(1, kChunkElements / std::max<int64_t>(1, width));
  return std::max(by_size, (rows + kMaxChunks - 1) / kMaxChunks);
}

void expect_float(DType dtype, const char* op) {
  if (dtype != DType::f32 && dtype != DType::f64)
    throw std::invalid_argument(std::string(op) + " only float32 and float64 can be normalized");
}

}  // namespace

const char* name_of(BatchNormPath path) { return kPathNames[static_cast<int>(path)]; }

BatchNormShape make_batch_norm_shape(int64_t outer, int64_t channels, int64_t inner, DType dtype, const char* path) {
  constexpr const char* kOp = "[batch_normalization]";
  if (outer < 0 || channels < 0 || inner < 0)
    throw std::invalid_argument(std::string(kOp) + " sizes must not be negative");
  expect_float(dtype, kOp);
  checked_mul(checked_mul(outer, channels, kOp), inner, kOp);
  BatchNormShape s{};
  s.outer = outer, s.channels = channels, s.inner = inner, s.dtype = dtype;
  // A single channel is one long run: vectorising across channels would leave all lanes but one idle.
  s.path = inner == 1 && channels != 1 ? BatchNormPath::channels : BatchNormPath::planes;
  if (std::strcmp(path, "auto") != 0) {
    const auto* found = std::find_if(std::begin(kPathNames), std::end(kPathNames),
                                     [&](const char* name) { return std::strcmp(name, path) == 0; });
    if (found == std::end(kPathNames)) throw std::invalid_argument(std::string(kOp) + " no path named " + path);
    s.path = static_cast<BatchNormPath>(found - std::begin(kPathNames));
    if (s.path == BatchNormPath::channels && inner != 1)
      throw std::invalid_argument(std::string(kOp) + " the path channels takes the last axis only");
  }
  if (s.path == BatchNormPath::planes && channels == 1) s.inner = outer * inner, s.outer = 1;
  s.chunk = rows_per_chunk(s.outer, channels);
  s.chunks = (s.outer + s.chunk - 1) / s.chunk;
  return s;
}

LayerNormShape make_layer_norm_shape(int64_t rows, int64_t n, DType dtype) {
  constexpr const char* kOp = "[layer_normalization]";
  if (rows < 0 || n < 0) throw std::invalid_argument(std::string(kOp) + " sizes must not be negative");
  expect_float(dtype, kOp);
  checked_mul(rows, n, kOp);
  const int64_t chunk = rows_per_chunk(rows, n);
  return {rows, n, chunk, (rows + chunk - 1) / chunk, dtype};
}

}  // namespace dlbd
