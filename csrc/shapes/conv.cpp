#include "conv.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "checked.h"
#include "conv_checks.h"

namespace dlbd {
namespace {

constexpr const char* kPathNames[] = {"generic", "tiled", "pointwise", "direct", "depthwise"};

// Up to here a pixel is so short that gathering patches costs as much as the products.
constexpr int64_t kFewChannels = 8;
constexpr int64_t kManyChannels = 192;
// Rows of the register tile of AVX-512, and how many of them an average tile must use (measured).
constexpr int64_t kTileWidth = 14, kMinRun = 10;

[[noreturn]] void fail(const std::string& op, const std::string& text) {
  throw std::invalid_argument("[" + op + "] " + text);
}

bool is_pointwise(const ConvShape& s) {
  return std::all_of(s.axis, s.axis + 3,
                     [](const ConvAxis& a) { return a.kernel == 1 && a.stride == 1 && a.pad == 0 && a.in == a.out; });
}

// The direct path copies padded rows, which must not be much more than the rows themselves.
bool is_plane(const ConvShape& s) {
  const ConvAxis& depth = s.axis[0];
  if (s.groups != 1 || depth.in != 1 || depth.out != 1 || depth.kernel != 1 || depth.pad != 0) return false;
  return std::all_of(s.axis + 1, s.axis + 3, [](const ConvAxis& a) {
    return (a.out - 1) * a.stride + (a.kernel - 1) * a.dilation + 1 <= 2 * a.in + 64;
  });
}

bool is_depthwise(const ConvShape& s) { return s.groups == s.c && s.groups == s.k; }

bool is_empty(const ConvShape& s) { return s.x_size == 0 || s.y_size == 0 || s.w_size == 0; }

bool applies(const ConvShape& s, ConvPath path) {
  if (path == ConvPath::generic) return true;
  if (s.dtype != DType::f32 || is_empty(s)) return false;
  switch (path) {
    case ConvPath::pointwise: return is_pointwise(s);
    case ConvPath::direct: return is_plane(s);
    case ConvPath::depthwise: return is_depthwise(s);
    default: return true;
  }
}

ConvPath choose(const ConvShape& s) {
  if (s.groups > 1 && applies(s, ConvPath::depthwise)) return ConvPath::depthwise;
  if (applies(s, ConvPath::pointwise)) return ConvPath::pointwise;
  // Rows that fill register tiles need no patches; with many channels patches cost little, and save padded rows.
  const int64_t width = s.axis[2].out, tiles = (width + kTileWidth - 1) / kTileWidth;
  const bool fills = width >= kMinRun * tiles && s.c <= kManyChannels;
  if ((s.c <= kFewChannels || fills) && applies(s, ConvPath::direct)) return ConvPath::direct;
  return applies(s, ConvPath::tiled) ? ConvPath::tiled : ConvPath::generic;
}

int64_t reach_of(const std::string& op, int64_t kernel, int64_t dilation) {
  const std::string what = "[" + op + "] dilated kernel size";
  return checked_add(checked_mul(kernel - 1, dilation, what.c_str()), 1, what.c_str());
}

void check_counts(const std::string& op, const char* name, const Sizes& given, int64_t rank) {
  if (static_cast<int64_t>(given.size()) != rank)
    fail(op, std::string(name) + " must have one value per spatial axis, " + std::to_string(rank) + "; received " +
                 tuple_text(given));
  for (int64_t v : given)
    if (v < 1) fail(op, std::string(name) + " must be at least 1; received " + tuple_text(given));
}

void check_padding(const std::string& op, const std::string& padding) {
  if (padding != "valid" && padding != "same")
    fail(op, "padding must be \"valid\" or \"same\"; received \"" + padding + "\"");
}

int64_t checked_product(const std::string& what, int64_t a, int64_t b) { return checked_mul(a, b, what.c_str()); }

// Sizes of the three arrays, and every product that a kernel forms from them.
void finish(const std::string& op, ConvShape& s, const std::string& path) {
  const std::string what = "[" + op + "] number of elements";
  int64_t in = s.n, out = s.n, taps = 1;
  for (const ConvAxis& a : s.axis) {
    in = checked_product(what, in, a.in);
    out = checked_product(what, out, a.out);
    taps = checked_product(what, taps, a.kernel);
    // the furthest input position that a kernel computes
    const int64_t far = checked_product(what, std::max<int64_t>(a.out - 1, 0), a.stride);
    checked_add(far, reach_of(op, a.kernel, a.dilation), what.c_str());
  }
  s.x_size = checked_product(what, in, s.c);
  s.y_size = checked_product(what, out, s.k);
  s.w_size = checked_product(what, checked_product(what, taps, s.c / s.groups), s.k);
  for (int64_t size : {s.x_size, s.y_size, s.w_size}) checked_product(what, size, 64);
  s.path = choose(s);
  if (path == "auto") return;
  for (int i = 0; i < static_cast<int>(std::size(kPathNames)); ++i) {
    if (path != kPathNames[i]) continue;
    s.path = static_cast<ConvPath>(i);
    if (!applies(s, s.path)) fail(op, "the path " + path + " does not take these shapes and this dtype");
    return;
  }
  fail(op, "no path named " + path);
}

constexpr ConvAxis kUnit = {1, 1, 1, 1, 1, 0};

}  // namespace

const char* name_of(ConvPath path) { return kPathNames[static_cast<int>(path)]; }

std::string tuple_text(const Sizes& sizes) {
  std::string text = "(";
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(sizes[i]);
  }
  return text + (sizes.size() == 1 ? ",)" : ")");
}

std::string spatial_text(const Sizes& sizes) {
  std::string text;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (i > 0) text += "x";
    text += std::to_string(sizes[i]);
  }
  return text;
}

ConvShape make_conv_shape(const Sizes& x, const Sizes& kernel, const Sizes& strides, const std::string& padding,
                          const Sizes& dilation, int64_t groups, DType dtype, const std::string& path) {
  const std::string op = "conv";
  const int64_t rank = static_cast<int64_t>(x.size()) - 2;
  const std::string received = "; received x " + tuple_text(x) + ", kernel " + tuple_text(kernel);
  if (rank < 1 || rank > 3 || kernel.size() != x.size())
    fail(
        op,
        "x must be (batch, spatial..., channels) and kernel (spatial..., channels / groups, filters) with one to three "
        "spatial axes" +
            received);
  check_padding(op, padding);
  check_counts(op, "strides", strides, rank);
  check_counts(op, "dilation_rate", dilation, rank);
  ConvShape s{};
  s.n = x.front(), s.c = x.back(), s.k = kernel.back(), s.groups = groups, s.rank = rank, s.dtype = dtype;
  if (groups < 1 || s.c % groups != 0 || s.k % groups != 0)
    fail(op, "groups must divide the channels and the filters; received groups " + std::to_string(groups) + received);
  if (kernel[rank] != s.c / groups)
    fail(op, "kernel must take " + std::to_string(s.c / groups) + " channels (x's " + std::to_string(s.c) +
                 " / groups " + std::to_string(groups) + "), not " + std::to_string(kernel[rank]) + received);
  const Sizes in(x.begin() + 1, x.end() - 1), window(kernel.begin(), kernel.begin() + rank);
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t j = i - (3 - rank);
    if (j < 0) {
      s.axis[i] = kUnit;
      continue;
    }
    if (window[j] < 1) fail(op, "kernel must not be empty" + received);
    ConvAxis a{in[j], 0, window[j], strides[j], dilation[j], 0};
    const int64_t reach = reach_of(op, a.kernel, a.dilation);
    if (padding == "valid") {
      if (reach > a.in) {
        const char* axes = rank == 1 ? "" : rank == 2 ? " (H x W)" : " (D x H x W)";
        fail(op, "kernel " + spatial_text(window) +
                     (dilation == Sizes(dilation.size(), 1) ? "" : " dilated by " + spatial_text(dilation)) +
                     " does not fit into input " + spatial_text(in) + axes + " with padding=\"valid\"" + received);
      }
      a.out = (a.in - reach) / a.stride + 1;
    } else {
      a.out = a.in / a.stride + (a.in % a.stride != 0);
      const int64_t far = checked_add((a.out - 1) * a.stride, reach, "[conv] padded size");
      a.pad = a.in == 0 ? 0 : std::max<int64_t>(far - a.in, 0) / 2;
    }
    s.axis[i] = a;
  }
  finish(op, s, path);
  return s;
}

ConvShape make_conv_transpose_shape(const Sizes& x, const Sizes& kernel, const Sizes& strides,
                                    const std::string& padding, const Sizes& output_padding, const Sizes& dilation,
                                    DType dtype, const std::string& path) {
  const std::string op = "conv_transpose";
  const int64_t rank = static_cast<int64_t>(x.size()) - 2;
  const std::string received = "; received x " + tuple_text(x) + ", kernel " + tuple_text(kernel);
  if (rank < 1 || rank > 3 || kernel.size() != x.size())
    fail(op,
         "x must be (batch, spatial..., channels) and kernel (spatial..., filters, channels) with one to three "
         "spatial axes" +
             received);
  check_padding(op, padding);
  check_counts(op, "strides", strides, rank);
  check_counts(op, "dilation_rate", dilation, rank);
  if (kernel.back() != x.back())
    fail(op, "kernel (spatial..., filters, channels) must take x's " + std::to_string(x.back()) + " channels, not " +
                 std::to_string(kernel.back()) + received);
  if (!output_padding.empty() && static_cast<int64_t>(output_padding.size()) != rank)
    fail(op, "output_padding must have one value per spatial axis, " + std::to_string(rank) + "; received " +
                 tuple_text(output_padding));
  ConvShape s{};
  s.n = x.front(), s.c = kernel[rank], s.k = x.back(), s.groups = 1, s.rank = rank, s.dtype = dtype;
  const char* what = "[conv_transpose] output size";
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t j = i - (3 - rank);
    if (j < 0) {
      s.axis[i] = kUnit;
      continue;
    }
    if (kernel[j] < 1) fail(op, "kernel must not be empty" + received);
    ConvAxis a{0, x[j + 1], kernel[j], strides[j], dilation[j], 0};
    const int64_t reach = reach_of(op, a.kernel, a.dilation);
    const int64_t extra = output_padding.empty() ? 0 : output_padding[j];
    // Keras: an output is longer than what the kernel reaches by less than one stride.
    if (!output_padding.empty() && (extra < 0 || extra >= a.stride))
      fail(op, "output_padding must be at least 0 and less than the stride; received output_padding " +
                   tuple_text(output_padding) + ", strides " + tuple_text(strides));
    const int64_t last = checked_mul(a.out - 1, a.stride, what);
    if (a.out == 0) {
      a.in = 0;
    } else if (padding == "valid") {
      a.in =
          checked_add(last, output_padding.empty() ? std::max(reach, a.stride) : checked_add(reach, extra, what), what);
    } else {
      // Keras's left padding of the stretched input; the crop of the full result is what it lacks of reach - 1.
      int64_t total;
      if (output_padding.empty()) {
        a.in = checked_mul(a.out, a.stride, what);
        total = checked_add(a.stride, reach - 2, what);
      } else {
        a.in = checked_add(last, reach % 2 + extra, what);
        total = checked_add(reach, reach % 2 - 2 + extra, what);
      }
      a.pad = reach - 1 - std::min(total / 2 + total % 2, reach - 1);
    }
    s.axis[i] = a;
  }
  finish(op, s, path);
  return s;
}

}  // namespace dlbd
