#include "tensor/storage.h"

#include <oneapi/tbb/scalable_allocator.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "tensor/pool.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr std::size_t cache_line = 64;
std::atomic<Index> live{0}, peak{0};

void count(Index bytes) {
  const Index now = live.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  Index seen = peak.load(std::memory_order_relaxed);
  while (now > seen && !peak.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
  }
}

#ifdef REVERIE_PLAIN_ALLOCATION
void* take(std::size_t bytes) {
  void* block = nullptr;
  if (posix_memalign(&block, cache_line, bytes) != 0) throw std::bad_alloc();
  return block;
}
void give_back(void* block, std::size_t) { std::free(block); }
#else
constexpr std::size_t large = std::size_t{1} << 15;
void* take(std::size_t bytes) {
  if (bytes >= large) return pool().take(bytes);
  void* block = scalable_aligned_malloc(bytes == 0 ? cache_line : bytes, cache_line);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void give_back(void* block, std::size_t bytes) {
  bytes >= large ? pool().give_back(block) : scalable_aligned_free(block);
}
#endif

}  // namespace

std::shared_ptr<real[]> allocate(Index count_reals) {
  const auto bytes = static_cast<std::size_t>(count_reals) * sizeof(real);
  void* block = take(bytes);
  count(static_cast<Index>(bytes));
  return {static_cast<real*>(block), [bytes](real* p) {
            give_back(p, bytes);
            count(-static_cast<Index>(bytes));
          }};
}

MemoryUse memory_use() { return {live.load(), peak.load()}; }

void reset_peak_bytes() { peak.store(live.load()); }

}  // namespace reverie::inline REVERIE_PRECISION
