// Bindings of running sums and products.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/checked.h"
#include "../shapes/scan.h"
#include "elementwise.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_scan(py::module_& m) {
  using In = typename Backend::In;
  using Out = typename Backend::Out;
  using namespace py::literals;

  py::dict names;
#define DLBD_BIND(name) names[#name] = static_cast<int>(ScanOp::name);
  DLBD_SCAN(DLBD_BIND)
#undef DLBD_BIND
  m.attr("SCAN") = names;

  const auto whole = [](int64_t outer, int64_t n, int64_t inner) {
    if (outer < 0 || n < 0 || inner < 0) throw py::value_error("[scan] sizes must not be negative");
    return checked_mul(checked_mul(outer, n, "[scan] outer * n"), inner, "[scan] outer * n * inner");
  };

  m.def(
      "scan_forward",
      [=](int op, int64_t outer, int64_t n, int64_t inner, In x, Out y, bool reverse, bool exclusive, bool accumulate) {
        x.expect("scan", "x", x.dtype, whole(outer, n, inner));
        y.expect("scan", "y", x.dtype, x.size);
        if (x.dtype == DType::u8 || x.dtype == DType::b8) throw py::type_error("[scan] bytes are not added up");
        if (accumulate && !is_float(x.dtype)) throw py::type_error("[scan] only floats accumulate");
        ScanArgs args{};
        args.op = checked_op<ScanOp>(op), args.dtype = x.dtype, args.outer = outer, args.n = n, args.inner = inner;
        args.reverse = reverse, args.exclusive = exclusive, args.accumulate = accumulate;
        args.x = x.data, args.y = y.data;
        Backend::launch(Backend::kernels().scan_forward, args, x, y);
      },
      "op"_a, "outer"_a, "n"_a, "inner"_a, "x"_a, "y"_a, "reverse"_a = false, "exclusive"_a = false,
      "accumulate"_a = false);

  m.def(
      "scan_prod_backward",
      [=](int64_t outer, int64_t n, int64_t inner, In x, In before, In dy, Out dx, bool accumulate) {
        if (!is_float(dx.dtype)) throw py::type_error("[scan] gradients are float32 or float64");
        x.expect("scan", "x", dx.dtype, whole(outer, n, inner));
        before.expect("scan", "before", dx.dtype, x.size);
        dy.expect("scan", "dy", dx.dtype, x.size);
        dx.expect("scan", "dx", dx.dtype, x.size);
        ScanProdBackwardArgs args{};
        args.dtype = dx.dtype, args.outer = outer, args.n = n, args.inner = inner, args.accumulate = accumulate;
        args.x = x.data, args.before = before.data, args.dy = dy.data, args.dx = dx.data;
        Backend::launch(Backend::kernels().scan_prod_backward, args, x, before, dy, dx);
      },
      "outer"_a, "n"_a, "inner"_a, "x"_a, "before"_a, "dy"_a, "dx"_a, "accumulate"_a);
}

}  // namespace dlbd
