// Bindings of the reductions.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/checked.h"
#include "../shapes/reduce.h"
#include "elementwise.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_reduce(py::module_& m) {
  using In = typename Backend::In;
  using MaybeIn = typename Backend::MaybeIn;
  using Out = typename Backend::Out;
  using namespace py::literals;

  py::dict names;
#define DLBD_BIND(name) names[#name] = static_cast<int>(ReduceOp::name);
  DLBD_REDUCE(DLBD_BIND)
#undef DLBD_BIND
  m.attr("REDUCE") = names;

  const auto product = [](int64_t a, int64_t b) { return checked_mul(a, b, "[reduce] outer * n * inner"); };

  m.def(
      "reduce_forward",
      [=](int op, int64_t outer, int64_t n, int64_t inner, In x, Out y, MaybeIn shift, double scale, bool accumulate) {
        ReduceArgs args{};
        args.op = checked_op<ReduceOp>(op);
        const bool position = args.op == ReduceOp::argmax || args.op == ReduceOp::argmin;
        const bool shifted = args.op == ReduceOp::shifted_squares || args.op == ReduceOp::shifted_exp;
        x.expect("reduce", "x", x.dtype, product(product(outer, n), inner));
        y.expect("reduce", "y", position ? DType::i32 : x.dtype, product(outer, inner));
        shift.expect("reduce", "shift", x.dtype, product(outer, inner));
        if (shifted != static_cast<bool>(shift)) throw py::value_error("[reduce] shift is for the shifted operations");
        if ((shifted || accumulate) && !is_float(x.dtype)) throw py::type_error("[reduce] needs floats");
        if (accumulate && args.op != ReduceOp::sum) throw py::value_error("[reduce] only sums accumulate");
        if (n == 0 && outer * inner != 0 && args.op != ReduceOp::sum && args.op != ReduceOp::prod)
          throw py::value_error("[reduce] no elements to choose from");
        args.dtype = x.dtype, args.outer = outer, args.n = n, args.inner = inner, args.scale = scale;
        args.x = x.data, args.shift = shift.data, args.y = y.data, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().reduce_forward, args, x, shift, y);
      },
      "op"_a, "outer"_a, "n"_a, "inner"_a, "x"_a, "y"_a, "shift"_a = py::none(), "scale"_a = 1.0,
      "accumulate"_a = false);

  m.def(
      "reduce_backward",
      [=](int op, int64_t outer, int64_t n, int64_t inner, MaybeIn x, MaybeIn y, In dy, Out dx, double scale,
          bool accumulate) {
        ReduceBackwardArgs args{};
        args.op = checked_op<ReduceOp>(op);
        const int64_t whole = product(product(outer, n), inner), reduced = product(outer, inner);
        if (!is_float(dx.dtype)) throw py::type_error("[reduce] gradients are float32 or float64");
        x.expect("reduce", "x", dx.dtype, whole);
        y.expect("reduce", "y", dx.dtype, reduced);
        dy.expect("reduce", "dy", dx.dtype, reduced);
        dx.expect("reduce", "dx", dx.dtype, whole);
        if (args.op != ReduceOp::sum && (!x || !y)) throw py::value_error("[reduce] this gradient needs x and y");
        args.dtype = dx.dtype, args.outer = outer, args.n = n, args.inner = inner, args.scale = scale;
        args.x = x.data, args.y = y.data, args.dy = dy.data, args.dx = dx.data, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().reduce_backward, args, x, y, dy, dx);
      },
      "op"_a, "outer"_a, "n"_a, "inner"_a, "x"_a, "y"_a, "dy"_a, "dx"_a, "scale"_a, "accumulate"_a);
}

}  // namespace dlbd
