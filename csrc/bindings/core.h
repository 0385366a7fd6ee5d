// What every backend module offers beside its kernels: dtypes, activations, memory, recordings.
#pragma once

#include <pybind11/native_enum.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <utility>

#include "../shapes/kernels.h"

namespace dlbd {

namespace py = pybind11;

inline Activation activation_named(const std::string& name) {
  constexpr const char* names[] = {"linear", "relu", "leaky_relu", "sigmoid", "tanh", "elu", "softplus"};
  for (size_t i = 0; i < std::size(names); ++i)
    if (name == names[i]) return static_cast<Activation>(i);
  throw py::value_error("no fused activation named '" + name + "'");
}

// One Python enum for both twins: a shape made by either serves both.
inline void bind_dtype(py::module_& m) {
  if (m.attr("__name__").cast<std::string>() != "dlbd._cpu") {
    m.attr("DType") = py::module_::import("dlbd._cpu").attr("DType");
    return;
  }
  py::native_enum<DType>(m, "DType", "enum.IntEnum")
      .value("float32", DType::f32)
      .value("float64", DType::f64)
      .value("int32", DType::i32)
      .value("int64", DType::i64)
      .value("uint8", DType::u8)
      .value("bool", DType::b8)
      .finalize();
  // enum's own hash is a Python function; a dtype is part of the key under which operations cache their shapes
  m.attr("DType").attr("__hash__") = py::type::of(py::int_(0)).attr("__hash__");
}

template <class Backend>
void bind_core(py::module_& m) {
  using namespace py::literals;
  using Recording = typename Backend::Recording;
  bind_dtype(m);
  py::class_<ActivationSpec>(m, "Activation", py::module_local())
      .def(py::init([](const std::string& name, float alpha) {
             return ActivationSpec{activation_named(name), alpha};
           }),
           "name"_a, "alpha"_a = 0.0f);
  py::class_<Recording>(m, "Recording", py::module_local())
      .def(py::init<>())
      .def("begin", &Recording::begin)
      .def("end", &Recording::end)
      .def("replay", &Recording::replay)
      .def("poison", &Recording::poison, "reason"_a)
      .def_property_readonly("poisoned", &Recording::poisoned)
      .def_property_readonly("launches", &Recording::launches)
      .def_property_readonly("bytes", &Recording::bytes);
  m.def("poison", [](std::string reason) {
    if (Recording* r = Recording::current()) r->poison(std::move(reason));
  });
  m.def("is_recording", [] { return Recording::current() != nullptr; });
  m.def(
      "swap_recording", [](Recording* recording) { return std::exchange(Recording::current(), recording); },
      "recording"_a.none(true), py::return_value_policy::reference,
      "Have this thread's launches appended to another recording, or to none; gives the one before.");
  m.def("empty", &Backend::empty, "shape"_a, "dtype"_a, "like"_a = py::none());
}

}  // namespace dlbd
