// The only door to threads. The kernels see parallel_for; team.cpp alone knows what they are.
#pragma once

#include <cstdint>

namespace dlbd {

// Runs body(context, chunk, worker) for every chunk in [0, chunks), handed out dynamically to at most `threads`
// workers (0 <= worker < threads). Serial when threads <= 1, in a forked child, inside another region, and while
// another thread's region is under way.
using ChunkBody = void (*)(void* context, int64_t chunk, int worker) noexcept;
void run_chunks(int64_t chunks, int threads, ChunkBody body, void* context) noexcept;

int num_threads() noexcept;          // what launches use unless told otherwise
void set_num_threads(int n);         // n >= 1; more than the machine's cores is taken as asked
int default_num_threads() noexcept;  // affinity, cgroup quota and OMP_NUM_THREADS, whichever is least

}  // namespace dlbd

namespace dlbd::DLBD_ISA {

// body(begin, end, worker) over [0, n) in chunks of `grain` items. Chunk edges depend on n and grain alone, never on
// the number of threads, so a body whose result depends on its chunk still gives the same bits on any machine.
template <class Body>
inline void parallel_for(int threads, int64_t n, int64_t grain, const Body& body) {
  struct Context {
    const Body* body;
    int64_t n, grain;
  } context{&body, n, grain};
  const int64_t chunks = (n + grain - 1) / grain;
  run_chunks(
      chunks, threads,
      [](void* opaque, int64_t chunk, int worker) noexcept {
        const Context& c = *static_cast<Context*>(opaque);
        const int64_t begin = chunk * c.grain;
        const int64_t end = begin + c.grain < c.n ? begin + c.grain : c.n;
        (*c.body)(begin, end, worker);
      },
      &context);
}

}  // namespace dlbd::DLBD_ISA
