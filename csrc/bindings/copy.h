// Bindings of the strided copy and of gathering along an axis.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <vector>

#include "../shapes/copy.h"
#include "elementwise.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_copy(py::module_& m) {
  using In = typename Backend::In;
  using Out = typename Backend::Out;
  using namespace py::literals;
  using Sizes = std::vector<int64_t>;

  py::class_<CopyShape>(m, "CopyShape", py::module_local())
      .def(py::init([](const Sizes& size, const Sizes& src, const Sizes& dst, int64_t src_offset, int64_t dst_offset,
                       int64_t src_size, int64_t dst_size) {
             if (src.size() != size.size() || dst.size() != size.size())
               throw py::value_error("[copy] one stride per dimension on each side");
             return make_copy_shape(static_cast<int>(size.size()), size.data(), src.data(), dst.data(), src_offset,
                                    dst_offset, src_size, dst_size);
           }),
           "size"_a, "src_stride"_a, "dst_stride"_a, "src_offset"_a, "dst_offset"_a, "src_size"_a, "dst_size"_a)
      .def_property_readonly("path", [](const CopyShape& s) { return name_of(s.path); });

  m.def(
      "copy",
      [](const CopyShape& s, In x, Out y, bool accumulate) {
        x.expect("copy", "x", y.dtype, s.src_size);
        y.expect("copy", "y", y.dtype, s.dst_size);
        if (accumulate && !is_float(y.dtype)) throw py::type_error("[copy] only floats accumulate");
        CopyArgs args{};
        args.shape = s, args.dtype = y.dtype, args.x = x.data, args.y = y.data, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().copy, args, x, y);
      },
      "shape"_a, "x"_a, "y"_a, "accumulate"_a = false);

  const auto gather = [](int64_t outer, int64_t n, int64_t inner, bool along, const In& x, const In& indices,
                         const Out& y, int64_t x_middle, int64_t y_middle) {
    if (indices.dtype != DType::i32 && indices.dtype != DType::i64)
      throw py::type_error("[take] indices must be int32 or int64; received " + std::string(name_of(indices.dtype)));
    x.expect("take", "x", y.dtype, outer * x_middle * inner);
    y.expect("take", "y", y.dtype, outer * y_middle * inner);
    GatherArgs args{};
    args.outer = outer, args.n = n, args.inner = inner, args.along = along;
    args.dtype = y.dtype, args.wide = indices.dtype == DType::i64;
    args.x = x.data, args.indices = indices.data, args.y = y.data;
    return args;
  };
  const auto count = [](bool along, int64_t outer, int64_t inner, const In& indices) {
    if (!along) return indices.size;
    const int64_t rows = outer * inner;
    if (rows == 0) return int64_t{0};
    if (indices.size % rows != 0) throw py::value_error("[take_along_axis] indices do not fit x");
    return indices.size / rows;
  };

  m.def(
      "gather_forward",
      [=](int64_t outer, int64_t n, int64_t inner, bool along, In x, In indices, Out y) {
        const int64_t chosen = count(along, outer, inner, indices);
        GatherArgs args = gather(outer, n, inner, along, x, indices, y, n, chosen);
        args.m = chosen;
        Backend::launch(Backend::kernels().gather_forward, args, x, indices, y);
      },
      "outer"_a, "n"_a, "inner"_a, "along"_a, "x"_a, "indices"_a, "y"_a);

  m.def(
      "gather_backward",
      [=](int64_t outer, int64_t n, int64_t inner, bool along, In dy, In indices, Out dx, bool accumulate) {
        if (!is_float(dx.dtype)) throw py::type_error("[take] gradients are float32 or float64");
        const int64_t chosen = count(along, outer, inner, indices);
        GatherArgs args = gather(outer, n, inner, along, dy, indices, dx, chosen, n);
        args.m = chosen, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().gather_backward, args, dy, indices, dx);
      },
      "outer"_a, "n"_a, "inner"_a, "along"_a, "dy"_a, "indices"_a, "dx"_a, "accumulate"_a);
}

}  // namespace dlbd
