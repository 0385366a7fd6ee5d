// How a CuPy array enters a kernel: exactly a cupy.ndarray, C-contiguous, a dtype we know.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <array>

#include "host_array.h"

namespace dlbd {

namespace py = pybind11;

// What we ask CuPy for, looked up when the first device array is met.
struct CuPy {
  py::object ndarray, allocate, current_stream, device, memory_pool, out_of_memory, memory_info;
  static const CuPy& get();  // cuda_backend.cpp; raises ImportError
};

inline constexpr int kMaxDeviceDims = 32;

template <bool Writable, bool Nullable>
struct DeviceArray {
  using Pointer = std::conditional_t<Writable, void*, const void*>;
  Pointer data = nullptr;  // null for None, where that is allowed
  DType dtype = DType::f32;
  int ndim = 0;
  std::array<py::ssize_t, kMaxDeviceDims> shape{};
  int64_t size = 0;
  int device = 0;
  py::handle owner;

  explicit operator bool() const { return static_cast<bool>(owner); }

  static DeviceArray from(py::handle source) {
    if (Nullable && source.is_none()) return {};
    if (!py::isinstance(source, CuPy::get().ndarray))
      throw py::type_error(
          std::string("the arrays of one operation must lie on one device; received one of the GPU and ") +
          Py_TYPE(source.ptr())->tp_name);
    const py::dtype given = py::reinterpret_borrow<py::dtype>(source.attr("dtype"));
    const auto dtype = dtype_from_number(given.num());
    if (!dtype || given.byteorder() == '>')
      throw py::type_error("a kernel takes native float32, float64, int32, int64, uint8 or bool; received " +
                           std::string(py::str(given)));
    if (!py::cast<bool>(source.attr("_c_contiguous"))) throw py::type_error("a kernel takes C-contiguous arrays only");
    DeviceArray a;
    const py::tuple sizes = py::reinterpret_borrow<py::tuple>(source.attr("shape"));
    a.ndim = static_cast<int>(sizes.size());
    if (a.ndim > kMaxDeviceDims) throw py::value_error("arrays have at most 32 dimensions");
    for (int i = 0; i < a.ndim; ++i) a.shape[i] = py::cast<py::ssize_t>(sizes[i]);
    a.size = py::cast<int64_t>(source.attr("size"));
    const py::object memory = source.attr("data");
    a.data = reinterpret_cast<void*>(py::cast<uintptr_t>(memory.attr("ptr")));
    a.device = py::cast<int>(memory.attr("device_id"));
    a.dtype = *dtype, a.owner = source;
    return a;
  }

  void expect(const char* op, const char* name, DType wanted, int64_t count) const {
    if (*this) expect_array(op, name, dtype, size, wanted, count);
  }
};

}  // namespace dlbd

namespace pybind11::detail {
template <bool Writable, bool Nullable>
struct type_caster<dlbd::DeviceArray<Writable, Nullable>> {
  using Array = dlbd::DeviceArray<Writable, Nullable>;
  PYBIND11_TYPE_CASTER(Array, const_name<Nullable>("cupy.ndarray | None", "cupy.ndarray"));
  bool load(handle source, bool) {
    value = Array::from(source);
    return true;
  }
};
}  // namespace pybind11::detail
