// Bindings of the convolution family, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "../shapes/conv_checks.h"

namespace dlbd {

namespace py = pybind11;

// (n, spatial..., channels) with the spatial axes that the operation has.
inline py::tuple array_shape(int64_t n, const ConvAxis (&axis)[3], int64_t rank, int64_t ConvAxis::*length,
                             int64_t channels) {
  py::tuple shape(rank + 2);
  shape[0] = n;
  for (int64_t i = 0; i < rank; ++i) shape[1 + i] = axis[3 - rank + i].*length;
  shape[rank + 1] = channels;
  return shape;
}

template <class Backend>
void bind_conv(py::module_& m) {
  using In = typename Backend::In;
  using MaybeIn = typename Backend::MaybeIn;
  using Out = typename Backend::Out;
  using MaybeOut = typename Backend::MaybeOut;
  using namespace py::literals;

  py::class_<ConvShape>(m, "ConvShape", py::module_local())
      .def(py::init(&make_conv_shape), "x"_a, "kernel"_a, "strides"_a, "padding"_a, "dilation"_a, "groups"_a, "dtype"_a,
           "path"_a = "auto")
      .def_static("transposed", &make_conv_transpose_shape, "x"_a, "kernel"_a, "strides"_a, "padding"_a,
                  "output_padding"_a, "dilation"_a, "dtype"_a, "path"_a = "auto")
      .def_property_readonly("x_shape",
                             [](const ConvShape& s) { return array_shape(s.n, s.axis, s.rank, &ConvAxis::in, s.c); })
      .def_property_readonly("y_shape",
                             [](const ConvShape& s) { return array_shape(s.n, s.axis, s.rank, &ConvAxis::out, s.k); })
      .def_property_readonly("path", [](const ConvShape& s) { return name_of(s.path); });

  m.def(
      "conv_forward",
      [](const ConvShape& s, In x, In w, MaybeIn b, Out y, ActivationSpec activation, bool accumulate) {
        x.expect("conv", "x", s.dtype, s.x_size);
        w.expect("conv", "w", s.dtype, s.w_size);
        b.expect("conv", "bias", s.dtype, s.k);
        y.expect("conv", "y", s.dtype, s.y_size);
        if (accumulate && (b || activation.kind != Activation::linear))
          throw py::value_error("[conv] accumulate excludes bias and activation");
        ConvForwardArgs args{};
        args.shape = s, args.x = x.data, args.w = w.data, args.b = b.data, args.y = y.data;
        args.activation = activation, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().conv_forward, args, x, w, b, y);
      },
      "shape"_a, "x"_a, "w"_a, "b"_a, "y"_a, "activation"_a, "accumulate"_a = false);

  m.def(
      "conv_backward_data",
      [](const ConvShape& s, In dy, In w, MaybeIn b, Out dx, ActivationSpec activation, bool accumulate) {
        dy.expect("conv", "dy", s.dtype, s.y_size);
        w.expect("conv", "w", s.dtype, s.w_size);
        b.expect("conv", "bias", s.dtype, s.c);
        dx.expect("conv", "dx", s.dtype, s.x_size);
        if (accumulate && (b || activation.kind != Activation::linear))
          throw py::value_error("[conv] accumulate excludes bias and activation");
        ConvBackwardDataArgs args{};
        args.shape = s, args.dy = dy.data, args.w = w.data, args.b = b.data, args.dx = dx.data;
        args.activation = activation, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().conv_backward_data, args, dy, w, b, dx);
      },
      "shape"_a, "dy"_a, "w"_a, "b"_a, "dx"_a, "activation"_a, "accumulate"_a = false);

  m.def(
      "conv_backward_weights",
      [](const ConvShape& s, In x, In dy, MaybeIn y, ActivationSpec activation, MaybeOut dz, MaybeOut dw, MaybeOut db,
         bool accumulate, bool accumulate_bias) {
        x.expect("conv", "x", s.dtype, s.x_size);
        dy.expect("conv", "dy", s.dtype, s.y_size);
        y.expect("conv", "y", s.dtype, s.y_size);
        dz.expect("conv", "dz", s.dtype, s.y_size);
        dw.expect("conv", "dw", s.dtype, s.w_size);
        db.expect("conv", "db", s.dtype, s.k);
        if ((activation.kind == Activation::linear) == static_cast<bool>(y) || (dz && !y))
          throw py::value_error("[conv] y goes with an activation that is not linear, dz with y");
        ConvBackwardWeightsArgs args{};
        args.shape = s, args.x = x.data, args.dy = dy.data, args.y = y.data, args.activation = activation;
        args.dz = dz.data, args.dw = dw.data, args.db = db.data;
        args.accumulate = accumulate, args.accumulate_bias = accumulate_bias;
        Backend::launch(Backend::kernels().conv_backward_weights, args, x, dy, y, dz, dw, db);
      },
      "shape"_a, "x"_a, "dy"_a, "y"_a, "activation"_a, "dz"_a, "dw"_a, "db"_a, "accumulate"_a = false,
      "accumulate_bias"_a = false);
}

}  // namespace dlbd
