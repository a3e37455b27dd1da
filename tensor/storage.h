#pragma once
#include <memory>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// `count` uninitialised reals, aligned to a cache line: large blocks from the pool, which keeps what is freed for the
/// next step, small ones from oneTBB's scalable allocator.
std::shared_ptr<real[]> allocate(Index count);

/// What all tensors hold at this moment, and the most that they held since `reset_peak_bytes`.
struct MemoryUse {
  Index live_bytes, peak_bytes;
};
MemoryUse memory_use();
void reset_peak_bytes();

}  // namespace reverie::inline REVERIE_PRECISION
