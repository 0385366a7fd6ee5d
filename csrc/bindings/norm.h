// Bindings of batch and layer normalization, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/norm.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_norm(py::module_& m) {
  using In = typename Backend::In;
  using MaybeIn = typename Backend::MaybeIn;
  using Out = typename Backend::Out;
  using MaybeOut = typename Backend::MaybeOut;
  using namespace py::literals;

  py::class_<BatchNormShape>(m, "BatchNormShape", py::module_local())
      .def(py::init(&make_batch_norm_shape), "outer"_a, "channels"_a, "inner"_a, "dtype"_a, "path"_a = "auto")
      .def_property_readonly("path", [](const BatchNormShape& s) { return name_of(s.path); });

  py::class_<LayerNormShape>(m, "LayerNormShape", py::module_local())
      .def(py::init(&make_layer_norm_shape), "rows"_a, "n"_a, "dtype"_a);

  m.def(
      "batch_norm_forward",
      [](const BatchNormShape& s, In x, MaybeIn gamma, MaybeIn beta, Out moving_mean, Out moving_variance, Out y,
         MaybeOut mean, MaybeOut rstd, double momentum, double epsilon, bool training) {
        constexpr const char* kOp = "batch_normalization";
        const int64_t count = s.outer * s.channels * s.inner;
        x.expect(kOp, "x", s.dtype, count);
        y.expect(kOp, "y", s.dtype, count);
        gamma.expect(kOp, "gamma", s.dtype, s.channels);
        beta.expect(kOp, "beta", s.dtype, s.channels);
        moving_mean.expect(kOp, "moving_mean", s.dtype, s.channels);
        moving_variance.expect(kOp, "moving_variance", s.dtype, s.channels);
        mean.expect(kOp, "mean", s.dtype, s.channels);
        rstd.expect(kOp, "rstd", s.dtype, s.channels);
        BatchNormForwardArgs args{};
        args.shape = s, args.x = x.data, args.gamma = gamma.data, args.beta = beta.data, args.y = y.data;
        args.moving_mean = moving_mean.data, args.moving_variance = moving_variance.data;
        args.mean = mean.data, args.rstd = rstd.data;
        args.momentum = momentum, args.epsilon = epsilon, args.training = training;
        Backend::launch(Backend::kernels().batch_norm_forward, args, x, gamma, beta, moving_mean, moving_variance, y,
                        mean, rstd);
      },
      "shape"_a, "x"_a, "gamma"_a, "beta"_a, "moving_mean"_a, "moving_variance"_a, "y"_a, "mean"_a, "rstd"_a,
      "momentum"_a, "epsilon"_a, "training"_a);

  m.def(
      "batch_norm_backward",
      [](const BatchNormShape& s, In x, MaybeIn gamma, In mean, In rstd, In dy, MaybeOut dx, bool accumulate_dx,
         MaybeOut dgamma, bool accumulate_dgamma, MaybeOut dbeta, bool accumulate_dbeta, bool training) {
        constexpr const char* kOp = "batch_normalization";
        const int64_t count = s.outer * s.channels * s.inner;
        x.expect(kOp, "x", s.dtype, count);
        dy.expect(kOp, "dy", s.dtype, count);
        dx.expect(kOp, "dx", s.dtype, count);
        gamma.expect(kOp, "gamma", s.dtype, s.channels);
        mean.expect(kOp, "mean", s.dtype, s.channels);
        rstd.expect(kOp, "rstd", s.dtype, s.channels);
        dgamma.expect(kOp, "dgamma", s.dtype, s.channels);
        dbeta.expect(kOp, "dbeta", s.dtype, s.channels);
        BatchNormBackwardArgs args{};
        args.shape = s, args.x = x.data, args.gamma = gamma.data, args.mean = mean.data, args.rstd = rstd.data;
        args.dy = dy.data, args.dx = dx.data, args.dgamma = dgamma.data, args.dbeta = dbeta.data;
        args.accumulate_dx = accumulate_dx, args.accumulate_dgamma = accumulate_dgamma;
        args.accumulate_dbeta = accumulate_dbeta, args.training = training;
        Backend::launch(Backend::kernels().batch_norm_backward, args, x, gamma, mean, rstd, dy, dx, dgamma, dbeta);
      },
      "shape"_a, "x"_a, "gamma"_a, "mean"_a, "rstd"_a, "dy"_a, "dx"_a, "accumulate_dx"_a, "dgamma"_a,
      "accumulate_dgamma"_a, "dbeta"_a, "accumulate_dbeta"_a, "training"_a);

  m.def(
      "layer_norm_forward",
      [](const LayerNormShape& s, In x, MaybeIn gamma, MaybeIn beta, Out y, MaybeOut mean, MaybeOut rstd,
         double epsilon) {
        constexpr const char* kOp = "layer_normalization";
        x.expect(kOp, "x", s.dtype, s.rows * s.n);
        y.expect(kOp, "y", s.dtype, s.rows * s.n);
        gamma.expect(kOp, "gamma", s.dtype, s.n);
        beta.expect(kOp, "beta", s.dtype, s.n);
        mean.expect(kOp, "mean", s.dtype, s.rows);
        rstd.expect(kOp, "rstd", s.dtype, s.rows);
        if (static_cast<bool>(mean) != static_cast<bool>(rstd))
          throw py::value_error("[layer_normalization] mean and rstd come together");
        LayerNormForwardArgs args{};
        args.shape = s, args.x = x.data, args.gamma = gamma.data, args.beta = beta.data, args.y = y.data;
        args.mean = mean.data, args.rstd = rstd.data, args.epsilon = epsilon;
        Backend::launch(Backend::kernels().layer_norm_forward, args, x, gamma, beta, y, mean, rstd);
      },
      "shape"_a, "x"_a, "gamma"_a, "beta"_a, "y"_a, "mean"_a, "rstd"_a, "epsilon"_a);

  m.def(
      "layer_norm_backward",
      [](const LayerNormShape& s, In x, MaybeIn gamma, In mean, In rstd, In dy, MaybeOut dx, bool accumulate_dx,
         MaybeOut dgamma, bool accumulate_dgamma, MaybeOut dbeta, bool accumulate_dbeta) {
        constexpr const char* kOp = "layer_normalization";
        x.expect(kOp, "x", s.dtype, s.rows * s.n);
        dy.expect(kOp, "dy", s.dtype, s.rows * s.n);
        dx.expect(kOp, "dx", s.dtype, s.rows * s.n);
        gamma.expect(kOp, "gamma", s.dtype, s.n);
        mean.expect(kOp, "mean", s.dtype, s.rows);
        rstd.expect(kOp, "rstd", s.dtype, s.rows);
        dgamma.expect(kOp, "dgamma", s.dtype, s.n);
        dbeta.expect(kOp, "dbeta", s.dtype, s.n);
        LayerNormBackwardArgs args{};
        args.shape = s, args.x = x.data, args.gamma = gamma.data, args.mean = mean.data, args.rstd = rstd.data;
        args.dy = dy.data, args.dx = dx.data, args.dgamma = dgamma.data, args.dbeta = dbeta.data;
        args.accumulate_dx = accumulate_dx, args.accumulate_dgamma = accumulate_dgamma;
        args.accumulate_dbeta = accumulate_dbeta;
        Backend::launch(Backend::kernels().layer_norm_backward, args, x, gamma, mean, rstd, dy, dx, dgamma, dbeta);
      },
      "shape"_a, "x"_a, "gamma"_a, "mean"_a, "rstd"_a, "dy"_a, "dx"_a, "accumulate_dx"_a, "dgamma"_a,
      "accumulate_dgamma"_a, "dbeta"_a, "accumulate_dbeta"_a);
}

}  // namespace dlbd
