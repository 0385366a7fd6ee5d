// Bindings of the losses, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/losses.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_losses(py::module_& m) {
  using In = typename Backend::In;
  using MaybeIn = typename Backend::MaybeIn;
  using Out = typename Backend::Out;
  using MaybeOut = typename Backend::MaybeOut;
  using namespace py::literals;

  py::class_<LossShape>(m, "LossShape", py::module_local())
      .def(py::init(&make_loss_shape), "kind"_a, "counting"_a, "rows"_a, "columns"_a, "dtype"_a, "label_dtype"_a,
           "weight_dtype"_a, "sparse"_a, "weights"_a, "masks"_a, "smoothing"_a, "delta"_a, "has_ignored"_a,
           "ignored"_a);

  // Labels may be absent only where the predictions are the losses.
  static constexpr auto check = [](const LossShape& s, const MaybeIn& labels, const In& predictions,
                                   const MaybeIn& weights, const MaybeIn& mask) {
    if (!labels && s.kind != LossKind::identity) throw py::type_error("[loss] labels are missing");
    labels.expect("loss", "y_true", s.label_dtype, s.sparse ? s.rows : s.rows * s.columns);
    predictions.expect("loss", "y_pred", s.dtype, s.rows * s.columns);
    if (bool(weights) != (s.weights > 0) || bool(mask) != (s.masks > 0))
      throw py::value_error("[loss] the shape tells of other weights or masks");
    weights.expect("loss", "sample_weight", s.weight_dtype, s.weights);
    mask.expect("loss", "mask", DType::b8, s.masks);
  };

  m.def(
      "loss_forward",
      [](const LossShape& s, MaybeIn labels, In predictions, MaybeIn weights, MaybeIn mask, Out statistics,
         MaybeOut losses, MaybeOut total, MaybeOut mean, Out count) {
        check(s, labels, predictions, weights, mask);
        statistics.expect("loss", "statistics", s.dtype, s.rows * kLossStatistics);
        losses.expect("loss", "losses", s.dtype, s.rows);
        total.expect("loss", "total", s.dtype, 1);
        mean.expect("loss", "mean", s.dtype, 1);
        count.expect("loss", "count", s.dtype, 1);
        LossForwardArgs args{};
        args.shape = s, args.labels = labels.data, args.predictions = predictions.data, args.weights = weights.data;
        args.mask = static_cast<const uint8_t*>(mask.data), args.statistics = statistics.data;
        args.losses = losses.data, args.total = total.data, args.mean = mean.data, args.count = count.data;
        Backend::launch(Backend::kernels().loss_forward, args, labels, predictions, weights, mask, statistics, losses,
                        total, mean, count);
      },
      "shape"_a, "labels"_a, "predictions"_a, "weights"_a, "mask"_a, "statistics"_a, "losses"_a, "total"_a, "mean"_a,
      "count"_a);

  m.def(
      "loss_backward",
      [](const LossShape& s, MaybeIn labels, In predictions, MaybeIn weights, MaybeIn mask, In statistics, In dy,
         bool dy_per_row, MaybeIn count, Out dpredictions, bool accumulate) {
        check(s, labels, predictions, weights, mask);
        statistics.expect("loss", "statistics", s.dtype, s.rows * kLossStatistics);
        dy.expect("loss", "dy", s.dtype, dy_per_row ? s.rows : 1);
        count.expect("loss", "count", s.dtype, 1);
        dpredictions.expect("loss", "gradient", s.dtype, s.rows * s.columns);
        LossBackwardArgs args{};
        args.shape = s, args.labels = labels.data, args.predictions = predictions.data, args.weights = weights.data;
        args.mask = static_cast<const uint8_t*>(mask.data), args.statistics = statistics.data, args.dy = dy.data;
        args.dy_per_row = dy_per_row, args.count = count.data, args.dpredictions = dpredictions.data;
        args.accumulate = accumulate;
        Backend::launch(Backend::kernels().loss_backward, args, labels, predictions, weights, mask, statistics, dy,
                        count, dpredictions);
      },
      "shape"_a, "labels"_a, "predictions"_a, "weights"_a, "mask"_a, "statistics"_a, "dy"_a, "dy_per_row"_a, "count"_a,
      "dpredictions"_a, "accumulate"_a);
}

}  // namespace dlbd
