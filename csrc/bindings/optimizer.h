// Bindings of the optimizers' update, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>

#include "../shapes/optimizer.h"

namespace dlbd {

namespace py = pybind11;

template <class Backend>
void bind_optimizer(py::module_& m) {
  using In = typename Backend::In;
  using MaybeIn = typename Backend::MaybeIn;
  using Out = typename Backend::Out;
  using MaybeOut = typename Backend::MaybeOut;
  using namespace py::literals;

  py::class_<OptimizerRule>(m, "OptimizerRule", py::module_local())
      .def(py::init(&make_optimizer_rule), "kind"_a, "clipping"_a, "clip"_a, "weight_decay"_a, "beta_1"_a, "beta_2"_a,
           "rho"_a, "momentum"_a, "epsilon"_a, "nesterov"_a, "amsgrad"_a, "centered"_a);
  m.attr("OPTIMIZER_BLOCK") = kOptimizerBlock;

  m.def(
      "optimizer_update",
      [](const OptimizerRule& rule, In table, Out parameters, In gradients, MaybeOut state0, MaybeOut state1,
         MaybeOut state2, MaybeIn count, In learning_rate, Out iterations, MaybeIn norms) {
        const int64_t segments = table.size / kSegmentFields;
        const DType dtype = parameters.dtype;
        if (dtype != DType::f32 && dtype != DType::f64)
          throw py::type_error("[optimizer] parameters must be float32 or float64");
        table.expect("optimizer", "table", DType::i64, segments * kSegmentFields);
        gradients.expect("optimizer", "gradients", dtype, parameters.size);
        const bool wanted[3] = {
            rule.kind != OptimizerKind::sgd || rule.momentum != 0,
            rule.kind == OptimizerKind::adam || (rule.kind == OptimizerKind::rmsprop && rule.momentum != 0),
            (rule.kind == OptimizerKind::adam && rule.amsgrad) ||
                (rule.kind == OptimizerKind::rmsprop && rule.centered)};
        const MaybeOut* states[3] = {&state0, &state1, &state2};
        for (int i = 0; i < 3; ++i) {
          if (wanted[i] && !*states[i]) throw py::value_error("[optimizer] a state buffer is missing");
          states[i]->expect("optimizer", "state", dtype, parameters.size);
        }
        const bool by_norm = rule.clipping == Clipping::norm || rule.clipping == Clipping::global_norm;
        if (by_norm && !norms) throw py::value_error("[optimizer] clipping by norm needs norms");
        norms.expect("optimizer", "norms", DType::f64, segments + 1);
        if (count && count.dtype != DType::f64) count.expect("optimizer", "count", DType::f32, 1);
        count.expect("optimizer", "count", count.dtype, 1);
        learning_rate.expect("optimizer", "learning_rate", DType::f32, 1);
        iterations.expect("optimizer", "iterations", DType::i64, 1);
        OptimizerArgs args{};
        args.rule = rule, args.dtype = dtype, args.n = parameters.size, args.segments = segments;
        args.table = static_cast<const int64_t*>(table.data), args.parameters = parameters.data;
        args.gradients = gradients.data;
        for (int i = 0; i < 3; ++i) args.state[i] = states[i]->data;
        args.count = count.data, args.count_dtype = count.dtype;
        args.learning_rate = static_cast<const float*>(learning_rate.data);
        args.iterations = static_cast<int64_t*>(iterations.data);
        args.norms = static_cast<const double*>(norms.data);
        Backend::launch(Backend::kernels().optimizer_update, args, table, parameters, gradients, state0, state1, state2,
                        count, learning_rate, iterations, norms);
      },
      "rule"_a, "table"_a, "parameters"_a, "gradients"_a, "state0"_a, "state1"_a, "state2"_a, "count"_a,
      "learning_rate"_a, "iterations"_a, "norms"_a);

  m.def(
      "gradient_norms",
      [](In table, In gradients, int64_t blocks, Out squares) {
        const int64_t segments = table.size / kSegmentFields;
        table.expect("gradient_norms", "table", DType::i64, segments * kSegmentFields);
        squares.expect("gradient_norms", "squares", DType::f64, segments + 1);
        if (gradients.dtype != DType::f32 && gradients.dtype != DType::f64)
          throw py::type_error("[gradient_norms] gradients must be float32 or float64");
        GradientNormsArgs args{};
        args.dtype = gradients.dtype, args.segments = segments, args.blocks = blocks;
        args.table = static_cast<const int64_t*>(table.data), args.gradients = gradients.data;
        args.squares = static_cast<double*>(squares.data);
        Backend::launch(Backend::kernels().gradient_norms, args, table, gradients, squares);
      },
      "table"_a, "gradients"_a, "blocks"_a, "squares"_a);
}

}  // namespace dlbd
