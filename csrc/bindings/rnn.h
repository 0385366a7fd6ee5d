// Bindings of the recurrent family, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>

#include "../shapes/rnn.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_rnn(py::module_& m) {
  using In = typename Backend::In;
  using MaybeIn = typename Backend::MaybeIn;
  using Out = typename Backend::Out;
  using MaybeOut = typename Backend::MaybeOut;
  using namespace py::literals;

  py::class_<RnnShape>(m, "RnnShape", py::module_local())
      .def(py::init(&make_rnn_shape), "cell"_a, "batch"_a, "steps"_a, "inputs"_a, "units"_a, "dtype"_a,
           "path"_a = "auto")
      .def_property_readonly("path", [](const RnnShape& s) { return name_of(s.path); })
      .def_readonly("reserve", &RnnShape::reserve);

  m.def(
      "rnn_forward",
      [](const RnnShape& s, ActivationSpec activation, bool reverse, In x, In w, In u, MaybeIn bias, MaybeIn h0,
         MaybeIn c0, MaybeIn mask, MaybeOut y, Out h_last, MaybeOut c_last, MaybeOut reserve) {
        const int64_t state = s.batch * s.units;
        x.expect("rnn", "x", s.dtype, s.batch * s.steps * s.inputs);
        w.expect("rnn", "kernel", s.dtype, s.inputs * s.columns);
        u.expect("rnn", "recurrent_kernel", s.dtype, s.units * s.columns);
        bias.expect("rnn", "bias", s.dtype, s.bias_rows * s.columns);
        h0.expect("rnn", "initial state", s.dtype, state);
        c0.expect("rnn", "initial cell state", s.dtype, state);
        mask.expect("rnn", "mask", DType::b8, s.batch * s.steps);
        y.expect("rnn", "y", s.dtype, s.batch * s.steps * s.units);
        h_last.expect("rnn", "h_last", s.dtype, state);
        c_last.expect("rnn", "c_last", s.dtype, state);
        reserve.expect("rnn", "reserve", s.dtype, s.reserve);
        if ((s.cell == RnnCell::lstm) != static_cast<bool>(c_last) || (c0 && s.cell != RnnCell::lstm))
          throw py::value_error("[rnn] lstm has a cell state, no other cell has one");
        RnnForwardArgs args{};
        args.shape = s, args.activation = activation, args.reverse = reverse;
        args.x = x.data, args.w = w.data, args.u = u.data, args.bias = bias.data, args.h0 = h0.data, args.c0 = c0.data;
        args.mask = static_cast<const uint8_t*>(mask.data);
        args.y = y.data, args.h_last = h_last.data, args.c_last = c_last.data, args.reserve = reserve.data;
        Backend::launch(Backend::kernels().rnn_forward, args, x, w, u, bias, h0, c0, mask, y, h_last, c_last, reserve);
      },
      "shape"_a, "activation"_a, "reverse"_a, "x"_a, "w"_a, "u"_a, "bias"_a, "h0"_a, "c0"_a, "mask"_a, "y"_a,
      "h_last"_a, "c_last"_a, "reserve"_a);

  // The gradients come in the order dx, dw, du, db, dh0, dc0, each an array or None with its flag in accumulate.
  m.def(
      "rnn_backward",
      [](const RnnShape& s, ActivationSpec activation, bool reverse, In x, In w, In u, MaybeIn mask, In reserve,
         MaybeIn dy, MaybeIn dh_last, MaybeIn dc_last, MaybeOut dx, MaybeOut dw, MaybeOut du, MaybeOut db, MaybeOut dh0,
         MaybeOut dc0, std::array<bool, 6> accumulate) {
        const int64_t state = s.batch * s.units, inputs = s.batch * s.steps * s.inputs;
        x.expect("rnn", "x", s.dtype, inputs);
        w.expect("rnn", "kernel", s.dtype, s.inputs * s.columns);
        u.expect("rnn", "recurrent_kernel", s.dtype, s.units * s.columns);
        mask.expect("rnn", "mask", DType::b8, s.batch * s.steps);
        reserve.expect("rnn", "reserve", s.dtype, s.reserve);
        dy.expect("rnn", "dy", s.dtype, s.batch * s.steps * s.units);
        dh_last.expect("rnn", "dh_last", s.dtype, state);
        dc_last.expect("rnn", "dc_last", s.dtype, state);
        dx.expect("rnn", "dx", s.dtype, inputs);
        dw.expect("rnn", "dw", s.dtype, s.inputs * s.columns);
        du.expect("rnn", "du", s.dtype, s.units * s.columns);
        db.expect("rnn", "db", s.dtype, s.bias_rows * s.columns);
        dh0.expect("rnn", "dh0", s.dtype, state);
        dc0.expect("rnn", "dc0", s.dtype, state);
        RnnBackwardArgs args{};
        args.shape = s, args.activation = activation, args.reverse = reverse;
        args.x = x.data, args.w = w.data, args.u = u.data, args.mask = static_cast<const uint8_t*>(mask.data);
        args.reserve = reserve.data, args.dy = dy.data, args.dh_last = dh_last.data, args.dc_last = dc_last.data;
        args.dx = dx.data, args.dw = dw.data, args.du = du.data, args.db = db.data;
        args.dh0 = dh0.data, args.dc0 = dc0.data;
        args.accumulate_dx = accumulate[0], args.accumulate_dw = accumulate[1], args.accumulate_du = accumulate[2];
        args.accumulate_db = accumulate[3], args.accumulate_dh0 = accumulate[4], args.accumulate_dc0 = accumulate[5];
        Backend::launch(Backend::kernels().rnn_backward, args, x, w, u, mask, reserve, dy, dh_last, dc_last, dx, dw, du,
                        db, dh0, dc0);
      },
      "shape"_a, "activation"_a, "reverse"_a, "x"_a, "w"_a, "u"_a, "mask"_a, "reserve"_a, "dy"_a, "dh_last"_a,
      "dc_last"_a, "dx"_a, "dw"_a, "du"_a, "db"_a, "dh0"_a, "dc0"_a, "accumulate"_a);
}

}  // namespace dlbd
