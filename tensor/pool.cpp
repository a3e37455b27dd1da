#include "tensor/pool.h"

#include <algorithm>
#include <iterator>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)
#define ASAN_UNPOISON_MEMORY_REGION(address, size)
#endif

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr std::size_t line = 64, large_page = std::size_t{1} << 21, region = std::size_t{1} << 26;
constexpr std::size_t most = std::size_t{1} << 48;  // more than any machine has, so that rounding up can't overflow

std::size_t rounded(std::size_t bytes, std::size_t step) { return (std::max(bytes, step) + step - 1) / step * step; }

}  // namespace

Pool::~Pool() {
  for (const auto& [address, block] : blocks_) {
    if (block.first) ::operator delete (address, std::align_val_t{large_page});  // all of the region has been freed
  }
}

void Pool::grow(std::size_t size) {
  size = std::max(region, rounded(size, large_page));
  auto* memory = static_cast<std::byte*>(::operator new (size, std::align_val_t{large_page}));
#ifdef MADV_HUGEPAGE
  madvise(memory, size, MADV_HUGEPAGE);  // a hint; without large pages everything works, but slower
#endif
  ASAN_POISON_MEMORY_REGION(memory, size);  // the address sanitizer reports accesses to free blocks
  free_.emplace(size, memory);
  blocks_.emplace(memory, Block{size, true, true});
}

void* Pool::take(std::size_t bytes) {
  if (bytes > most) throw std::bad_alloc();
  const std::size_t size = rounded(bytes, line);
  const std::lock_guard lock(mutex_);
  auto found = free_.lower_bound({size, nullptr});
  if (found == free_.end()) {
    grow(size);
    found = free_.lower_bound({size, nullptr});
  }
  const auto [whole, address] = *found;
  free_.erase(found);
  const auto block = blocks_.find(address);
  block->second.free = false;
  if (whole > size) {
    block->second.size = size;
    blocks_.emplace_hint(std::next(block), address + size, Block{whole - size, true, false});
    free_.emplace(whole - size, address + size);
  }
  ASAN_UNPOISON_MEMORY_REGION(address, bytes);
  return address;
}

void Pool::give_back(void* memory) noexcept {
  const std::lock_guard lock(mutex_);
  auto block = blocks_.find(static_cast<std::byte*>(memory));
  block->second.free = true;
  ASAN_POISON_MEMORY_REGION(memory, block->second.size);
  const auto join = [&](Blocks::iterator left, Blocks::iterator right) {  // the right one is not in free_
    left->second.size += right->second.size;
    blocks_.erase(right);
    return left;
  };
  if (const auto next = std::next(block); next != blocks_.end() && next->second.free && !next->second.first) {
    free_.erase({next->second.size, next->first});
    join(block, next);
  }
  if (!block->second.first && std::prev(block)->second.free) {
    const auto before = std::prev(block);
    free_.erase({before->second.size, before->first});
    block = join(before, block);
  }
  free_.emplace(block->second.size, block->first);
}

std::size_t Pool::held() const {
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  for (const auto& [address, block] : blocks_) bytes += block.size;
  return bytes;
}

bool has_room(std::size_t bytes) {
#ifdef __linux__
  void* memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  munmap(memory, bytes);
#endif
  return true;
}

Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

}  // namespace reverie::inline REVERIE_PRECISION
