// What the shared binding templates need to know of the CPU: its array types, its kernels, how to launch one.
#pragma once

#include "../cpu/memory.h"
#include "../cpu/parallel.h"
#include "../shapes/kernels.h"
#include "host_array.h"
#include "recording.h"

namespace dlbd {

struct CpuBackend {
  using Recording = dlbd::Recording;
  using In = HostArray<false, false>;
  using MaybeIn = HostArray<false, true>;
  using Out = HostArray<true, false>;
  using MaybeOut = HostArray<true, true>;

  static const KernelTable& kernels() { return dlbd::kernels(); }

  // Runs kernel(args) with the GIL released and, while this thread records, appends it to the recording.
  // `arrays` are all that args points into, so that the recording can keep them.
  template <class Args, class... Arrays>
  static void launch(const Kernel<Args>& kernel, Args& args, const Arrays&... arrays) {
    Recording* recording = Recording::current();
    Pool& pool = recording ? *recording->pool() : Pool::process();
    Status status{};
    args.threads = num_threads();
    args.status = recording ? recording->status() : &status;
    Block scratch{};
    if (kernel.scratch) {
      const int64_t bytes = kernel.scratch(args);
      if (bytes > 0) scratch = pool.take(static_cast<size_t>(bytes));
      args.scratch = scratch.data;
    }
    WithoutGil released;
    kernel.run(args);
    released.back();
    if (recording) {
      (recording->keep(arrays.owner, arrays.data), ...);
      recording->append(kernel.run, args);
    }
    if (scratch.data) pool.give(scratch);
    raise_fault(*args.status);
  }

  // An uninitialised C-contiguous array on a block of the recording's pool or the process's.
  static py::object empty(const py::tuple& shape, const py::dtype& dtype, py::handle like);
};

}  // namespace dlbd
