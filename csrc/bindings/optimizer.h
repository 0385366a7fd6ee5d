// Bindings of the optimizers' update, written once for every backend.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "../shapes/optimizer.h"

namespace dlbd {

namespace py = pybind11;

template <class Array>
void expect_count(const Array& count, const char* op) {
  count.expect(op, "count", count && count.dtype == DType::f64 ? DType::f64 : DType::f32, 1);
}

// How many elements the flat buffer `x` has; TypeError if they are not floats.
template <class Array>
int64_t floats_of(const Array& x, const char* op, const char* name) {
  if (x.dtype != DType::f32 && x.dtype != DType::f64)
    throw py::type_error(std::string("[") + op + "] " + name + " must be float32 or float64");
  return x.size;
}

template <class Backend>
void bind_optimizer(py::module_& m) {
  using In = typename Backend::In;
  using MaybeIn = typename Backend::MaybeIn;
  using Out = typename Backend::Out;
  using MaybeOut = typename Backend::MaybeOut;
  using namespace py::literals;

  py::class_<OptimizerRule>(m, "OptimizerRule", py::module_local())
      .def(py::init(&make_optimizer_rule), "kind"_a, "clipping"_a, "clip"_a, "weight_decay"_a, "beta_1"_a, "beta_2"_a,
           "rho"_a, "momentum"_a, "epsilon"_a, "nesterov"_a, "amsgrad"_a, "centered"_a, "accumulation"_a = 1);
  m.attr("OPTIMIZER_BLOCK") = kOptimizerBlock;

  m.def(
      "optimizer_update",
      [](const OptimizerRule& rule, In table, Out parameters, In gradients, MaybeOut state0, MaybeOut state1,
         MaybeOut state2, MaybeIn count, In learning_rate, Out iterations, Out ticket, MaybeIn norms) {
        const int64_t segments = table.size / kSegmentFields;
        const DType dtype = parameters.dtype;
        const int64_t n = floats_of(parameters, "optimizer", "parameters");
        table.expect("optimizer", "table", DType::i64, segments * kSegmentFields);
        gradients.expect("optimizer", "gradients", dtype, n);
        const bool wanted[3] = {
            rule.kind != OptimizerKind::sgd || rule.momentum != 0,
            rule.kind == OptimizerKind::adam || (rule.kind == OptimizerKind::rmsprop && rule.momentum != 0),
            (rule.kind == OptimizerKind::adam && rule.amsgrad) ||
                (rule.kind == OptimizerKind::rmsprop && rule.centered)};
        const MaybeOut* states[3] = {&state0, &state1, &state2};
        for (int i = 0; i < 3; ++i) {
          if (wanted[i] && !*states[i]) throw py::value_error("[optimizer] a state buffer is missing");
          states[i]->expect("optimizer", "state", dtype, n);
        }
        const bool by_norm = rule.clipping == Clipping::norm || rule.clipping == Clipping::global_norm;
        if (by_norm && !norms) throw py::value_error("[optimizer] clipping by norm needs norms");
        norms.expect("optimizer", "norms", DType::f64, segments + 1);
        expect_count(count, "optimizer");
        learning_rate.expect("optimizer", "learning_rate", DType::f32, 1);
        iterations.expect("optimizer", "iterations", DType::i64, 1);
        ticket.expect("optimizer", "ticket", DType::i64, 1);
        OptimizerArgs args{};
        args.rule = rule, args.dtype = dtype, args.n = n, args.segments = segments;
        args.table = static_cast<const int64_t*>(table.data), args.parameters = parameters.data;
        args.gradients = gradients.data;
        for (int i = 0; i < 3; ++i) args.state[i] = states[i]->data;
        args.count = count.data, args.count_dtype = count.dtype;
        args.learning_rate = static_cast<const float*>(learning_rate.data);
        args.iterations = static_cast<int64_t*>(iterations.data);
        args.ticket = static_cast<int64_t*>(ticket.data);
        args.norms = static_cast<const double*>(norms.data);
        Backend::launch(Backend::kernels().optimizer_update, args, table, parameters, gradients, state0, state1, state2,
                        count, learning_rate, iterations, ticket, norms);
      },
      "rule"_a, "table"_a, "parameters"_a, "gradients"_a, "state0"_a, "state1"_a, "state2"_a, "count"_a,
      "learning_rate"_a, "iterations"_a, "ticket"_a, "norms"_a);

  m.def(
      "gradient_norms",
      [](In table, In gradients, int64_t blocks, Out squares) {
        const int64_t segments = table.size / kSegmentFields;
        table.expect("gradient_norms", "table", DType::i64, segments * kSegmentFields);
        squares.expect("gradient_norms", "squares", DType::f64, segments + 1);
        floats_of(gradients, "gradient_norms", "gradients");
        GradientNormsArgs args{};
        args.dtype = gradients.dtype, args.segments = segments, args.blocks = blocks;
        args.table = static_cast<const int64_t*>(table.data), args.gradients = gradients.data;
        args.squares = static_cast<double*>(squares.data);
        Backend::launch(Backend::kernels().gradient_norms, args, table, gradients, squares);
      },
      "table"_a, "gradients"_a, "blocks"_a, "squares"_a);

  m.def(
      "gradient_accumulate",
      [](In table, In gradients, MaybeIn count, In iterations, int64_t accumulation, Out sums) {
        const int64_t segments = table.size / kSegmentFields;
        const int64_t n = floats_of(gradients, "gradient_accumulate", "gradients");
        table.expect("gradient_accumulate", "table", DType::i64, segments * kSegmentFields);
        expect_count(count, "gradient_accumulate");
        iterations.expect("gradient_accumulate", "iterations", DType::i64, 1);
        sums.expect("gradient_accumulate", "sums", gradients.dtype, n);
        if (accumulation < 1) throw py::value_error("[gradient_accumulate] accumulation must be 1 or more");
        GradientAccumulateArgs args{};
        args.dtype = gradients.dtype, args.n = n, args.segments = segments, args.accumulation = accumulation;
        args.table = static_cast<const int64_t*>(table.data), args.gradients = gradients.data;
        args.count = count.data, args.count_dtype = count.dtype;
        args.iterations = static_cast<const int64_t*>(iterations.data), args.sums = sums.data;
        Backend::launch(Backend::kernels().gradient_accumulate, args, table, gradients, count, iterations, sums);
      },
      "table"_a, "gradients"_a, "count"_a, "iterations"_a, "accumulation"_a, "sums"_a);

  m.def(
      "moving_average",
      [](Out parameters, Out averages, In iterations, double momentum, int64_t overwrite_every, int64_t accumulation) {
        const int64_t n = floats_of(parameters, "moving_average", "parameters");
        averages.expect("moving_average", "averages", parameters.dtype, n);
        iterations.expect("moving_average", "iterations", DType::i64, 1);
        if (accumulation < 1 || overwrite_every < 0)
          throw py::value_error("[moving_average] accumulation must be 1 or more, overwrite_every 0 or more");
        MovingAverageArgs args{};
        args.dtype = parameters.dtype, args.n = n, args.momentum = momentum;
        args.accumulation = accumulation, args.overwrite_every = overwrite_every;
        args.iterations = static_cast<const int64_t*>(iterations.data);
        args.parameters = parameters.data, args.averages = averages.data;
        Backend::launch(Backend::kernels().moving_average, args, parameters, averages, iterations);
      },
      "parameters"_a, "averages"_a, "iterations"_a, "momentum"_a, "overwrite_every"_a, "accumulation"_a);
}

}  // namespace dlbd
