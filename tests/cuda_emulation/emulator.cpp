// Fibers for the threads of a block, barriers between them, and a stream that runs at once.
#include <sys/mman.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "cuda_runtime.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

extern "C" void cuda_emulation_switch(void** save, void* load);

// Saves the callee-saved registers on the stack, stores the stack pointer in *save and goes on at `load`.
#if defined(__x86_64__)
asm(R"(
.text
.globl cuda_emulation_switch
.type cuda_emulation_switch,@function
cuda_emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cuda_emulation_switch,.-cuda_emulation_switch
.section .note.GNU-stack,"",@progbits
.text
)");
constexpr int kReturnWord = 6, kFrameWords = 8;
#elif defined(__aarch64__)
asm(R"(
.text
.globl cuda_emulation_switch
.type cuda_emulation_switch,%function
cuda_emulation_switch:
  sub sp, sp, #160
  stp x19, x20, [sp]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x2, sp
  str x2, [x0]
  mov sp, x1
  ldp x19, x20, [sp]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
)");
constexpr int kReturnWord = 11, kFrameWords = 20;
#else
#error "the emulation knows how to switch fibers on x86-64 and aarch64"
#endif

namespace cuda_emulation {
namespace {

constexpr size_t kStackBytes = 128 * 1024, kLastFrames = 4096;
constexpr int kNamedBarriers = 16;

enum class Waits { nothing, block, named, warp, grid, done };

struct Block;

struct Fiber : Thread {
  Block* home;
  char* stack;
  void* saved;  // its stack pointer while it does not run
  Waits waits;
  unsigned mask;  // of the warp barrier it waits at
  int barrier;    // the named barrier it waits at
  int number;     // in its block
  const void* shown;
};

constexpr std::align_val_t kSharedAlignment{128};

struct FreeShared {
  void operator()(char* p) const { ::operator delete[](p, kSharedAlignment); }
};

struct Block {
  std::vector<Fiber> fibers;
  std::unique_ptr<char[], FreeShared> shared;  // of exactly the size asked for: AddressSanitizer sees what lies beyond
  int at_barrier = 0;
  int at_named[kNamedBarriers] = {};
  int done = 0;
};

// The stacks of one host thread; they are kept for the next launch.
struct Stacks {
  std::vector<char*> all;
  ~Stacks() {
    for (char* s : all) {
#if defined(__SANITIZE_ADDRESS__)
      __asan_unpoison_memory_region(s, kStackBytes);  // somebody else's memory will lie there
#endif
      munmap(s, kStackBytes);
    }
  }
  char* get(size_t i) {
    while (all.size() <= i) {
      void* s = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (s == MAP_FAILED) fail("no memory for the stack of a thread");
      all.push_back(static_cast<char*>(s));
    }
    return all[i];
  }
};

struct Machine {
  Stacks stacks;
  const Grid* grid = nullptr;
  const std::function<void()>* body = nullptr;
  std::vector<Block>* blocks = nullptr;  // of a cooperative launch
  Fiber* running = nullptr;
  void* scheduler = nullptr;
  int at_grid_barrier = 0, alive = 0;
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  const void* host_stack = nullptr;
  size_t host_stack_bytes = 0;
#endif
};

Machine& machine() {
  thread_local Machine m;
  return m;
}

[[gnu::noinline]] void run(Fiber& f) {
  Machine& m = machine();
  m.running = &f;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&m.fake_stack, f.stack, kStackBytes);
#endif
  cuda_emulation_switch(&m.scheduler, f.saved);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(m.fake_stack, nullptr, nullptr);
#endif
}

[[gnu::noinline]] void back_to_scheduler(bool last) {
  Machine& m = machine();
  Fiber& f = *m.running;
#if defined(__SANITIZE_ADDRESS__)
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(last ? nullptr : &fake, m.host_stack, m.host_stack_bytes);
#endif
  cuda_emulation_switch(&f.saved, m.scheduler);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake, &m.host_stack, &m.host_stack_bytes);
#else
  (void)last;
#endif
}

void fiber_main() {
  Machine& m = machine();
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &m.host_stack, &m.host_stack_bytes);
#endif
  (*m.body)();
  Fiber& f = *m.running;
  f.waits = Waits::done;
  ++f.home->done;
  --m.alive;
  if (f.home->at_barrier > 0) fail("a thread returned while others of its block wait at __syncthreads()");
  if (m.at_grid_barrier > 0) fail("a thread returned while others wait at the grid's barrier");
  back_to_scheduler(true);
  fail("a thread that had returned was run again");
}

void wait(Waits what) {
  machine().running->waits = what;
  back_to_scheduler(false);
}

enum class Order { forward, reverse, random };
Order order = Order::forward;
unsigned order_seed = 0;

void read_order() {
  const char* text = std::getenv("DLBD_EMULATION_ORDER");
  if (!text || !*text || !std::strcmp(text, "forward")) {
    order = Order::forward;
  } else if (!std::strcmp(text, "reverse")) {
    order = Order::reverse;
  } else {
    order = Order::random, order_seed = static_cast<unsigned>(std::atoi(text));
  }
}

std::vector<size_t> ordered(size_t n, std::mt19937& random) {
  std::vector<size_t> numbers(n);
  std::iota(numbers.begin(), numbers.end(), size_t{0});
  if (order == Order::reverse) std::reverse(numbers.begin(), numbers.end());
  if (order == Order::random) std::shuffle(numbers.begin(), numbers.end(), random);
  return numbers;
}

// Starts the threads of a block. Stacks are numbered from `first`.
void start(Block& b, const Grid& g, dim3 index, size_t first) {
  Machine& m = machine();
  const size_t threads = size_t{g.threads.x} * g.threads.y * g.threads.z;
  b.fibers.assign(threads, Fiber{});
  b.at_barrier = b.done = 0;
  std::fill(std::begin(b.at_named), std::end(b.at_named), 0);
  b.shared.reset(new (kSharedAlignment) char[g.shared_bytes]);
  std::memset(b.shared.get(), 0xff, g.shared_bytes);
  for (size_t i = 0; i < threads; ++i) {
    Fiber& f = b.fibers[i];
    f.index = dim3(static_cast<unsigned>(i % g.threads.x), static_cast<unsigned>(i / g.threads.x % g.threads.y),
                   static_cast<unsigned>(i / g.threads.x / g.threads.y));
    f.block = index, f.home = &b, f.number = static_cast<int>(i), f.waits = Waits::nothing;
    f.stack = m.stacks.get(first + i);
#if defined(__SANITIZE_ADDRESS__)
    // The last functions of the thread before never returned and left their marks.
    __asan_unpoison_memory_region(f.stack + kStackBytes - kLastFrames, kLastFrames);
#endif
    auto** top = reinterpret_cast<void**>(f.stack + kStackBytes) - kFrameWords - 2;
    std::memset(top, 0, (kFrameWords + 2) * sizeof(void*));
    top[kReturnWord] = reinterpret_cast<void*>(&fiber_main);
    f.saved = top;
  }
  m.alive += static_cast<int>(threads);
}

// Runs until all threads of the blocks have returned.
void finish(std::vector<Block>& blocks, std::mt19937& random) {
  Machine& m = machine();
  while (m.alive > 0) {
    bool ran = false;
    for (const size_t i : ordered(blocks.size(), random)) {
      Block& b = blocks[i];
      if (b.done == static_cast<int>(b.fibers.size())) continue;
      for (const size_t j : ordered(b.fibers.size(), random)) {
        if (b.fibers[j].waits != Waits::nothing) continue;
        run(b.fibers[j]);
        ran = true;
      }
    }
    if (!ran) fail("every thread waits: a barrier or a shuffle that some thread never reaches");
  }
}

}  // namespace

void fail(const char* what) {
  const Fiber* f = machine().running;
  std::fprintf(stderr, "cuda emulation: %s", what);
  if (f)
    std::fprintf(stderr, " (block %u %u %u, thread %u %u %u)", f->block.x, f->block.y, f->block.z, f->index.x,
                 f->index.y, f->index.z);
  std::fprintf(stderr, "\n");
  std::abort();
}

Thread& current() { return *machine().running; }
const Grid& current_grid() { return *machine().grid; }
int lane() { return machine().running->number & 31; }

void* shared_memory(size_t bytes) {
  Machine& m = machine();
  if (bytes > m.grid->shared_bytes) fail("the launch asked for less shared memory than the kernel uses");
  return m.running->home->shared.get();
}

void block_barrier() {
  Block& b = *machine().running->home;
  if (b.done > 0) fail("__syncthreads() after a thread of the block has returned");
  if (++b.at_barrier < static_cast<int>(b.fibers.size())) return wait(Waits::block);
  b.at_barrier = 0;
  for (Fiber& f : b.fibers)
    if (f.waits == Waits::block) f.waits = Waits::nothing;
  wait(Waits::nothing);
}

void named_barrier(int id, int threads) {
  Block& b = *machine().running->home;
  if (id < 1 || id >= kNamedBarriers || threads % 32) fail("a named barrier has a number of 1 to 15 and whole warps");
  machine().running->barrier = id;
  if (++b.at_named[id] < threads) return wait(Waits::named);
  b.at_named[id] = 0;
  for (Fiber& f : b.fibers)
    if (f.waits == Waits::named && f.barrier == id) f.waits = Waits::nothing;
  wait(Waits::nothing);
}

void warp_barrier(unsigned mask) {
  Fiber& self = *machine().running;
  Block& b = *self.home;
  const int first = self.number & ~31;
  if (!(mask >> (self.number & 31) & 1)) fail("a thread meets a warp barrier whose mask does not name it");
  self.mask = mask;
  for (int i = 0; i < 32; ++i) {
    if (!(mask >> i & 1)) continue;
    if (first + i >= static_cast<int>(b.fibers.size()))
      fail("the mask of a warp barrier names a thread that does not exist");
    const Fiber& f = b.fibers[static_cast<size_t>(first + i)];
    if (f.waits == Waits::done) fail("the mask of a warp barrier names a thread that has returned");
    if (&f != &self && (f.waits != Waits::warp || f.mask != mask)) return wait(Waits::warp);
  }
  for (int i = 0; i < 32; ++i)
    if (mask >> i & 1) b.fibers[static_cast<size_t>(first + i)].waits = Waits::nothing;
  wait(Waits::nothing);
}

void grid_barrier() {
  Machine& m = machine();
  if (!m.grid->cooperative) fail("a grid barrier in a launch that is not cooperative");
  if (++m.at_grid_barrier < m.alive) return wait(Waits::grid);
  m.at_grid_barrier = 0;
  m.running->waits = Waits::grid;
  for (Block& b : *m.blocks)
    for (Fiber& f : b.fibers)
      if (f.waits == Waits::grid) f.waits = Waits::nothing;
  wait(Waits::nothing);
}

void publish(unsigned mask, const void* object) {
  machine().running->shown = object;
  warp_barrier(mask);
}

const void* peer(int lane) {
  const Fiber& self = *machine().running;
  return self.home->fibers[static_cast<size_t>((self.number & ~31) + lane)].shown;
}

namespace {

void execute(const Grid& g, const std::function<void()>& body) {
  Machine& m = machine();
  m.grid = &g, m.body = &body, m.alive = 0, m.at_grid_barrier = 0;
  read_order();
  std::mt19937 random(order_seed);
  const size_t threads = size_t{g.threads.x} * g.threads.y * g.threads.z;
  if (threads == 0 || threads > 1024) fail("a block has 1 to 1024 threads");
  if (g.blocks.y > 65535 || g.blocks.z > 65535 || g.blocks.x > 0x7fffffffu) fail("too many blocks along an axis");
  const auto index = [&](size_t i) {
    return dim3(static_cast<unsigned>(i % g.blocks.x), static_cast<unsigned>(i / g.blocks.x % g.blocks.y),
                static_cast<unsigned>(i / g.blocks.x / g.blocks.y));
  };
  const size_t count = size_t{g.blocks.x} * g.blocks.y * g.blocks.z;
  if (g.cooperative) {
    std::vector<Block> blocks(count);
    m.blocks = &blocks;
    for (size_t i = 0; i < count; ++i) start(blocks[i], g, index(i), i * threads);
    finish(blocks, random);
  } else {
    std::vector<Block> one(1);
    for (const size_t i : ordered(count, random)) {
      start(one[0], g, index(i), 0);
      finish(one, random);
    }
  }
  m.running = nullptr;
}

struct Captured {
  std::vector<std::function<void()>> nodes;
};

}  // namespace
}  // namespace cuda_emulation

struct CUstream_st {
  cuda_emulation::Captured* capture = nullptr;
};
struct CUgraph_st : cuda_emulation::Captured {};
struct CUgraphExec_st : cuda_emulation::Captured {};

namespace cuda_emulation {
namespace {

constexpr cudaError_t kInvalid = 1;
thread_local cudaError_t last_error = cudaSuccess;
thread_local int device = 0;

bool is_ours(cudaStream_t s) { return reinterpret_cast<uintptr_t>(s) > 2; }  // 0, 1, 2: the default streams

void queue(cudaStream_t stream, std::function<void()> work) {
  if (is_ours(stream) && stream->capture) {
    stream->capture->nodes.push_back(std::move(work));
  } else {
    work();
  }
}

}  // namespace

void launch(const Grid& grid, cudaStream_t stream, std::function<void()> body) {
  int most = 0;
  cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0);
  if (grid.shared_bytes > static_cast<size_t>(most)) {
    last_error = kInvalid;
    return;
  }
  queue(stream, [grid, body = std::move(body)] { execute(grid, body); });
}

}  // namespace cuda_emulation

using namespace cuda_emulation;

static std::atomic<int> synchronizations = 0;

// How often the host has waited for the device: tests/gpu shows that a training step does not.
extern "C" __attribute__((visibility("default"))) int cuda_emulation_synchronizations() { return synchronizations; }

// As a driver that cannot make a graph.
static std::atomic<bool> refuses_graphs = false;
extern "C" __attribute__((visibility("default"))) void cuda_emulation_refuse_graphs(bool refuse) {
  refuses_graphs = refuse;
}

cudaError_t cudaGetLastError() {
  const cudaError_t e = last_error;
  last_error = cudaSuccess;
  return e;
}
const char* cudaGetErrorString(cudaError_t e) { return e == cudaSuccess ? "no error" : "invalid argument"; }
cudaError_t cudaGetDeviceCount(int* n) { return *n = 2, cudaSuccess; }
cudaError_t cudaGetDevice(int* d) { return *d = device, cudaSuccess; }
cudaError_t cudaSetDevice(int d) { return d < 0 || d > 1 ? kInvalid : (device = d, cudaSuccess); }
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr what, int) {
  // Few multiprocessors: so that small tests have loops that go round more than once.
  const char* capability = std::getenv("DLBD_EMULATION_CAPABILITY");  // 75, 80, 90: which paths launchers choose
  const int c = capability ? std::atoi(capability) : 80;
  switch (what) {
    case cudaDevAttrMultiProcessorCount: {
      const char* count = std::getenv("DLBD_EMULATION_MULTIPROCESSORS");
      *value = count ? std::atoi(count) : 3;
      break;
    }
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = c >= 90 ? 232448 : c >= 80 ? 101376 : 65536; break;
    case cudaDevAttrComputeCapabilityMajor: *value = c / 10; break;
    case cudaDevAttrComputeCapabilityMinor: *value = c % 10; break;
  }
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* v) { return *v = 13000, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* v) { return *v = 13000, cudaSuccess; }
cudaError_t cudaMemsetAsync(void* p, int value, size_t n, cudaStream_t s) {
  return queue(s, [=] { std::memset(p, value, n); }), cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t n, cudaMemcpyKind, cudaStream_t s) {
  return queue(s, [=] { std::memcpy(to, from, n); }), cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return cudaSuccess; }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) { return *s = new CUstream_st, cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t s) { return delete s, cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return ++synchronizations, cudaSuccess; }
cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) {
  if (!is_ours(s) || s->capture) return kInvalid;
  return s->capture = new CUgraph_st, cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* g) {
  if (!is_ours(s) || !s->capture) return kInvalid;
  *g = static_cast<CUgraph_st*>(s->capture);
  return s->capture = nullptr, cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  if (refuses_graphs) return last_error = kInvalid;
  *exec = new CUgraphExec_st;
  (*exec)->nodes = graph->nodes;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t g) { return delete g, cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t e) { return delete e, cudaSuccess; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t e, cudaStream_t s) {
  for (const auto& node : e->nodes) queue(s, node);
  return cudaSuccess;
}
