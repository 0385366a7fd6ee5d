// Blocks of memory for arrays and scratch: 64-byte aligned, cached for reuse, huge pages for large ones.
// Under AddressSanitizer every block is its own exact-size allocation and nothing is cached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace dlbd {

struct Block {
  void* data;
  size_t bytes;      // capacity
  class Pool* pool;  // where it goes back to
};

// A cache of free blocks by size class. Thread-safe. One serves the process; each Recording has one of its own, whose
// blocks are reused by later launches of the same recording (the order of launches is fixed, so that is safe).
class Pool {
 public:
  static constexpr size_t kKeepAll = SIZE_MAX;

  // max_cached: bytes of free blocks that are kept; beyond it the sizes unused longest go back to the system.
  explicit Pool(size_t max_cached);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  Block take(size_t bytes);  // throws std::bad_alloc
  void give(Block block) noexcept;
  bool owns(const void* p) const;  // lies in a block that this pool handed out and has not released
  size_t bytes_held() const;       // handed out and cached

  static Pool& process();

 private:
  struct FreeBlocks {
    std::vector<void*> blocks;
    uint64_t used = 0;  // when one was last taken or given
  };

  void release(void* block, size_t capacity) noexcept;
  void make_room(size_t bytes) noexcept;

  mutable std::mutex mutex_;
  std::map<size_t, FreeBlocks> free_;     // by capacity
  std::map<const char*, size_t> blocks_;  // every live block: start -> capacity
  size_t max_cached_, cached_ = 0, held_ = 0;
  uint64_t now_ = 0;
};

}  // namespace dlbd
