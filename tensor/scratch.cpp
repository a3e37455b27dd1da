#include "tensor/scratch.h"

#include <algorithm>
#include <vector>

#include "tensor/pool.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr Index least_block = 1 << 18;

// A thread's blocks, filled from the first on; `block` and `used` say how far.
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
  while (arena.block < arena.blocks.size() && arena.used + count > arena.blocks[arena.block].size) {
    ++arena.block;
    arena.used = 0;
  }
  if (arena.block == arena.blocks.size()) {
    const Index size = std::max(count, least_block);
    arena.blocks.reserve(arena.blocks.size() + 1);  // what throws comes first
    auto* data = static_cast<real*>(pool().take(static_cast<std::size_t>(size) * sizeof(real)));
    arena.blocks.push_back({data, size});
  }
  real* place = arena.blocks[arena.block].data + arena.used;
  arena.used += count;
  return place;
}

}  // namespace reverie::inline REVERIE_PRECISION
