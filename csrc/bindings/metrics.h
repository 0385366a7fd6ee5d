// Bindings of the metrics, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/metrics.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_metrics(py::module_& m) {
  using In = typename Backend::In;
  using MaybeIn = typename Backend::MaybeIn;
  using Out = typename Backend::Out;
  using namespace py::literals;

  py::class_<MetricShape>(m, "MetricShape", py::module_local())
      .def(py::init(&make_metric_shape), "kind"_a, "rows"_a, "columns"_a, "dtype"_a, "label_dtype"_a, "weight_dtype"_a,
           "weights"_a, "masks"_a, "threshold"_a, "k"_a);

  m.def(
      "metric_update",
      [](const MetricShape& s, MaybeIn labels, In predictions, MaybeIn weights, MaybeIn mask, Out state) {
        const bool sparse = s.kind == MetricKind::sparse_accuracy || s.kind == MetricKind::sparse_top_k;
        if (!labels && s.kind != MetricKind::value) throw py::type_error("[metric] labels are missing");
        labels.expect("metric", "y_true", s.label_dtype, sparse ? s.rows : s.rows * s.columns);
        predictions.expect("metric", "y_pred", s.dtype, s.rows * s.columns);
        if (bool(weights) != (s.weights > 0) || bool(mask) != (s.masks > 0))
          throw py::value_error("[metric] the shape tells of other weights or masks");
        weights.expect("metric", "sample_weight", s.weight_dtype, s.weights);
        mask.expect("metric", "mask", DType::b8, s.masks);
        state.expect("metric", "state", DType::f64, 2);
        MetricArgs args{};
        args.shape = s, args.labels = labels.data, args.predictions = predictions.data, args.weights = weights.data;
        args.mask = static_cast<const uint8_t*>(mask.data), args.state = static_cast<double*>(state.data);
        Backend::launch(Backend::kernels().metric_update, args, labels, predictions, weights, mask, state);
      },
      "shape"_a, "labels"_a, "predictions"_a, "weights"_a, "mask"_a, "state"_a);

  m.def(
      "metric_add_loss",
      [](In sum, In count, double batch, Out state) {
        if (sum.dtype != DType::f32 && sum.dtype != DType::f64)
          throw py::type_error("[metric] a loss must be float32 or float64");
        sum.expect("metric", "sum", sum.dtype, 1);
        count.expect("metric", "count", sum.dtype, 1);
        state.expect("metric", "state", DType::f64, 2);
        MetricAddLossArgs args{};
        args.dtype = sum.dtype, args.sum = sum.data, args.count = count.data, args.batch = batch;
        args.state = static_cast<double*>(state.data);
        Backend::launch(Backend::kernels().metric_add_loss, args, sum, count, state);
      },
      "sum"_a, "count"_a, "batch"_a, "state"_a);
}

}  // namespace dlbd
