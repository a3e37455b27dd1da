#pragma once
#include <memory>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Allocates `count` uninitialised reals, aligned to a cache line: large blocks from the pool (pool.h), small ones from
/// oneTBB's scalable allocator.
std::shared_ptr<real[]> allocate(Index count);

/// The memory of all tensors now, and its maximum since `reset_peak_bytes`.
struct MemoryUse {
  Index live_bytes, peak_bytes;
};
MemoryUse memory_use();
void reset_peak_bytes();

}  // namespace reverie::inline REVERIE_PRECISION
