// Threads, memory, shapes: what stands under the kernels.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#define DLBD_ISA host
#include "../../csrc/cpu/memory.h"
#include "../../csrc/cpu/parallel.h"
#include "../../csrc/shapes/gemm.h"
#include "check.h"

namespace {

int64_t sum_of_chunks(int threads, int64_t n, int64_t grain) {
  std::vector<int64_t> per_chunk(static_cast<size_t>((n + grain - 1) / grain), 0);
  dlbd::host::parallel_for(threads, n, grain, [&](int64_t begin, int64_t end, int worker) {
    CHECK(worker >= 0 && worker < threads);
    CHECK(end - begin <= grain && begin % grain == 0);
    for (int64_t i = begin; i < end; ++i) per_chunk[static_cast<size_t>(begin / grain)] += i;
  });
  int64_t sum = 0;
  for (int64_t s : per_chunk) sum += s;
  return sum;
}

void test_parallel_for() {
  for (int threads : {1, 2, 3, 8})
    for (int64_t n : {0, 1, 7, 100, 1001})
      for (int64_t grain : {1, 16, 1000}) CHECK(sum_of_chunks(threads, n, grain) == n * (n - 1) / 2);
}

void test_nested_regions_run_serially() {
  std::atomic<int64_t> total{0};
  dlbd::host::parallel_for(3, 6, 1, [&](int64_t, int64_t, int) {
    dlbd::host::parallel_for(3, 10, 1, [&](int64_t begin, int64_t, int worker) {
      CHECK(worker == 0);
      total += begin;
    });
  });
  CHECK(total == 6 * 45);
}

void test_regions_from_several_threads() {
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([] {
      for (int repeat = 0; repeat < 50; ++repeat) CHECK(sum_of_chunks(2, 1000, 10) == 499500);
    });
  for (std::thread& t : callers) t.join();
}

// Chunks that outlast the spinning: callers and threads go to sleep and must be woken.
void test_long_chunks_and_long_pauses() {
  const auto nap = [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); };
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::atomic<int> done{0};
    dlbd::host::parallel_for(3, 4, 1, [&](int64_t, int64_t, int worker) {
      if (worker > 0 || repeat % 2) nap();
      ++done;
    });
    CHECK(done == 4);
    if (repeat % 3 == 0) nap();
  }
}

void test_many_short_regions() {
  int64_t total = 0;
  for (int repeat = 0; repeat < 20000; ++repeat) total += sum_of_chunks(3, 8, 1);
  CHECK(total == 20000 * 28);
}

// Its threads do not survive a fork; without the atfork handler this child hangs.
void test_fork_after_use() {
  CHECK(sum_of_chunks(2, 1000, 10) == 499500);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(sum_of_chunks(2, 1000, 10) == 499500 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void test_pool() {
  dlbd::Pool pool(1 << 20);
  const dlbd::Block a = pool.take(1000);
  CHECK(reinterpret_cast<uintptr_t>(a.data) % 64 == 0);
  CHECK(a.bytes >= 1000);
  std::memset(a.data, 1, 1000);
  CHECK(pool.owns(static_cast<char*>(a.data) + 999));
  int outside = 0;
  CHECK(!pool.owns(&outside));
  const dlbd::Block b = pool.take(0);
  CHECK(b.data != nullptr && b.data != a.data);
  pool.give(b);
  pool.give(a);
  const size_t held = pool.bytes_held();
  for (int i = 0; i < 100; ++i) pool.give(pool.take(1000));
  CHECK(pool.bytes_held() == held);       // reused, not piled up
  pool.give(pool.take(size_t{8} << 20));  // larger than the cache: goes back at once
  CHECK(pool.bytes_held() == held);
  // Sizes that nobody asks for any more make room for those in use.
  for (size_t bytes : {size_t{600} << 10, size_t{700} << 10}) pool.give(pool.take(bytes));
  const dlbd::Block used_last = pool.take(size_t{700} << 10);
  CHECK(pool.bytes_held() < size_t{1} << 20);
  pool.give(used_last);
  bool refused = false;
  try {
    pool.take(size_t{1} << 62);
  } catch (const std::bad_alloc&) {
    refused = true;
  }
  CHECK(refused);
}

void test_shapes_refuse_overflow() {
  constexpr int64_t kHuge = int64_t{1} << 40;
  bool refused = false;
  try {
    dlbd::make_gemm_shape(1, kHuge, kHuge, 1, false, false, false, false, dlbd::DType::f32, "auto");
  } catch (const std::invalid_argument&) {
    refused = true;
  }
  CHECK(refused);
}

}  // namespace

int main() {
  test_parallel_for();
  test_nested_regions_run_serially();
  test_long_chunks_and_long_pauses();
  test_many_short_regions();
  test_fork_after_use();
  test_regions_from_several_threads();
  test_pool();
  test_shapes_refuse_overflow();
  return report("runtime");
}
