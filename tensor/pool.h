#pragma once
#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Allocates large blocks of memory, aligned to a cache line, and keeps freed blocks for reuse: every training step
/// needs the same blocks, and new memory costs a page fault per 4 KB. Takes the smallest free block that is large
/// enough (the first of equals) and splits it; neighbouring free blocks are merged. Asks the system for large pages,
/// which saves TLB misses. Thread-safe.
class Pool {
 public:
  Pool() = default;
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Throws std::bad_alloc.
  void* take(std::size_t bytes);
  void give_back(void* block) noexcept;

  /// Bytes allocated from the system.
  std::size_t held() const;

 private:
  struct Block {
    std::size_t size;
    bool free, first;  // first: of a region from the system, so not merged to the left
  };
  using Blocks = std::map<std::byte*, Block>;

  void grow(std::size_t size);

  mutable std::mutex mutex_;
  Blocks blocks_;                                      // all, by address
  std::set<std::pair<std::size_t, std::byte*>> free_;  // by size
};

/// Returns whether the process could map `bytes` more now: a limit on its address space (`ulimit -v`) may forbid it.
bool has_room(std::size_t bytes);

/// The pool of tensors and kernels. Never destroyed, because tensors may outlive static objects.
Pool& pool();

}  // namespace reverie::inline REVERIE_PRECISION
