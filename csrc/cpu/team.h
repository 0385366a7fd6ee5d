// What parallel.cpp asks of the threads; team.cpp answers, or team_openmp.cpp in a build with DLBD_OPENMP=ON.
#pragma once

#include "parallel.h"

namespace dlbd {

extern thread_local bool inside_region;

// Every chunk on the caller and up to `workers` - 1 other threads. False, with nothing done, while another caller's
// region is under way.
bool run_region(int64_t chunks, int workers, ChunkBody body, void* context) noexcept;

}  // namespace dlbd
