// Bindings of the elementwise family.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <vector>

#include "../shapes/elementwise.h"

namespace dlbd {

namespace py = pybind11;

template <class Op>
Op checked_op(int op) {
  if (op < 0 || op >= static_cast<int>(Op::count)) throw py::value_error("no such operation: " + std::to_string(op));
  return static_cast<Op>(op);
}

inline bool is_float(DType d) { return d == DType::f32 || d == DType::f64; }

template <class Backend>
void bind_elementwise(py::module_& m) {
  using In = typename Backend::In;
  using Out = typename Backend::Out;
  using namespace py::literals;

  // The numbers by which Python names the operations.
  py::dict binary, compare, unary, predicate;
  py::set from_output;
#define DLBD_BIND(name) binary[#name] = static_cast<int>(BinaryOp::name);
  DLBD_BINARY(DLBD_BIND)
#undef DLBD_BIND
#define DLBD_BIND(name) compare[#name] = static_cast<int>(CompareOp::name);
  DLBD_COMPARE(DLBD_BIND)
#undef DLBD_BIND
#define DLBD_BIND(name, saved)                    \
  unary[#name] = static_cast<int>(UnaryOp::name); \
  if (#saved[0] == 'y') from_output.add(unary[#name]);
  DLBD_UNARY(DLBD_BIND)
#undef DLBD_BIND
#define DLBD_BIND(name) predicate[#name] = static_cast<int>(PredicateOp::name);
  DLBD_PREDICATE(DLBD_BIND)
#undef DLBD_BIND
  m.attr("BINARY") = binary;
  m.attr("COMPARE") = compare;
  m.attr("UNARY") = unary;
  m.attr("UNARY_FROM_OUTPUT") = from_output;  // whose gradient is computed from y, not x
  m.attr("PREDICATE") = predicate;

  py::class_<BroadcastShape>(m, "BroadcastShape", py::module_local())
      .def(py::init([](const std::vector<std::vector<int64_t>>& shapes) {
             if (shapes.empty() || shapes.size() > kMaxOperands) throw py::value_error("one to three operands");
             size_t ndim = 0;
             for (const auto& s : shapes) ndim = std::max(ndim, s.size());
             std::vector<int64_t> padded;
             for (const auto& s : shapes) {
               padded.insert(padded.end(), ndim - s.size(), 1);
               padded.insert(padded.end(), s.begin(), s.end());
             }
             return make_broadcast_shape(static_cast<int>(shapes.size()), static_cast<int>(ndim), padded.data());
           }),
           "shapes"_a)
      .def_readonly("size", &BroadcastShape::total)
      .def_readonly("ndim", &BroadcastShape::ndim);

  m.def(
      "fill",
      [](double value, Out y) {
        FillArgs args{};
        args.dtype = y.dtype, args.n = y.size, args.value = value, args.y = y.data;
        Backend::launch(Backend::kernels().fill, args, y);
      },
      "value"_a, "y"_a);

  m.def(
      "assign",
      [](In x, Out y, bool accumulate) {
        x.expect("assign", "x", y.dtype, y.size);
        AssignArgs args{};
        args.dtype = y.dtype, args.n = y.size, args.x = x.data, args.y = y.data, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().assign, args, x, y);
      },
      "x"_a, "y"_a, "accumulate"_a = false);

  m.def(
      "cast",
      [](In x, Out y) {
        x.expect("cast", "x", x.dtype, y.size);
        CastArgs args{};
        args.from = x.dtype, args.to = y.dtype, args.n = y.size, args.x = x.data, args.y = y.data;
        Backend::launch(Backend::kernels().cast, args, x, y);
      },
      "x"_a, "y"_a);

  m.def(
      "binary_forward",
      [](const BroadcastShape& s, int op, In a, In b, Out y) {
        a.expect("binary", "a", y.dtype, s.operand[0]);
        b.expect("binary", "b", y.dtype, s.operand[1]);
        y.expect("binary", "y", y.dtype, s.total);
        BinaryArgs args{};
        args.shape = s, args.op = checked_op<BinaryOp>(op), args.dtype = y.dtype;
        args.a = a.data, args.b = b.data, args.y = y.data;
        Backend::launch(Backend::kernels().binary_forward, args, a, b, y);
      },
      "shape"_a, "op"_a, "a"_a, "b"_a, "y"_a);

  m.def(
      "binary_backward",
      [](const BroadcastShape& s, int op, int side, In a, In b, In dy, Out gradient, bool accumulate) {
        if (!is_float(dy.dtype)) throw py::type_error("[binary] gradients are float32 or float64");
        a.expect("binary", "a", dy.dtype, s.operand[0]);
        b.expect("binary", "b", dy.dtype, s.operand[1]);
        dy.expect("binary", "dy", dy.dtype, s.total);
        gradient.expect("binary", "gradient", dy.dtype, s.total);
        BinaryBackwardArgs args{};
        args.shape = s, args.op = checked_op<BinaryOp>(op), args.dtype = dy.dtype, args.side = side;
        args.a = a.data, args.b = b.data, args.dy = dy.data, args.gradient = gradient.data;
        args.accumulate = accumulate;
        Backend::launch(Backend::kernels().binary_backward, args, a, b, dy, gradient);
      },
      "shape"_a, "op"_a, "side"_a, "a"_a, "b"_a, "dy"_a, "gradient"_a, "accumulate"_a);

  m.def(
      "compare_forward",
      [](const BroadcastShape& s, int op, In a, In b, Out y) {
        a.expect("compare", "a", a.dtype, s.operand[0]);
        b.expect("compare", "b", a.dtype, s.operand[1]);
        y.expect("compare", "y", DType::b8, s.total);
        CompareArgs args{};
        args.shape = s, args.op = checked_op<CompareOp>(op), args.dtype = a.dtype;
        args.a = a.data, args.b = b.data, args.y = y.data;
        Backend::launch(Backend::kernels().compare_forward, args, a, b, y);
      },
      "shape"_a, "op"_a, "a"_a, "b"_a, "y"_a);

  m.def(
      "select_forward",
      [](const BroadcastShape& s, In condition, In a, In b, Out y, bool accumulate) {
        condition.expect("where", "condition", DType::b8, s.operand[0]);
        a.expect("where", "a", y.dtype, s.operand[1]);
        b.expect("where", "b", y.dtype, s.operand[2]);
        y.expect("where", "y", y.dtype, s.total);
        if (accumulate && !is_float(y.dtype)) throw py::type_error("[where] only floats accumulate");
        SelectArgs args{};
        args.shape = s, args.dtype = y.dtype, args.condition = condition.data, args.a = a.data, args.b = b.data;
        args.y = y.data, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().select_forward, args, condition, a, b, y);
      },
      "shape"_a, "condition"_a, "a"_a, "b"_a, "y"_a, "accumulate"_a = false);

  m.def(
      "unary_forward",
      [](int op, In x, Out y, double alpha, double beta) {
        x.expect("unary", "x", y.dtype, y.size);
        UnaryArgs args{};
        args.op = checked_op<UnaryOp>(op), args.dtype = y.dtype, args.n = y.size, args.alpha = alpha, args.beta = beta;
        args.x = x.data, args.y = y.data;
        Backend::launch(Backend::kernels().unary_forward, args, x, y);
      },
      "op"_a, "x"_a, "y"_a, "alpha"_a = 0.0, "beta"_a = 0.0);

  m.def(
      "unary_backward",
      [](int op, In saved, In dy, Out dx, bool accumulate, double alpha, double beta) {
        if (!is_float(dx.dtype)) throw py::type_error("[unary] gradients are float32 or float64");
        saved.expect("unary", "saved", dx.dtype, dx.size);
        dy.expect("unary", "dy", dx.dtype, dx.size);
        UnaryBackwardArgs args{};
        args.op = checked_op<UnaryOp>(op), args.dtype = dx.dtype, args.n = dx.size;
        args.alpha = alpha, args.beta = beta;
        args.saved = saved.data, args.dy = dy.data, args.dx = dx.data, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().unary_backward, args, saved, dy, dx);
      },
      "op"_a, "saved"_a, "dy"_a, "dx"_a, "accumulate"_a, "alpha"_a = 0.0, "beta"_a = 0.0);

  m.def(
      "predicate_forward",
      [](int op, In x, Out y) {
        y.expect("predicate", "y", DType::b8, x.size);
        PredicateArgs args{};
        args.op = checked_op<PredicateOp>(op), args.dtype = x.dtype, args.n = x.size, args.x = x.data, args.y = y.data;
        Backend::launch(Backend::kernels().predicate_forward, args, x, y);
      },
      "op"_a, "x"_a, "y"_a);
}

}  // namespace dlbd
