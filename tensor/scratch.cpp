#include "tensor/scratch.h"

#include <algorithm>
#include <new>
#include <vector>

#include "tensor/error.h"
#include "tensor/pool.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index least_block = 1 << 18;

// A thread's blocks, filled in order up to `used` of block number `block`.
struct Arena {
  struct Block {
    real* data;
    Index size;
  };
  std::vector<Block> blocks;
  std::size_t block = 0;
  Index used = 0;

  ~Arena() {
    for (const Block& b : blocks) pool().give_back(b.data);
  }
};
thread_local Arena arena;

}  // namespace

Scratch::Scratch() : block_(arena.block), used_(arena.used) {}

Scratch::~Scratch() {
  arena.block = block_;
  arena.used = used_;
}

real* Scratch::take(Index count) {
  constexpr Index line = 64 / sizeof(real);
  count = (count + line - 1) / line * line;
  const auto fits = [&] { return arena.used + count <= arena.blocks[arena.block].size; };
  std::size_t unused = arena.block;  // the first unused block
  while (arena.block < arena.blocks.size() && !fits()) {
    if (arena.used > 0) ++unused;
    ++arena.block;
    arena.used = 0;
  }
  if (arena.block == arena.blocks.size()) {  // a new block replaces those that are too small
    for (; arena.blocks.size() > unused; arena.blocks.pop_back()) pool().give_back(arena.blocks.back().data);
    arena.block = unused;
    arena.blocks.reserve(unused + 1);
    const Index size = std::max(count, least_block);
    const auto bytes = static_cast<std::size_t>(size) * sizeof(real);
    try {
      arena.blocks.push_back({static_cast<real*>(pool().take(bytes)), size});
    } catch (const std::bad_alloc&) {
      throw OutOfMemory::of("the temporary memory of an operation", static_cast<double>(bytes));
    }
  }
  real* address = arena.blocks[arena.block].data + arena.used;
  arena.used += count;
  return address;
}

}  // namespace reverie::inline REVERIE_PRECISION
