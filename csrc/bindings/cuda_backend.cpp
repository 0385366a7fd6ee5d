#include "cuda_backend.h"

#include <cstdlib>
#include <mutex>
#include <sstream>

namespace dlbd {
namespace {

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // told now: not an error of the next launch
  throw std::runtime_error(std::string("CUDA: ") + what + ": " + cudaGetErrorString(error));
}

std::string megabytes(int64_t bytes) { return std::to_string((bytes + (int64_t{1} << 20) - 1) >> 20) + " MiB"; }

}  // namespace

const CuPy& CuPy::get() {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<CuPy> storage;
  return storage
      .call_once_and_store_result([] {
        py::module_ cupy = py::module_::import("cupy");
        py::object cuda = cupy.attr("cuda");
        return CuPy{cupy.attr("ndarray"),
                    cuda.attr("alloc"),
                    cuda.attr("get_current_stream"),
                    cuda.attr("Device"),
                    cuda.attr("MemoryPool"),
                    cuda.attr("memory").attr("OutOfMemoryError"),
                    cuda.attr("runtime").attr("memGetInfo")};
      })
      .get_stored();
}

OnDevice::OnDevice(int device) : wanted_(device) {
  cudaGetDevice(&before_);
  if (before_ != wanted_) check(cudaSetDevice(wanted_), "cudaSetDevice");
}
OnDevice::~OnDevice() {
  if (before_ != wanted_) cudaSetDevice(before_);
}

int CudaBackend::common_device(std::initializer_list<Place> places) {
  int device = -1;
  for (const Place& p : places) {
    if (!p.given) continue;
    if (device >= 0 && p.device != device)
      throw py::value_error(
          "the arrays of one operation must lie on one device; received cuda:" + std::to_string(device) +
          " and cuda:" + std::to_string(p.device) + ": is the current device, dlbd.device(), theirs?");
    device = p.device;
  }
  return device < 0 ? 0 : device;
}

void* CudaBackend::current_stream(int device) {
  const py::object stream = CuPy::get().current_stream(device);
  return reinterpret_cast<void*>(stream.attr("ptr").cast<uintptr_t>());
}

void CudaBackend::set_device(int device) { check(cudaSetDevice(device), "cudaSetDevice"); }

MatmulPrecision& CudaBackend::precision() {
  static MatmulPrecision chosen = MatmulPrecision::f32;
  return chosen;
}

void CudaBackend::raise_error() { check(cudaGetLastError(), "a launch failed"); }

py::object CudaBackend::allocate(int64_t bytes, int device, CudaRecording* recording) {
  try {
    return recording ? recording->allocate(bytes) : CuPy::get().allocate(bytes);
  } catch (py::error_already_set& error) {
    if (!error.matches(CuPy::get().out_of_memory)) throw;
    const auto [free, total] = CuPy::get().memory_info().cast<std::pair<int64_t, int64_t>>();
    const std::string text = "[cuda:" + std::to_string(device) + "] out of memory: " + megabytes(bytes) +
                             " were asked for, " + megabytes(free) + " of " + megabytes(total) + " are free";
    py::raise_from(error, PyExc_MemoryError, text.c_str());
    throw py::error_already_set();
  }
}

namespace {

// make(device) with the device of `like` current, or with the one that is.
template <class F>
py::object beside(py::handle like, const F& make) {
  int current = 0;
  cudaGetDevice(&current);
  const int device = like.is_none() ? current : like.attr("data").attr("device_id").cast<int>();
  if (device == current) return make(device);
  const py::object context = CuPy::get().device(device);
  const auto leave = [&] { context.attr("__exit__")(py::none(), py::none(), py::none()); };
  context.attr("__enter__")();
  py::object made;
  try {
    made = make(device);
  } catch (...) {
    leave();
    throw;
  }
  leave();
  return made;
}

}  // namespace

py::object CudaBackend::empty(const py::tuple& shape, const py::dtype& dtype, py::handle like) {
  int64_t bytes = dtype.itemsize();
  for (const auto& size : shape) {
    int overflow = 0;
    const long long n = PyLong_AsLongLongAndOverflow(size.ptr(), &overflow);
    if (n == -1 && PyErr_Occurred()) throw py::error_already_set();
    if (overflow != 0 || n < 0 || __builtin_mul_overflow(bytes, static_cast<int64_t>(n), &bytes))
      throw py::value_error("shape " + std::string(py::str(shape)) + " is negative or overflows 64 bits");
  }
  return beside(like, [&](int device) {
    return CuPy::get().ndarray(shape, dtype, allocate(bytes, device, CudaRecording::current()));
  });
}

Status* CudaBackend::status(int device) {
  // Python never runs while the lock is held: it may hand the GIL to a thread that comes to wait here.
  static std::mutex mutex;
  static auto* all = new std::map<int, Status*>;  // one word per device, in its memory; outlives the interpreter
  const auto known = [&](Status* made) {
    const std::lock_guard<std::mutex> lock(mutex);
    Status*& word = (*all)[device];
    if (word == nullptr) word = made;
    return word;
  };
  if (Status* word = known(nullptr)) return word;
  const OnDevice here(device);
  py::object memory = CuPy::get().allocate(sizeof(Status));
  auto* made = reinterpret_cast<Status*>(memory.attr("ptr").cast<uintptr_t>());
  const auto stream = static_cast<cudaStream_t>(current_stream(device));
  check(cudaMemsetAsync(made, 0, sizeof(Status), stream), "making the status word");
  check(cudaStreamSynchronize(stream), "making the status word");  // once: any stream may use it from here on
  Status* word = known(made);
  if (word == made) memory.release();  // never given back
  return word;
}

int CudaBackend::device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();  // no driver: not an error of the next launch
    return 0;
  }
  return count;
}

namespace {

// "86-real" is machine code for 8.6 to 8.9, "90a-real" for 9.0 alone, "90" is that of 9.x and PTX for all later ones.
bool has_code_for(int capability) {
  std::istringstream all(DLBD_CUDA_ARCHITECTURES);
  for (std::string one; std::getline(all, one, ',');) {
    const int version = std::atoi(one.c_str());
    const size_t digits = one.find_first_not_of("0123456789");
    const std::string kind = digits == std::string::npos ? "" : one.substr(digits);
    const bool alone = kind.starts_with("a"), later = kind.empty() || kind == "-virtual";
    if (alone ? version == capability : version <= capability && (later || version / 10 == capability / 10))
      return true;
  }
  return false;
}

}  // namespace

const std::vector<int>& CudaBackend::usable_devices() {
  static const std::vector<int> usable = [] {
    std::vector<int> found;
    for (int id = 0; id < device_count(); ++id) {
      int major = 0, minor = 0;
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, id);
      cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, id);
      if (has_code_for(10 * major + minor)) found.push_back(id);
    }
    return found;
  }();
  return usable;
}

py::object CudaBackend::from_host(HostArray<false, false> x, py::handle like) {
  // Not from a recording's pool, where a later launch of the step would get the block and a replay find other values.
  const py::object y = beside(like, [&](int device) {
    return CuPy::get().ndarray(x.owner.attr("shape"), x.owner.attr("dtype"),
                               allocate(x.size * size_of(x.dtype), device, nullptr));
  });
  upload(x, Out::from(y));
  return y;
}

void CudaBackend::upload(HostArray<false, false> x, Out y) {
  x.expect("upload", "x", y.dtype, y.size);
  if (y.size == 0) return;
  const OnDevice here(y.device);
  const auto stream = static_cast<cudaStream_t>(current_stream(y.device));
  const auto bytes = static_cast<size_t>(y.size * size_of(y.dtype));
  WithoutGil released;
  const cudaError_t error = cudaMemcpyAsync(y.data, x.data, bytes, cudaMemcpyHostToDevice, stream);
  released.back();
  check(error, "copying to the device");
}

void CudaBackend::download(In x, HostArray<true, false> y) {
  y.expect("download", "y", x.dtype, x.size);
  const OnDevice here(x.device);
  const auto stream = static_cast<cudaStream_t>(current_stream(x.device));
  Status* there = status(x.device);
  Status found{};
  WithoutGil released;
  cudaError_t error = cudaSuccess;
  if (x.size > 0)
    error =
        cudaMemcpyAsync(y.data, x.data, static_cast<size_t>(x.size * size_of(x.dtype)), cudaMemcpyDeviceToHost, stream);
  if (error == cudaSuccess) error = cudaMemcpyAsync(&found, there, sizeof(Status), cudaMemcpyDeviceToHost, stream);
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
  released.back();
  check(error, "copying from the device, or a kernel before");
  if (found.code == Fault::none) return;
  check(cudaMemsetAsync(there, 0, sizeof(Status), stream), "clearing the status");
  raise_fault(found);
}

namespace {

// A pool that never gives memory back: CuPy's do when the device has no more, but a graph goes on using its blocks.
py::object pool_that_keeps_all() {
  const py::object cupy = py::module_::import("cupy"), cuda = cupy.attr("cuda");
  const auto take = [cupy, kept = py::list(), memory = cuda.attr("Memory").cast<py::object>(),
                     pointer = cuda.attr("MemoryPointer").cast<py::object>()](size_t bytes) {
    py::object taken;
    try {
      taken = memory(bytes);
    } catch (py::error_already_set&) {
      cupy.attr("get_default_memory_pool")().attr("free_all_blocks")();
      taken = memory(bytes);
    }
    kept.attr("append")(taken);
    return pointer(taken, 0);
  };
  return CuPy::get().memory_pool(py::cpp_function(take));
}

}  // namespace

CudaRecording::CudaRecording() : pool_(pool_that_keeps_all()) {}

CudaRecording::~CudaRecording() {
  if (graph_) cudaGraphExecDestroy(graph_);
}

CudaRecording*& CudaRecording::current() {
  thread_local CudaRecording* recording = nullptr;
  return recording;
}

py::object CudaRecording::allocate(int64_t bytes) {
  py::object memory = pool_.attr("malloc")(bytes);
  if (bytes == 0) return memory;
  const auto start = memory.attr("ptr").cast<uintptr_t>();
  int64_t& known = blocks_[start];
  known = std::max(known, bytes);
  // CuPy's memory does not keep its pool alive, and a pool that goes takes the memory of all arrays along.
  const py::object cuda = py::module_::import("cupy").attr("cuda");
  const py::object held =
      cuda.attr("UnownedMemory")(start, bytes, py::make_tuple(memory, pool_), memory.attr("device_id"));
  return cuda.attr("MemoryPointer")(held, 0);
}

void CudaRecording::keep(py::handle array, const void* data) {
  if (!array) return;
  const auto at = reinterpret_cast<uintptr_t>(data);
  const auto after = blocks_.upper_bound(at);
  if (after != blocks_.begin()) {
    const auto& [start, bytes] = *std::prev(after);
    if (at - start < static_cast<uintptr_t>(bytes)) return;
  }
  kept_.push_back(py::reinterpret_borrow<py::object>(array));
}

void CudaRecording::begin() {
  if (current() != nullptr) throw std::runtime_error("this thread is recording already");
  if (running_ || launches_.size() != 0) throw std::runtime_error("a recording is made once");
  py::cast(this).inc_ref();
  current() = this;
  running_ = true;
}

void CudaRecording::end() {
  if (current() != this) return;
  current() = nullptr;
  running_ = false;
  py::cast(this).dec_ref();
}

size_t CudaRecording::bytes() const { return pool_.attr("total_bytes")().cast<size_t>(); }

void CudaRecording::launch_all(cudaStream_t stream) {
  for (size_t i = 0; i < launches_.size(); ++i) {
    launches_.arguments(i).stream = stream;
    launches_.run(i);
  }
}

cudaError_t CudaRecording::capture() {
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream for the capture");
  cudaError_t error = cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  if (error == cudaSuccess) {
    launch_all(stream);
    error = cudaStreamEndCapture(stream, &graph);
  }
  if (error == cudaSuccess) error = cudaGraphInstantiate(&graph_, graph, 0);
  if (graph) cudaGraphDestroy(graph);
  cudaStreamDestroy(stream);
  cudaGetLastError();  // told by what this returns: not an error of the next launch
  return error;
}

void CudaRecording::replay() {
  if (!reason_.empty()) throw std::runtime_error("this recording cannot be replayed: " + reason_);
  if (running_) throw std::runtime_error("this recording is still being made, or replayed by another thread");
  if (launches_.size() == 0) return;
  const OnDevice here(device_);
  if (!graph_ && !one_by_one_) {
    const cudaError_t error = capture();
    one_by_one_ = error != cudaSuccess;
    const std::string text = std::string("CUDA cannot make a graph of a step (") + cudaGetErrorString(error) +
                             "): its kernels are launched one by one";
    if (one_by_one_ && PyErr_WarnEx(PyExc_RuntimeWarning, text.c_str(), 1) != 0) throw py::error_already_set();
  }
  const auto stream = static_cast<cudaStream_t>(CudaBackend::current_stream(device_));
  running_ = true;
  WithoutGil released;
  cudaError_t error = cudaSuccess;
  if (graph_) {
    error = cudaGraphLaunch(graph_, stream);
  } else {
    launch_all(stream);
    error = cudaGetLastError();
  }
  released.back();
  running_ = false;
  check(error, "launching a recorded step");
}

}  // namespace dlbd
