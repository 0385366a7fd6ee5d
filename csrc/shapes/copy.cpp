#include "copy.h"

#include <algorithm>
#include <vector>

#include "checked.h"

namespace dlbd {
namespace {

struct Dim {
  int64_t size, src, dst;
};

int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

void check_range(const std::vector<Dim>& dims, int64_t Dim::*stride, int64_t offset, int64_t elements) {
  int64_t low = offset, high = offset;
  for (const Dim& d : dims) {
    const int64_t reach = checked_mul(d.size - 1, d.*stride, "[copy] stride * size");
    (reach < 0 ? low : high) = checked_add(reach < 0 ? low : high, reach, "[copy] extent");
  }
  if (low < 0 || high >= elements) throw std::invalid_argument("[copy] an element lies outside of its array");
}

}  // namespace

const char* name_of(CopyPath path) {
  constexpr const char* names[] = {"rows", "transpose", "strided"};
  return names[static_cast<int>(path)];
}

CopyShape make_copy_shape(int ndim, const int64_t* size, const int64_t* src_stride, const int64_t* dst_stride,
                          int64_t src_offset, int64_t dst_offset, int64_t src_size, int64_t dst_size) {
  CopyShape s{};
  s.src_offset = src_offset, s.dst_offset = dst_offset, s.src_size = src_size, s.dst_size = dst_size;
  s.walk.ndim = 1, s.walk.total = 1;
  std::vector<Dim> dims;
  for (int i = 0; i < ndim; ++i) {
    if (size[i] < 0) throw std::invalid_argument("[copy] sizes must not be negative");
    s.walk.total = checked_mul(s.walk.total, size[i], "[copy] the number of elements");
    if (size[i] != 1) dims.push_back({size[i], src_stride[i], dst_stride[i]});
  }
  if (s.walk.total == 0) {
    s.walk.size[0] = 0;
    return s;
  }
  check_range(dims, &Dim::src, src_offset, src_size);
  check_range(dims, &Dim::dst, dst_offset, dst_size);
  for (Dim& d : dims) {
    if (d.dst == 0) throw std::invalid_argument("[copy] a destination's stride must not be zero");
    if (d.dst < 0) {  // walk it forwards
      s.dst_offset += (d.size - 1) * d.dst, s.src_offset += (d.size - 1) * d.src;
      d.dst = -d.dst, d.src = -d.src;
    }
  }
  std::stable_sort(dims.begin(), dims.end(), [](const Dim& a, const Dim& b) { return a.dst > b.dst; });
  std::vector<Dim> merged;
  for (const Dim& d : dims) {
    if (!merged.empty() && merged.back().src == d.src * d.size && merged.back().dst == d.dst * d.size) {
      merged.back() = {merged.back().size * d.size, d.src, d.dst};
    } else {
      merged.push_back(d);
    }
  }
  if (merged.empty()) merged.push_back({1, 1, 1});
  if (merged.size() > kMaxDims)
    throw std::invalid_argument("[copy] at most 8 dimensions that cannot be merged are supported");
  s.walk.ndim = static_cast<int32_t>(merged.size());
  for (size_t i = 0; i < merged.size(); ++i) {
    s.walk.size[i] = merged[i].size;
    s.walk.stride[0][i] = merged[i].src;
    s.walk.stride[1][i] = merged[i].dst;
  }
  const Dim& inner = merged.back();
  s.path = CopyPath::strided;
  if (inner.dst == 1 && inner.src == 1) {
    s.path = CopyPath::rows;
  } else if (inner.dst == 1 && magnitude(inner.src) > 1) {
    for (size_t i = 0; i + 1 < merged.size(); ++i) {
      // Below four elements a tile is mostly edge.
      if (merged[i].src != 1 || merged[i].size < 4 || inner.size < 4) continue;
      s.path = CopyPath::transpose, s.across = static_cast<int32_t>(i);
    }
  }
  return s;
}

}  // namespace dlbd
