#include "memory.h"

#include <sys/mman.h>

#include <bit>
#include <cstdlib>
#include <iterator>
#include <new>

namespace dlbd {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kExact = true;
#else
constexpr bool kExact = false;
#endif

// Eight classes per power of two: at most 12.5% is wasted.
size_t size_class(size_t bytes) {
  if (kExact) return bytes == 0 ? 1 : bytes;
  if (bytes <= kAlignment) return kAlignment;
  const size_t step = std::max<size_t>(kAlignment, std::bit_floor(bytes - 1) / 8);
  return (bytes + step - 1) / step * step;
}

void* allocate(size_t capacity) {
  const size_t alignment = !kExact && capacity >= kHugePage ? kHugePage : kAlignment;
  void* p = nullptr;
  if (posix_memalign(&p, alignment, capacity) != 0) throw std::bad_alloc();
  if (alignment == kHugePage) madvise(p, capacity, MADV_HUGEPAGE);
  return p;
}

}  // namespace

Pool::Pool(size_t max_cached) : max_cached_(max_cached) {}

Pool::~Pool() {
  for (auto& [start, capacity] : blocks_) std::free(const_cast<char*>(start));
}

Block Pool::take(size_t bytes) {
  const size_t capacity = size_class(bytes);
  std::lock_guard lock(mutex_);
  if (!kExact) {
    FreeBlocks& kept = free_[capacity];
    kept.used = ++now_;
    if (!kept.blocks.empty()) {
      void* p = kept.blocks.back();
      kept.blocks.pop_back();
      cached_ -= capacity;
      return {p, capacity, this};
    }
  }
  void* p = allocate(capacity);
  blocks_.emplace(static_cast<const char*>(p), capacity);
  held_ += capacity;
  return {p, capacity, this};
}

void Pool::give(Block block) noexcept {
  std::lock_guard lock(mutex_);
  // A pool that keeps everything (a recording's) must not free what a replay will touch again.
  if (kExact && max_cached_ == kKeepAll) return;
  if (kExact || block.bytes > max_cached_) return release(block.data, block.bytes);
  if (block.bytes > max_cached_ - cached_) make_room(block.bytes);
  FreeBlocks& kept = free_[block.bytes];
  kept.used = ++now_;
  kept.blocks.push_back(block.data);
  cached_ += block.bytes;
}

void Pool::make_room(size_t bytes) noexcept {
  while (bytes > max_cached_ - cached_) {
    auto oldest = free_.end();
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (!it->second.blocks.empty() && (oldest == free_.end() || it->second.used < oldest->second.used)) oldest = it;
    }
    auto& [capacity, kept] = *oldest;
    release(kept.blocks.back(), capacity);
    kept.blocks.pop_back();
    cached_ -= capacity;
  }
}

void Pool::release(void* block, size_t capacity) noexcept {
  blocks_.erase(static_cast<const char*>(block));
  held_ -= capacity;
  std::free(block);
}

bool Pool::owns(const void* p) const {
  const char* c = static_cast<const char*>(p);
  std::lock_guard lock(mutex_);
  auto it = blocks_.upper_bound(c);
  if (it == blocks_.begin()) return false;
  --it;
  return c < it->first + it->second;
}

size_t Pool::bytes_held() const {
  std::lock_guard lock(mutex_);
  return held_;
}

Pool& Pool::process() {
  // Never destroyed: arrays may outlive the module at interpreter shutdown.
  static Pool* pool = new Pool(size_t{512} << 20);
  return *pool;
}

}  // namespace dlbd
