// Convolution: which path a shape takes, and the generic one, which serves every dtype and shape.
#include "../shapes/conv.h"

#include "../shapes/kernels.h"
#include "activation.h"
#include "conv_paths.h"
#include "parallel.h"

namespace dlbd::DLBD_ISA {
namespace {

// Output position that meets input position i at kernel position t, or -1.
DLBD_INLINE int64_t output_at(const ConvAxis& a, int64_t i, int64_t t) {
  const int64_t stretched = i + a.pad - t * a.dilation;
  if (stretched < 0 || stretched % a.stride != 0) return -1;
  const int64_t o = stretched / a.stride;
  return o < a.out ? o : -1;
}

DLBD_INLINE int64_t input_at(const ConvAxis& a, int64_t o, int64_t t) {
  const int64_t i = o * a.stride + t * a.dilation - a.pad;
  return i >= 0 && i < a.in ? i : -1;
}

// body(tap, position) for every kernel position that meets an existing partner of `at`, in the order of the kernel.
template <auto Partner, int64_t ConvAxis::*Length, class Body>
DLBD_INLINE void each_partner(const ConvShape& s, const int64_t (&at)[3], const Body& body) {
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  for (int64_t td = 0; td < d.kernel; ++td) {
    const int64_t pd = Partner(d, at[0], td);
    if (pd < 0) continue;
    for (int64_t th = 0; th < h.kernel; ++th) {
      const int64_t ph = Partner(h, at[1], th);
      if (ph < 0) continue;
      for (int64_t tw = 0; tw < w.kernel; ++tw) {
        const int64_t pw = Partner(w, at[2], tw);
        if (pw < 0) continue;
        body((td * h.kernel + th) * w.kernel + tw, (pd * h.*Length + ph) * w.*Length + pw);
      }
    }
  }
}

template <int64_t ConvAxis::*Length>
DLBD_INLINE int64_t split(const ConvShape& s, int64_t pixel, int64_t (&at)[3]) {
  for (int i = 2; i >= 0; --i) {
    at[i] = pixel % (s.axis[i].*Length);
    pixel /= s.axis[i].*Length;
  }
  return pixel;  // the image
}

// Pixels per chunk.
constexpr int64_t kGrain = 16;

template <class T>
void generic_forward(const ConvForwardArgs& args) {
  const ConvShape& s = args.shape;
  const T *x = static_cast<const T*>(args.x), *w = static_cast<const T*>(args.w), *b = static_cast<const T*>(args.b);
  const int64_t cg = s.c / s.groups, kg = s.k / s.groups;
  const int64_t in = s.axis[0].in * s.axis[1].in * s.axis[2].in;
  parallel_for(
      args.threads, s.n * s.axis[0].out * s.axis[1].out * s.axis[2].out, kGrain, [&](int64_t begin, int64_t end, int) {
        for (int64_t pixel = begin; pixel < end; ++pixel) {
          int64_t at[3];
          const T* image = x + split<&ConvAxis::out>(s, pixel, at) * in * s.c;
          T* y = static_cast<T*>(args.y) + pixel * s.k;
          for (int64_t g = 0; g < s.groups; ++g) {
            for (int64_t j = 0; j < kg; j += kLanes<T>) {
              const int64_t lanes = min_of<int64_t>(kLanes<T>, kg - j), channel = g * kg + j;
              Vec<T> sum{};
              each_partner<input_at, &ConvAxis::in>(s, at, [&](int64_t tap, int64_t position) {
                for (int64_t c = 0; c < cg; ++c)
                  sum += splat(image[position * s.c + g * cg + c]) * load_n(w + (tap * cg + c) * s.k + channel, lanes);
              });
              if (b) sum += load_n(b + channel, lanes);
              if (args.accumulate) sum += load_n(y + channel, lanes);
              store_n(y + channel, activate<T>(args.activation, sum), lanes);
            }
          }
        }
      });
}

template <class T>
void generic_backward_data(const ConvBackwardDataArgs& args) {
  const ConvShape& s = args.shape;
  const T *dy = static_cast<const T*>(args.dy), *w = static_cast<const T*>(args.w), *b = static_cast<const T*>(args.b);
  const int64_t cg = s.c / s.groups, kg = s.k / s.groups;
  const int64_t out = s.axis[0].out * s.axis[1].out * s.axis[2].out;
  parallel_for(
      args.threads, s.n * s.axis[0].in * s.axis[1].in * s.axis[2].in, kGrain, [&](int64_t begin, int64_t end, int) {
        for (int64_t pixel = begin; pixel < end; ++pixel) {
          int64_t at[3];
          const T* image = dy + split<&ConvAxis::in>(s, pixel, at) * out * s.k;
          T* dx = static_cast<T*>(args.dx) + pixel * s.c;
          for (int64_t channel = 0; channel < s.c; ++channel) {
            const int64_t g = channel / cg, c = channel % cg;
            Vec<T> sum{};
            each_partner<output_at, &ConvAxis::out>(s, at, [&](int64_t tap, int64_t position) {
              const T *p = image + position * s.k + g * kg, *q = w + (tap * cg + c) * s.k + g * kg;
              for (int64_t j = 0; j < kg; j += kLanes<T>) {
                const int64_t lanes = min_of<int64_t>(kLanes<T>, kg - j);
                sum += load_n(p + j, lanes) * load_n(q + j, lanes);
              }
            });
            const T total = reduce_add<T>(sum) + (b ? b[channel] : T(0)) + (args.accumulate ? dx[channel] : T(0));
            dx[channel] = activate<T>(args.activation, splat(total))[0];
          }
        }
      });
}

template <class T>
void generic_backward_weights(const ConvBackwardWeightsArgs& args) {
  const ConvShape& s = args.shape;
  const T *x = static_cast<const T*>(args.x), *dy = static_cast<const T*>(args.dy);
  const int64_t cg = s.c / s.groups, kg = s.k / s.groups;
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  parallel_for(args.threads, d.kernel * h.kernel * w.kernel * cg, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t c = row % cg, tap = row / cg;
      const int64_t tw = tap % w.kernel, th = tap / w.kernel % h.kernel, td = tap / w.kernel / h.kernel;
      for (int64_t g = 0; g < s.groups; ++g) {
        for (int64_t j = 0; j < kg; j += kLanes<T>) {
          const int64_t lanes = min_of<int64_t>(kLanes<T>, kg - j), channel = g * kg + j;
          Vec<T> total{};
          for (int64_t n = 0; n < s.n; ++n) {
            for (int64_t od = 0; od < d.out; ++od) {
              const int64_t id = input_at(d, od, td);
              if (id < 0) continue;
              for (int64_t oh = 0; oh < h.out; ++oh) {
                const int64_t ih = input_at(h, oh, th);
                if (ih < 0) continue;
                const T* from = x + ((n * d.in + id) * h.in + ih) * w.in * s.c + g * cg + c;
                const T* to = dy + ((n * d.out + od) * h.out + oh) * w.out * s.k + channel;
                Vec<T> sum{};  // row by row: long sums stay accurate
                for (int64_t ow = 0; ow < w.out; ++ow) {
                  const int64_t iw = input_at(w, ow, tw);
                  if (iw >= 0) sum += splat(from[iw * s.c]) * load_n(to + ow * s.k, lanes);
                }
                total += sum;
              }
            }
          }
          T* dw = static_cast<T*>(args.dw) + row * s.k + channel;
          if (args.accumulate) total += load_n(dw, lanes);
          store_n(dw, total, lanes);
        }
      }
    }
  });
}

}  // namespace

namespace {

bool fuses_epilogue(const ConvBackwardWeightsArgs& args) {
  return args.shape.path == ConvPath::direct && conv_direct_fuses_epilogue(args.shape);
}

// The products alone: dy stands for dz, bias and activation are seen to.
ConvBackwardWeightsArgs without_epilogue(const ConvBackwardWeightsArgs& args) {
  ConvBackwardWeightsArgs plain = args;
  plain.y = nullptr, plain.dz = nullptr, plain.db = nullptr;
  return plain;
}

EpilogueBackwardArgs epilogue_of(const ConvBackwardWeightsArgs& args) {
  EpilogueBackwardArgs e{};
  e.threads = args.threads, e.dtype = args.shape.dtype;
  e.columns = args.shape.k, e.rows = e.columns == 0 ? 0 : args.shape.y_size / e.columns;
  e.dy = args.dy, e.y = args.y, e.activation = args.activation, e.dz = args.dz, e.db = args.db;
  e.accumulate = args.accumulate_bias;
  return e;
}

int64_t own_dz(const ConvBackwardWeightsArgs& args) {
  const bool own = args.y && !args.dz && args.dw;
  return own ? round_up(args.shape.y_size * (args.shape.dtype == DType::f64 ? 8 : 4), 64) : 0;
}

// Where dx has so few channels that they would not fill a vector.
bool spreads(const ConvShape& s) { return s.path == ConvPath::direct && s.c <= kLanes<float> / 2; }

void products(const ConvBackwardWeightsArgs& args) {
  switch (args.shape.path) {
    case ConvPath::generic:
      if (args.shape.dtype == DType::f64) return generic_backward_weights<double>(args);
      return generic_backward_weights<float>(args);
    case ConvPath::tiled:
    case ConvPath::pointwise: return conv_tiled_backward_weights(args);
    case ConvPath::direct: return conv_direct_backward_weights(args);
    case ConvPath::depthwise: return conv_depthwise_backward_weights(args);
  }
}

int64_t products_scratch(const ConvBackwardWeightsArgs& args) {
  switch (args.shape.path) {
    case ConvPath::generic: return 0;
    case ConvPath::tiled:
    case ConvPath::pointwise: return conv_tiled_backward_weights_scratch(args);
    case ConvPath::direct: return conv_direct_backward_weights_scratch(args);
    case ConvPath::depthwise: return conv_depthwise_backward_weights_scratch(args);
  }
  return 0;
}

}  // namespace

void conv_forward(const ConvForwardArgs& args) {
  switch (args.shape.path) {
    case ConvPath::generic:
      if (args.shape.dtype == DType::f64) return generic_forward<double>(args);
      return generic_forward<float>(args);
    case ConvPath::tiled:
    case ConvPath::pointwise: return conv_tiled_forward(args);
    case ConvPath::direct: return conv_direct_forward(args);
    case ConvPath::depthwise: return conv_depthwise_forward(args);
  }
}

int64_t conv_forward_scratch(const ConvForwardArgs& args) {
  switch (args.shape.path) {
    case ConvPath::generic: return 0;
    case ConvPath::tiled:
    case ConvPath::pointwise: return conv_tiled_forward_scratch(args);
    case ConvPath::direct: return conv_direct_forward_scratch(args);
    case ConvPath::depthwise: return conv_depthwise_forward_scratch(args);
  }
  return 0;
}

void conv_backward_data(const ConvBackwardDataArgs& args) {
  if (spreads(args.shape)) return conv_spread_backward_data(args);
  if (args.shape.path == ConvPath::depthwise) return conv_depthwise_backward_data(args);
  if (args.shape.path != ConvPath::generic) return conv_tiled_backward_data(args);
  if (args.shape.dtype == DType::f64) return generic_backward_data<double>(args);
  generic_backward_data<float>(args);
}

int64_t conv_backward_data_scratch(const ConvBackwardDataArgs& args) {
  if (spreads(args.shape)) return conv_spread_backward_data_scratch(args);
  if (args.shape.path == ConvPath::depthwise) return conv_depthwise_backward_data_scratch(args);
  return args.shape.path == ConvPath::generic ? 0 : conv_tiled_backward_data_scratch(args);
}

void conv_backward_weights(const ConvBackwardWeightsArgs& args) {
  if (fuses_epilogue(args)) return products(args);
  ConvBackwardWeightsArgs plain = without_epilogue(args);
  if (args.y || args.db) {
    EpilogueBackwardArgs epilogue = epilogue_of(args);
    plain.scratch = static_cast<char*>(args.scratch) + own_dz(args);
    epilogue.scratch = plain.scratch;
    if (own_dz(args) > 0) epilogue.dz = args.scratch;
    epilogue_backward(epilogue);
    if (epilogue.dz) plain.dy = epilogue.dz;
  }
  if (args.dw) products(plain);
}

int64_t conv_backward_weights_scratch(const ConvBackwardWeightsArgs& args) {
  if (fuses_epilogue(args)) return products_scratch(args);
  const int64_t epilogue = args.y || args.db ? epilogue_backward_scratch(epilogue_of(args)) : 0;
  const int64_t product = args.dw ? products_scratch(without_epilogue(args)) : 0;
  return own_dz(args) + max_of(epilogue, product);
}

}  // namespace dlbd::DLBD_ISA
