#pragma once
#include <functional>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// How many threads work from now on; 0 means one for each core. Results do not depend on it, to the bit.
void set_threads(int count);
int threads();

/// Calls tile(i) for i = 0 .. count-1, in any order, perhaps at once. The calling thread takes part. What a tile is
/// depends on the work alone, never on the number of threads. The first exception of a tile is thrown again here.
void parallel_tiles(Index count, const std::function<void(Index)>& tile);

/// Cuts [0, n) into ranges of `grain` (the last may be shorter) and calls body(begin, end) for each, perhaps at once.
/// A single range is called directly: no thread is woken for little work.
template <class Body>
void parallel_for(Index n, Index grain, Body&& body) {
  if (n <= grain) {
    if (n > 0) body(Index{0}, n);
    return;
  }
  parallel_tiles((n + grain - 1) / grain, [&](Index i) {
    const Index begin = i * grain;
    body(begin, n - begin < grain ? n : begin + grain);
  });
}

/// The sum of part(begin, end) over such ranges, added up in their order: the same bits for any number of threads.
double parallel_sum(Index n, Index grain, const std::function<double(Index, Index)>& part);

}  // namespace reverie::inline REVERIE_PRECISION
