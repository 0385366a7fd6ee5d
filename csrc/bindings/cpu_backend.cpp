#include "cpu_backend.h"

#include <array>

namespace dlbd {
namespace {

struct Owner {
  Block block;
  std::shared_ptr<Pool> pool;  // keeps a recording's pool alive for arrays that outlive the recording
};

}  // namespace

py::object CpuBackend::empty(const py::tuple& shape, const py::dtype& dtype, py::handle) {
  constexpr int kMaxDims = 32;
  const int ndim = static_cast<int>(shape.size());
  if (ndim > kMaxDims) throw py::value_error("arrays have at most 32 dimensions");
  std::array<Py_intptr_t, kMaxDims> dims;
  int64_t bytes = dtype.itemsize();
  for (int i = 0; i < ndim; ++i) {
    int overflow = 0;  // an int too large for int64 is a wrong shape, not a failed cast
    dims[i] = PyLong_AsLongLongAndOverflow(py::object(shape[i]).ptr(), &overflow);
    if (dims[i] == -1 && PyErr_Occurred()) throw py::error_already_set();
    if (overflow != 0 || dims[i] < 0 || __builtin_mul_overflow(bytes, dims[i], &bytes))
      throw py::value_error("shape " + std::string(py::str(shape)) + " is negative or overflows 64 bits");
  }
  Recording* recording = Recording::current();
  Pool& pool = recording ? *recording->pool() : Pool::process();
  auto owner = std::make_unique<Owner>();
  owner->block = pool.take(static_cast<size_t>(bytes));
  if (recording) owner->pool = recording->pool();
  void* data = owner->block.data;
  py::capsule base(owner.release(), [](void* p) {
    std::unique_ptr<Owner> o(static_cast<Owner*>(p));
    o->block.pool->give(o->block);
  });
  const auto& api = py::detail::npy_api::get();
  constexpr int kFlags = py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_ |
                         py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
  auto array = py::reinterpret_steal<py::object>(api.PyArray_NewFromDescr_(
      api.PyArray_Type_, dtype.inc_ref().ptr(), ndim, dims.data(), nullptr, data, kFlags, nullptr));
  if (!array) throw py::error_already_set();
  if (api.PyArray_SetBaseObject_(array.ptr(), base.release().ptr()) != 0) throw py::error_already_set();
  return array;
}

}  // namespace dlbd
