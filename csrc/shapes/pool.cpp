#include "pool.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "checked.h"
#include "conv_checks.h"

namespace dlbd {
namespace {

constexpr const char* kPathNames[] = {"generic", "disjoint"};

bool is_disjoint(const PoolShape& s) {
  return std::all_of(s.axis, s.axis + 3, [](const ConvAxis& a) { return a.stride >= a.kernel || a.out == 1; });
}

[[noreturn]] void fail(const std::string& op, const std::string& text) {
  throw std::invalid_argument("[" + op + "] " + text);
}

}  // namespace

const char* name_of(PoolPath path) { return kPathNames[static_cast<int>(path)]; }

PoolShape make_pool_shape(const Sizes& x, const Sizes& window, const Sizes& strides, const std::string& padding,
                          bool average, DType dtype, const std::string& path) {
  const std::string op = average ? "average_pool" : "max_pool";
  const int64_t rank = static_cast<int64_t>(x.size()) - 2;
  const std::string received = "; received x " + tuple_text(x) + ", pool_size " + tuple_text(window);
  if (rank < 1 || rank > 3)
    fail(op, "x must be (batch, spatial..., channels) with one to three spatial axes; received " + tuple_text(x));
  for (const auto& [name, given] : {std::pair{"pool_size", &window}, std::pair{"strides", &strides}}) {
    if (static_cast<int64_t>(given->size()) != rank)
      fail(op, std::string(name) + " must have one value per spatial axis, " + std::to_string(rank) + "; received " +
                   tuple_text(*given));
    for (int64_t v : *given)
      if (v < 1) fail(op, std::string(name) + " must be at least 1; received " + tuple_text(*given));
  }
  if (padding != "valid" && padding != "same")
    fail(op, "padding must be \"valid\" or \"same\"; received \"" + padding + "\"");
  PoolShape s{};
  s.n = x.front(), s.c = x.back(), s.rank = rank, s.average = average, s.dtype = dtype;
  const std::string what = "[" + op + "] number of elements";
  int64_t in = checked_mul(s.n, s.c, what.c_str()), out = in;
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t j = i - (3 - rank);
    ConvAxis a{1, 1, 1, 1, 1, 0};
    if (j >= 0) {
      a.in = x[j + 1], a.kernel = window[j], a.stride = strides[j];
      if (padding == "valid") {
        if (a.kernel > a.in) {
          const char* axes = rank == 1 ? "" : rank == 2 ? " (H x W)" : " (D x H x W)";
          fail(op, "window " + spatial_text(window) + " does not fit into input " +
                       spatial_text(Sizes(x.begin() + 1, x.end() - 1)) + axes + " with padding=\"valid\"" + received);
        }
        a.out = (a.in - a.kernel) / a.stride + 1;
      } else if (a.in > 0) {
        a.out = a.in / a.stride + (a.in % a.stride != 0);
        const int64_t far = checked_add((a.out - 1) * a.stride, a.kernel, what.c_str());
        a.pad = std::max<int64_t>(far - a.in, 0) / 2;
      } else {
        a.out = 0;
      }
      checked_add(a.in, checked_add(a.stride, a.kernel, what.c_str()), what.c_str());
    }
    s.axis[i] = a;
    in = checked_mul(in, a.in, what.c_str());
    out = checked_mul(out, a.out, what.c_str());
  }
  checked_mul(in, 64, what.c_str());
  checked_mul(out, 64, what.c_str());
  s.x_size = in, s.y_size = out;
  s.path = is_disjoint(s) ? PoolPath::disjoint : PoolPath::generic;
  if (path == "auto") return s;
  for (int i = 0; i < static_cast<int>(std::size(kPathNames)); ++i) {
    if (path != kPathNames[i]) continue;
    s.path = static_cast<PoolPath>(i);
    if (s.path == PoolPath::disjoint && !is_disjoint(s))
      fail(op, "the path disjoint does not take overlapping windows");
    return s;
  }
  fail(op, "no path named " + path);
}

}  // namespace dlbd
