#pragma once
#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Large blocks of memory, aligned to a cache line. What is given back stays for the next one: a step of training takes
/// the same blocks as the step before, and the system would want a page fault for every 4 KB of them. The smallest free
/// block that is large enough is taken, the first among equals, and what is left of it stays free; free neighbours are
/// put together again. The system is asked for large pages, so that a kernel's few dozen streams find their addresses
/// in the processor's table. May be used by all threads.
class Pool {
 public:
  Pool() = default;
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Errors: std::bad_alloc.
  void* take(std::size_t bytes);
  void give_back(void* block) noexcept;

  /// What the system has been asked for, in bytes.
  std::size_t held() const;

 private:
  struct Block {
    std::size_t size;
    bool free, first;  // first: of a region that the system gave, and so nobody's right neighbour
  };
  using Blocks = std::map<std::byte*, Block>;

  void grow(std::size_t size);

  mutable std::mutex mutex_;
  Blocks blocks_;                                      // all, by address
  std::set<std::pair<std::size_t, std::byte*>> free_;  // by size
};

/// The one that tensors and kernels use. It is never destroyed: tensors may outlive everything.
Pool& pool();

}  // namespace reverie::inline REVERIE_PRECISION
