#pragma once
#include <functional>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Sets the number of threads; 0 means one per core. Results don't depend on it, to the bit.
void set_threads(int count);
int threads();

/// Calls task(i) for i = 0 .. count-1, in any order and perhaps in parallel. The calling thread takes part. A task must
/// not depend on the number of threads. The tasks run in the caller's TaskContext. If it returns, all tasks have run:
/// it rethrows a task's first exception, and throws Error if the loop was cancelled, which happens inside a task of
/// another loop when a task of that loop throws. The rest of the tasks are then skipped.
void parallel_tasks(Index count, const std::function<void(Index)>& task);

/// Cuts [0, n) into ranges of `grain` elements (the last may be shorter) and calls body(begin, end) for each, perhaps
/// in parallel. A single range is called directly, without waking a thread.
template <class Body>
void parallel_for(Index n, Index grain, Body&& body) {
  if (n <= grain) {
    if (n > 0) body(Index{0}, n);
    return;
  }
  parallel_tasks((n + grain - 1) / grain, [&](Index i) {
    const Index begin = i * grain;
    body(begin, n - begin < grain ? n : begin + grain);
  });
}

/// Returns the sum of part(begin, end) over such ranges, added in order: the same bits for any number of threads.
double parallel_sum(Index n, Index grain, const std::function<double(Index, Index)>& part);

}  // namespace reverie::inline REVERIE_PRECISION
