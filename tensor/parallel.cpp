#include "tensor/parallel.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <memory>
#include <vector>

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

// Whether this thread runs a tile of a loop that has work for all threads already. A loop inside of it then just runs:
// the tiles are the same, so the bits are too.
thread_local bool saturated = false;

struct Saturated {
  explicit Saturated(bool now) : before(saturated) { saturated = saturated || now; }
  ~Saturated() { saturated = before; }
  bool before;
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
  if (count == 1 || saturated || threads() == 1) {
    for (Index i = 0; i < count; ++i) tile(i);
    return;
  }
  const bool enough = count >= 2 * threads();
  const auto run = [&](Index i) {
    const Saturated inside(enough);
    tile(i);
  };
  pool()->arena.execute([&] {
    // Isolated: while it waits for its tiles, a thread must not pick up a task of the level above (another shard with
    // all its activations).
    tbb::this_task_arena::isolate([&] { tbb::parallel_for(Index{0}, count, run, tbb::simple_partitioner()); });
  });
}

double parallel_sum(Index n, Index grain, const std::function<double(Index, Index)>& part) {
  std::vector<double> parts(static_cast<std::size_t>((n + grain - 1) / grain));
  parallel_for(n, grain,
               [&](Index begin, Index end) { parts[static_cast<std::size_t>(begin / grain)] = part(begin, end); });
  double sum = 0;
  for (const double value : parts) sum += value;
  return sum;
}

}  // namespace reverie::inline REVERIE_PRECISION
