// How a NumPy array enters a kernel: exactly an ndarray, C-contiguous, aligned, native byte order, a dtype we know.
// pybind11's own array_t converts silently (it would drop an imaginary part); this never converts and says what is
// wrong.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>
#include <string>

#include "../shapes/common.h"

namespace dlbd {

namespace py = pybind11;

inline std::optional<DType> dtype_from_number(int number) {
  using Api = py::detail::npy_api;
  switch (number) {
    case Api::NPY_FLOAT_: return DType::f32;
    case Api::NPY_DOUBLE_: return DType::f64;
    case Api::NPY_INT_: return DType::i32;
    case Api::NPY_LONG_: return DType::i64;
    case Api::NPY_LONGLONG_: return DType::i64;
    case Api::NPY_UBYTE_: return DType::u8;
    case Api::NPY_BOOL_: return DType::b8;
    default: return std::nullopt;
  }
}

constexpr const char* name_of(DType d) {
  constexpr const char* names[] = {"float32", "float64", "int32", "int64", "uint8", "bool"};
  return names[static_cast<int>(d)];
}

constexpr int64_t size_of(DType d) {
  constexpr int64_t sizes[] = {4, 8, 4, 8, 1, 1};
  return sizes[static_cast<int>(d)];
}

// The last defence before a kernel reads memory; the validators in dlbd.ops give the friendlier messages.
inline void expect_array(const char* op, const char* name, DType dtype, int64_t size, DType wanted, int64_t count) {
  if (dtype != wanted)
    throw py::type_error(std::string("[") + op + "] " + name + " must be " + name_of(wanted) + "; received " +
                         name_of(dtype));
  if (size != count)
    throw py::value_error(std::string("[") + op + "] " + name + " must have " + std::to_string(count) +
                          " elements; received " + std::to_string(size));
}

template <bool Writable, bool Nullable>
struct HostArray {
  using Pointer = std::conditional_t<Writable, void*, const void*>;
  Pointer data = nullptr;  // null for None, where that is allowed
  DType dtype = DType::f32;
  int ndim = 0;
  const py::ssize_t* shape = nullptr;
  int64_t size = 0;
  py::handle owner;

  explicit operator bool() const { return data != nullptr || owner; }

  static HostArray from(py::handle source) {
    if (Nullable && source.is_none()) return {};
    if (!py::isinstance<py::array>(source))
      throw py::type_error(std::string("a kernel takes numpy.ndarray; received ") + Py_TYPE(source.ptr())->tp_name +
                           (py::hasattr(source, "__cuda_array_interface__")
                                ? ": the arrays of one operation must lie on one device"
                                : ""));
    const auto* raw = py::detail::array_proxy(source.ptr());
    const auto* descriptor = py::detail::array_descriptor_proxy(raw->descr);
    const auto dtype = dtype_from_number(descriptor->type_num);
    if (!dtype || descriptor->byteorder == '>')
      throw py::type_error("a kernel takes native float32, float64, int32, int64, uint8 or bool; received " +
                           std::string(py::str(source.attr("dtype"))));
    using Api = py::detail::npy_api;
    HostArray a;
    a.ndim = raw->nd, a.shape = raw->dimensions, a.dtype = *dtype, a.owner = source, a.size = 1;
    for (int i = 0; i < raw->nd; ++i) a.size *= raw->dimensions[i];
    if (!(raw->flags & Api::NPY_ARRAY_C_CONTIGUOUS_)) throw py::type_error("a kernel takes C-contiguous arrays only");
    if (!(raw->flags & Api::NPY_ARRAY_ALIGNED_)) throw py::type_error("a kernel takes aligned arrays only");
    if (Writable && !(raw->flags & Api::NPY_ARRAY_WRITEABLE_))
      throw py::type_error("the output array of a kernel must be writable");
    a.data = raw->data;
    return a;
  }

  void expect(const char* op, const char* name, DType wanted, int64_t count) const {
    if (*this) expect_array(op, name, dtype, size, wanted, count);
  }
};

}  // namespace dlbd

namespace pybind11::detail {
template <bool Writable, bool Nullable>
struct type_caster<dlbd::HostArray<Writable, Nullable>> {
  using Array = dlbd::HostArray<Writable, Nullable>;
  PYBIND11_TYPE_CASTER(Array, const_name<Nullable>("numpy.ndarray | None", "numpy.ndarray"));
  bool load(handle source, bool) {
    value = Array::from(source);
    return true;
  }
};
}  // namespace pybind11::detail
