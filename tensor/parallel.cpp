#include "tensor/parallel.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <atomic>
#include <memory>
#include <vector>

#include "tensor/task_context.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Pool {
  explicit Pool(int count)
      : limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(count)), arena(count) {}
  tbb::global_control limit;
  tbb::task_arena arena;
};

std::unique_ptr<Pool>& pool() {
  static std::unique_ptr<Pool> instance = std::make_unique<Pool>(tbb::info::default_concurrency());
  return instance;
}

// Threads that run tiles now. Where they are all there are, a loop inside of a tile just runs: the tiles are the same,
// so the bits are too. As soon as a thread is out of work, the others' inner loops have something for it.
std::atomic<int> working = 0;
thread_local bool is_working = false;

struct Working {
  Working() {
    if (first) is_working = true, ++working;
  }
  ~Working() {
    if (first) is_working = false, --working;
  }
  const bool first = !is_working;
};

}  // namespace

void set_threads(int count) {
  const int wanted = count > 0 ? count : tbb::info::default_concurrency();
  pool().reset();
  pool() = std::make_unique<Pool>(wanted);
}

int threads() { return pool()->arena.max_concurrency(); }

void parallel_tiles(Index count, const std::function<void(Index)>& tile) {
  if (count <= 0) return;
  if (count == 1 || threads() == 1 || (is_working && working >= threads())) {
    for (Index i = 0; i < count; ++i) tile(i);
    return;
  }
  const auto run = [&, context = task_context] {
    tbb::parallel_for(
        Index{0}, count,
        [&](Index i) {
          const Working now;
          const WithTaskContext inherited(context);
          tile(i);
        },
        tbb::simple_partitioner());
  };
  // While it waits for the tiles of an inner loop, a thread must not pick up one of an outer loop (another shard with
  // all its activations). The outermost loop's thread may take what it finds.
  is_working ? tbb::this_task_arena::isolate(run) : pool()->arena.execute(run);
}

double parallel_sum(Index n, Index grain, const std::function<double(Index, Index)>& part) {
  std::vector<double> parts(static_cast<std::size_t>((n + grain - 1) / grain));
  parallel_for(n, grain, [&](Index begin, Index end) { parts[begin / grain] = part(begin, end); });
  double sum = 0;
  for (const double value : parts) sum += value;
  return sum;
}

}  // namespace reverie::inline REVERIE_PRECISION
