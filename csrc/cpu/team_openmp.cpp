// run_region by OpenMP's own threads.
#include <omp.h>

#include <atomic>

#define DLBD_ISA host
#include "team.h"

namespace dlbd {

bool run_region(int64_t chunks, int workers, ChunkBody body, void* context) noexcept {
  std::atomic<int64_t> next{0};
#pragma omp parallel num_threads(workers)
  {
    const bool outer = inside_region;
    inside_region = true;
    const int worker = omp_get_thread_num();
    for (int64_t i = next.fetch_add(1); i < chunks; i = next.fetch_add(1)) body(context, i, worker);
    inside_region = outer;
  }
  return true;
}

}  // namespace dlbd
