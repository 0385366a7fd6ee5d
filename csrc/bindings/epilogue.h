// Bindings of the way back through bias and activation.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/epilogue.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_epilogue(py::module_& m) {
  using In = typename Backend::In;
  using MaybeIn = typename Backend::MaybeIn;
  using MaybeOut = typename Backend::MaybeOut;
  using namespace py::literals;

  m.def(
      "epilogue_backward",
      [](In dy, MaybeIn y, ActivationSpec activation, MaybeOut dz, MaybeOut db, bool accumulate) {
        if (dy.ndim == 0) throw py::value_error("[epilogue_backward] dy must have a last axis");
        if (dy.dtype != DType::f32 && dy.dtype != DType::f64)
          throw py::type_error("[epilogue_backward] dy must be float32 or float64");
        if (!y && activation.kind != Activation::linear)
          throw py::value_error("[epilogue_backward] an activation that is not linear needs y");
        const int64_t columns = dy.shape[dy.ndim - 1];
        y.expect("epilogue_backward", "y", dy.dtype, dy.size);
        dz.expect("epilogue_backward", "dz", dy.dtype, dy.size);
        db.expect("epilogue_backward", "db", dy.dtype, columns);
        EpilogueBackwardArgs args{};
        args.rows = columns == 0 ? 0 : dy.size / columns, args.columns = columns, args.dtype = dy.dtype;
        args.dy = dy.data, args.y = y.data, args.activation = activation;
        args.dz = dz.data, args.db = db.data, args.accumulate = accumulate;
        Backend::launch(Backend::kernels().epilogue_backward, args, dy, y, dz, db);
      },
      "dy"_a, "y"_a, "activation"_a, "dz"_a, "db"_a, "accumulate"_a = false,
      "dz = dy * act'(y), and db the sum of dz over all axes but the last; y, dz and db may be None.");
}

}  // namespace dlbd
