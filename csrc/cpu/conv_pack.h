// Packing for the convolution paths: patches of output pixels, weights in panels, weights transposed.
#pragma once

#include "conv_tile.h"
#include "transpose.h"

namespace dlbd::DLBD_ISA {

// Row p - p0 of `to` becomes elements [k0, k1) of the patch under output pixel p: kernel position by kernel position,
// c / groups channels each; zeros where the kernel hangs over the edge.
template <class T>
inline void pack_patches(const ConvShape& s, const T* x, int64_t group, int64_t p0, int64_t p1, int64_t k0, int64_t k1,
                         T* to, int64_t row) {
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  const int64_t cg = s.c / s.groups;
  const int64_t tap0 = k0 / cg, tw0 = tap0 % w.kernel, th0 = tap0 / w.kernel % h.kernel,
                td0 = tap0 / w.kernel / h.kernel;
  const bool dense = cg == s.c && w.dilation == 1;  // a row of the kernel reads one run of x
  int64_t ow = p0 % w.out, oh = p0 / w.out % h.out, od = p0 / w.out / h.out % d.out, n = p0 / w.out / h.out / d.out;
  for (int64_t p = p0; p < p1; ++p, to += row) {
    const T* image = x + n * d.in * h.in * w.in * s.c + group * cg;
    int64_t k = k0, td = td0, th = th0, tw = tw0;
    while (k < k1) {
      const int64_t id = od * d.stride + td * d.dilation - d.pad, ih = oh * h.stride + th * h.dilation - h.pad;
      const bool exists = id >= 0 && id < d.in && ih >= 0 && ih < h.in;
      const int64_t iw = ow * w.stride - w.pad;
      const T* line = image + ((id * h.in + ih) * w.in + iw) * s.c;
      const int64_t start = ((td * h.kernel + th) * w.kernel) * cg, stop = min_of(start + w.kernel * cg, k1);
      if (!exists) {
        zero_run(to + (k - k0), stop - k);
        k = stop;
      } else if (dense && iw >= 0 && iw + w.kernel <= w.in) {
        copy_run(to + (k - k0), line + (k - start), stop - k);
        k = stop;
      } else {
        for (; k < stop; ++tw) {
          const int64_t tap_start = start + tw * cg, end = min_of(tap_start + cg, stop), i = iw + tw * w.dilation;
          if (i >= 0 && i < w.in) {
            copy_run(to + (k - k0), line + tw * w.dilation * s.c + (k - tap_start), end - k);
          } else {
            zero_run(to + (k - k0), end - k);
          }
          k = end;
        }
      }
      tw = 0;
      if (++th == h.kernel) th = 0, ++td;
    }
    if (++ow < w.out) continue;
    ow = 0;
    if (++oh < h.out) continue;
    oh = 0;
    if (++od < d.out) continue;
    od = 0, ++n;
  }
}

// Rows [row0, row1) of a rows x columns matrix into panels of kPanel columns, the last one filled up with zeros:
// panel j starts at to + j * rows * kPanel.
template <class T>
inline void pack_panels(const T* from, int64_t ld, int64_t rows, int64_t row0, int64_t row1, int64_t columns, T* to) {
  for (int64_t j = 0; j < columns; j += kPanel<T>) {
    const int64_t width = min_of<int64_t>(kPanel<T>, columns - j);
    for (int64_t i = row0; i < row1; ++i) {
      T* line = to + j * rows + i * kPanel<T>;
      copy_run(line, from + i * ld + j, width);
      if (width < kPanel<T>) zero_run(line + width, kPanel<T> - width);
    }
  }
}

// One panel of the transposed matrix: to[j * kPanel + i] = from[i * ld + j], i < columns (zeros up to kPanel), j <
// rows.
template <class T>
inline void pack_transposed_panel(const T* from, int64_t ld, int64_t columns, int64_t rows, T* to) {
  for (int64_t i = 0; i < kPanel<T>; i += kLanes<T>) {
    const int64_t lanes = max_of<int64_t>(0, min_of<int64_t>(kLanes<T>, columns - i));
    transpose_strip(from + (lanes > 0 ? i * ld : 0), ld, 1, lanes, rows, to + i, kPanel<T>);
  }
}

// to (+)= the sum of `parts` arrays of n elements, `stride` apart, always in the same order.
template <class T>
inline void sum_partials(int threads, const T* partial, int64_t parts, int64_t stride, int64_t n, T* to,
                         bool accumulate) {
  constexpr int64_t kGrain = 4096;
  parallel_for(threads, n, kGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i += kLanes<T>) {
      const int64_t lanes = min_of<int64_t>(kLanes<T>, end - i);
      Vec<T> sum = load_n(partial + i, lanes);
      for (int64_t part = 1; part < parts; ++part) sum += load_n(partial + part * stride + i, lanes);
      if (accumulate) sum += load_n(to + i, lanes);
      store_n(to + i, sum, lanes);
    }
  });
}

}  // namespace dlbd::DLBD_ISA
