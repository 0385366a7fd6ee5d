// Bindings of the pooling family, written once for every backend.
#pragma once

#include "conv.h"

namespace dlbd {

template <class Backend>
void bind_pool(py::module_& m) {
  using In = typename Backend::In;
  using MaybeIn = typename Backend::MaybeIn;
  using Out = typename Backend::Out;
  using namespace py::literals;

  py::class_<PoolShape>(m, "PoolShape", py::module_local())
      .def(py::init(&make_pool_shape), "x"_a, "window"_a, "strides"_a, "padding"_a, "average"_a, "dtype"_a,
           "path"_a = "auto")
      .def_property_readonly("y_shape",
                             [](const PoolShape& s) { return array_shape(s.n, s.axis, s.rank, &ConvAxis::out, s.c); })
      .def_property_readonly("path", [](const PoolShape& s) { return name_of(s.path); });

  m.def(
      "pool_forward",
      [](const PoolShape& s, In x, Out y) {
        x.expect("pool", "x", s.dtype, s.x_size);
        y.expect("pool", "y", s.dtype, s.y_size);
        PoolForwardArgs args{};
        args.shape = s, args.x = x.data, args.y = y.data;
        Backend::launch(Backend::kernels().pool_forward, args, x, y);
      },
      "shape"_a, "x"_a, "y"_a);

  m.def(
      "pool_backward",
      [](const PoolShape& s, MaybeIn x, MaybeIn y, In dy, Out dx, bool accumulate) {
        if (!s.average && (!x || !y)) throw py::type_error("[max_pool] the gradient needs x and y");
        x.expect("pool", "x", s.dtype, s.x_size);
        y.expect("pool", "y", s.dtype, s.y_size);
        dy.expect("pool", "dy", s.dtype, s.y_size);
        dx.expect("pool", "dx", s.dtype, s.x_size);
        PoolBackwardArgs args{};
        args.shape = s, args.x = x.data, args.y = y.data, args.dy = dy.data, args.dx = dx.data;
        args.accumulate = accumulate;
        Backend::launch(Backend::kernels().pool_backward, args, x, y, dy, dx);
      },
      "shape"_a, "x"_a, "y"_a, "dy"_a, "dx"_a, "accumulate"_a = false);
}

}  // namespace dlbd
