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

}  // namespace

const Device& device() {
  static std::array<Device, kMostDevices> known;
  static std::array<std::once_flag, kMostDevices> asked;
  int id = 0;
  cudaGetDevice(&id);
  std::call_once(asked[id], [id] {
    known[id] = {attribute(cudaDevAttrMultiProcessorCount, id),
                 attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, id),
                 10 * attribute(cudaDevAttrComputeCapabilityMajor, id) + attribute(cudaDevAttrComputeCapabilityMinor, id)};
  });
  return known[id];
}

// DEVELOPMENT: weak while kernels are being written
#define DLBD_WEAK_Y(name, Args) __attribute__((weak)) void name(const Args&);
#define DLBD_WEAK_X(name, Args)                       \
  __attribute__((weak)) void name(const Args&);       \
  __attribute__((weak)) int64_t name##_scratch(const Args&);
DLBD_KERNELS(DLBD_WEAK_X, DLBD_WEAK_Y)

#define DLBD_ROW_X(name, Args) {name, name##_scratch},
#define DLBD_ROW_Y(name, Args) {name, nullptr},
const KernelTable table = {"cuda", 128, DLBD_KERNELS(DLBD_ROW_X, DLBD_ROW_Y)};

}  // namespace dlbd::cuda

namespace dlbd {
const KernelTable& kernels() { return cuda::table; }
}  // namespace dlbd
