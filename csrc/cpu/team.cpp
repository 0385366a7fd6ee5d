// run_region by a team of threads of our own.
//
// An OpenMP region ends with a barrier that every thread must have reached: on a machine that others use too, a region
// of some microseconds lasts until the scheduler has run each of them. Here the caller works as well, and when no chunk
// is left it closes the door and waits only for threads that are inside. One that comes late finds the door closed.
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>

#define DLBD_ISA host
#include "team.h"

namespace dlbd {
namespace {

using Word = std::atomic<uint32_t>;

void sleep_while(Word& word, uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void wake(Word& word, int sleepers) { syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, sleepers, nullptr, nullptr, 0); }

// Spins until `done()`, at first without leaving the core, then letting others run; false when that took too long.
template <class Done>
bool spin_until(const Done& done) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kAlone = std::chrono::microseconds(20), kInAll = std::chrono::microseconds(100);
  const Clock::time_point start = Clock::now();
  for (;;) {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      asm volatile("yield");
#endif
    }
    const Clock::duration spent = Clock::now() - start;
    if (spent > kInAll) return false;
    if (spent > kAlone) sched_yield();
  }
}

// Lives for ever: its threads sleep on it until the process ends.
class Team {
 public:
  bool run(int64_t chunks, int workers, ChunkBody body, void* context) noexcept {
    const std::unique_lock<std::mutex> one_region(region_, std::try_to_lock);
    if (!one_region) return false;
    while (hired_ < workers - 1 && patience_ == 0) hire() ? ++hired_ : patience_ = kPatience;
    if (patience_ > 0) --patience_;
    body_ = body;
    context_ = context;
    chunks_ = chunks;
    next_.store(0, std::memory_order_relaxed);
    door_.store(static_cast<uint32_t>(workers - 1) * kPlace, std::memory_order_release);
    regions_.fetch_add(1);
    if (sleepers_.load() > 0) wake(regions_, workers - 1);
    take_chunks(0);
    door_.fetch_and(kInside, std::memory_order_acquire);
    const auto empty = [this] { return door_.load(std::memory_order_acquire) == 0; };
    if (!spin_until(empty)) {
      for (uint32_t d = door_.fetch_or(kCallerSleeps) | kCallerSleeps; d & kInside; d = door_.load())
        sleep_while(door_, d);
    }
    return true;
  }

 private:
  // The door: places left for threads that have not entered, whether the caller sleeps, threads inside.
  static constexpr uint32_t kInside = 0xffff, kCallerSleeps = 1u << 16, kPlace = 1u << 17;

  void take_chunks(int worker) {
    for (int64_t i = next_.fetch_add(1, std::memory_order_relaxed); i < chunks_;
         i = next_.fetch_add(1, std::memory_order_relaxed))
      body_(context_, i, worker);
  }

  [[noreturn]] void work() {
    for (;;) {
      const uint32_t seen = regions_.load(std::memory_order_acquire);
      enter();
      const auto opened = [&] { return regions_.load(std::memory_order_acquire) != seen; };
      if (spin_until(opened)) continue;
      sleepers_.fetch_add(1);
      while (regions_.load() == seen) sleep_while(regions_, seen);
      sleepers_.fetch_sub(1);
    }
  }

  void enter() {
    uint32_t d = door_.load(std::memory_order_acquire);
    while (d >= kPlace) {
      if (!door_.compare_exchange_weak(d, d - kPlace + 1, std::memory_order_acq_rel)) continue;
      take_chunks(static_cast<int>(d / kPlace));
      if (door_.fetch_sub(1, std::memory_order_acq_rel) == (kCallerSleeps | 1)) wake(door_, 1);
      return;
    }
  }

  // One more thread. It takes no signals but those of its own faults. False when the system gives none.
  bool hire() {
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigdelset(&blocked, fault);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    pthread_t thread;
    const int refused = pthread_create(
        &thread, nullptr,
        [](void* team) -> void* {
          inside_region = true;
          static_cast<Team*>(team)->work();
        },
        this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (refused) return false;
    pthread_setname_np(thread, "dlbd");
    pthread_detach(thread);
    return true;
  }

  // Regions to go without asking again for a thread that the system refused: a refusal costs more than most regions.
  static constexpr int kPatience = 1000;

  std::mutex region_;
  int hired_ = 0, patience_ = 0;

  // The region under way: written before its door opens.
  ChunkBody body_ = nullptr;
  void* context_ = nullptr;
  int64_t chunks_ = 0;

  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) Word door_{0};
  alignas(64) Word regions_{0};  // opened so far
  alignas(64) Word sleepers_{0};
};

}  // namespace

bool run_region(int64_t chunks, int workers, ChunkBody body, void* context) noexcept {
  static Team* const team = new Team;
  return team->run(chunks, workers, body, context);
}

}  // namespace dlbd
