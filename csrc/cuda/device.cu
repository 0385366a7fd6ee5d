// The table of this twin's kernels, and what is known of the devices they run on.
#include <array>
#include <mutex>

#include "../shapes/kernels.h"
#include "launch.h"

namespace dlbd::cuda {
namespace {

constexpr int kMostDevices = 64;

int attribute(cudaDeviceAttr what, int id) {
  int value = 0;
  cudaDeviceGetAttribute(&value, what, id);
  return value;
}

#if !defined(DLBD_CUDA_EMULATION)
__global__ void probe_kernel() {}
#endif

// That of the device, or of the code that runs there if that was built for an older one: its PTX, compiled by the
// driver, lacks what was left out for the older one.
int capability(int id) {
  const int device =
      10 * attribute(cudaDevAttrComputeCapabilityMajor, id) + attribute(cudaDevAttrComputeCapabilityMinor, id);
#if defined(DLBD_CUDA_EMULATION)
  return device;
#else
  cudaFuncAttributes code{};
  if (cudaFuncGetAttributes(&code, probe_kernel) != cudaSuccess) return device;  // the launch itself will say why
  return code.ptxVersion < device ? code.ptxVersion : device;
#endif
}

}  // namespace

const Device& device() {
  static std::array<Device, kMostDevices> known;
  static std::array<std::once_flag, kMostDevices> asked;
  int id = 0;
  cudaGetDevice(&id);
  std::call_once(asked[id], [id] {
    known[id] = {attribute(cudaDevAttrMultiProcessorCount, id), attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, id),
                 capability(id)};
  });
  return known[id];
}

#define DLBD_ROW_X(name, Args) {name, name##_scratch},
#define DLBD_ROW_Y(name, Args) {name, nullptr},
const KernelTable table = {"cuda", 128, DLBD_KERNELS(DLBD_ROW_X, DLBD_ROW_Y)};

}  // namespace dlbd::cuda

namespace dlbd {
const KernelTable& kernels() { return cuda::table; }
}  // namespace dlbd
