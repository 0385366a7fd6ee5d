// What the shared binding templates need to know of a GPU: its array types, its kernels, how to launch one.
#pragma once

#include <cuda_runtime.h>

#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "../shapes/kernels.h"
#include "device_array.h"
#include "launching.h"

namespace dlbd {

// The list of launches of a step. Its first replay captures it as a CUDA graph; from then on a replay is one call.
// Where the driver cannot capture it, a replay is as many calls as launches. Everything that was allocated meanwhile
// lies in a memory pool of its own, which no one else takes blocks from.
class CudaRecording {
 public:
  CudaRecording();
  ~CudaRecording();
  CudaRecording(const CudaRecording&) = delete;
  CudaRecording& operator=(const CudaRecording&) = delete;

  static CudaRecording*& current();  // of this thread; null when it does not record

  template <class Args>
  void append(void (*run)(const Args&), const Args& args, int device) {
    launches_.append(run, args);
    device_ = device;
  }
  void keep(py::handle array, const void* data);
  void begin();
  void end();
  void replay();
  void poison(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
  }
  const std::string& poisoned() const { return reason_; }
  size_t launches() const { return launches_.size(); }
  size_t bytes() const;
  py::object allocate(int64_t bytes);  // a MemoryPointer of this recording's pool

 private:
  void launch_all(cudaStream_t stream);
  cudaError_t capture();

  LaunchList launches_;
  std::vector<py::object> kept_;
  py::object pool_;
  std::map<uintptr_t, int64_t> blocks_;  // handed out by the pool: start -> bytes
  std::string reason_;
  int device_ = 0;
  bool running_ = false;
  cudaGraphExec_t graph_ = nullptr;
  bool one_by_one_ = false;
};

// Makes a device current for as long as it lives.
class OnDevice {
 public:
  explicit OnDevice(int device);
  ~OnDevice();
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

 private:
  int before_ = 0, wanted_ = 0;
};

struct CudaBackend {
  using Recording = CudaRecording;
  using In = DeviceArray<false, false>;
  using MaybeIn = DeviceArray<false, true>;
  using Out = DeviceArray<true, false>;
  using MaybeOut = DeviceArray<true, true>;

  static const KernelTable& kernels() { return dlbd::kernels(); }

  // Queues kernel(args) on the current stream of the arrays' device and, while this thread records, appends it to the
  // recording. Nothing waits for the device.
  template <class Args, class... Arrays>
  static void launch(const Kernel<Args>& kernel, Args& args, const Arrays&... arrays) {
    const int device = common_device({Place{arrays.device, static_cast<bool>(arrays)}...});
    const OnDevice here(device);
    CudaRecording* recording = CudaRecording::current();
    args.stream = current_stream(device);
    args.status = status(device);
    args.precision = precision();
    py::object scratch;
    if (kernel.scratch) {
      const int64_t bytes = kernel.scratch(args);
      if (bytes > 0) {
        scratch = allocate(bytes, device, recording);
        args.scratch = reinterpret_cast<void*>(scratch.attr("ptr").template cast<uintptr_t>());
      }
    }
    WithoutGil released;
    kernel.run(args);
    released.back();
    raise_error();
    if (recording) {
      (recording->keep(arrays.owner, arrays.data), ...);
      recording->append(kernel.run, args, device);
    }
  }

  // An uninitialised C-contiguous cupy.ndarray on the device of `like`, or on the current one.
  static py::object empty(const py::tuple& shape, const py::dtype& dtype, py::handle like);

  static void set_device(int device);
  static MatmulPrecision& precision();  // of the process

  static int device_count();
  static const std::vector<int>& usable_devices();  // those that this build has code for
  static py::object from_host(HostArray<false, false> x, py::handle like);
  static void upload(HostArray<false, false> x, Out y);
  static void download(In x, HostArray<true, false> y);

  struct Place {
    int device;
    bool given;
  };
  static int common_device(std::initializer_list<Place> places);
  static void* current_stream(int device);
  static Status* status(int device);
  static py::object allocate(int64_t bytes, int device, CudaRecording* recording);
  static void raise_error();
};

}  // namespace dlbd
