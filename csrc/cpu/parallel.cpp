#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#define DLBD_ISA host
#include "team.h"

namespace dlbd {

thread_local bool inside_region = false;

namespace {

std::atomic<int> chosen_threads{0};
std::atomic<bool> forked{false};

// No thread but the caller survives a fork: the child works alone.
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, [] { forked.store(true); });

int affinity_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

// cgroup v2's "max 100000" or "200000 100000" (quota and period, in microseconds).
int cgroup_cores() {
  long quota = 0, period = 0;
  if (std::FILE* f = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
    const int fields = std::fscanf(f, "%ld %ld", &quota, &period);
    std::fclose(f);
    if (fields == 2 && quota > 0 && period > 0) return std::max(1L, (quota + period - 1) / period);
  }
  return 1 << 20;
}

int environment_cores() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  const int n = text ? std::atoi(text) : 0;
  return n > 0 ? n : 1 << 20;
}

}  // namespace

int default_num_threads() noexcept { return std::min({affinity_cores(), cgroup_cores(), environment_cores()}); }

int num_threads() noexcept {
  int n = chosen_threads.load(std::memory_order_relaxed);
  if (n != 0) return n;
  const int found = default_num_threads();
  return chosen_threads.compare_exchange_strong(n, found) ? found : n;  // n: chosen meanwhile
}

void set_num_threads(int n) {
  if (n < 1 || n > 1024)
    throw std::invalid_argument("[set_num_threads] expected 1 to 1024 threads; received " + std::to_string(n));
  chosen_threads.store(n, std::memory_order_relaxed);
}

void run_chunks(int64_t chunks, int threads, ChunkBody body, void* context) noexcept {
  if (chunks > 1 && threads > 1 && !inside_region && !forked.load(std::memory_order_relaxed)) {
    inside_region = true;
    const bool done = run_region(chunks, static_cast<int>(std::min<int64_t>(chunks, threads)), body, context);
    inside_region = false;
    if (done) return;
  }
  for (int64_t i = 0; i < chunks; ++i) body(context, i, 0);
}

}  // namespace dlbd
