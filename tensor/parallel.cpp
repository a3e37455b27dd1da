#include "tensor/parallel.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <atomic>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#ifdef REVERIE_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#define REVERIE_ACQUIRE __tsan_acquire
#define REVERIE_RELEASE __tsan_release
#else
#define REVERIE_ACQUIRE(moment) static_cast<void>(moment)
#define REVERIE_RELEASE(moment) static_cast<void>(moment)
#endif

#include "tensor/error.h"
#include "tensor/task_context.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

struct Pool {
  explicit Pool(int count)
      : limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(count)), arena(count) {}
  tbb::global_control limit;
  tbb::task_arena arena;
};

// oneTBB starts its threads when the first loop runs, and may end the program where it can't. So this starts as many
// for a moment, and throws Error if that fails: there may be no room for their stacks, or a limit on their number.
void try_threads(int count) {
  struct Flag {
    ~Flag() {
      set = true;
      set.notify_all();
    }
    std::atomic<bool>& set;
  };
  std::atomic<bool> end = false;
  std::vector<std::jthread> started;
  const Flag end_all{end};
  try {
    for (int i = 1; i < count; ++i) started.emplace_back([&] { end.wait(false); });
  } catch (const std::system_error& error) {
    throw Error("can't start ", count, " threads: ", error.code().message(), "; try fewer threads");
  }
}

// The pool; the first call makes it, with this number of threads (0: one per core).
std::unique_ptr<Pool>& pool(int count = 0) {
  static std::unique_ptr<Pool> instance = [&] {
    const int first = count > 0 ? count : tbb::info::default_concurrency();
    try_threads(first);
    return std::make_unique<Pool>(first);
  }();
  return instance;
}

// Tells the thread sanitizer that a loop's tasks come after what its caller did before, and before what it does
// afterwards (but in no order among themselves). oneTBB sees to that, but is not built for the sanitizer.
struct Order {
  char begin = 0, end = 0;  // whose addresses stand for the two moments
};
struct OrderOfCaller {
  explicit OrderOfCaller(Order& loop) : loop(loop) { REVERIE_RELEASE(&loop.begin); }
  ~OrderOfCaller() { REVERIE_ACQUIRE(&loop.end); }
  Order& loop;
};
struct OrderOfTask {
  explicit OrderOfTask(Order& loop) : loop(loop) { REVERIE_ACQUIRE(&loop.begin); }
  ~OrderOfTask() { REVERIE_RELEASE(&loop.end); }
  Order& loop;
};

// The number of threads that run a task now. While all threads are busy, a loop inside a task runs its tasks one after
// the other: the same tasks, so the same bits, without the overhead. When a thread runs out of work, the inner loops of
// the others share theirs with it.
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
  const int limit = count > 0 ? count : tbb::info::default_concurrency();
  std::unique_ptr<Pool>& current = pool(limit);
  if (current->arena.max_concurrency() == limit) return;
  try_threads(limit);
  current.reset();
  current = std::make_unique<Pool>(limit);
}

int threads() { return pool()->arena.max_concurrency(); }

void parallel_tasks(Index count, const std::function<void(Index)>& task) {
  if (count <= 0) return;
  if (count == 1 || threads() == 1 || (is_working && working >= threads())) {
    for (Index i = 0; i < count; ++i) task(i);
    return;
  }
  Order order;
  const OrderOfCaller caller(order);
  const auto run = [&, context = task_context] {
    const OrderOfTask of_loop(order);  // if all places of the arena are taken, one of its threads runs the loop
    tbb::task_group_context group;     // oneTBB cancels it too when a task of a loop around this one throws
    tbb::parallel_for(
        Index{0}, count,
        [&](Index i) {
          const Working now;
          const WithTaskContext inherited(context);
          const OrderOfTask of_task(order);
          task(i);
        },
        tbb::simple_partitioner(), group);
    if (group.is_group_execution_cancelled()) throw Error("parallel loop: stopped, because the loop around it failed");
  };
  // While a thread waits for the tasks of an inner loop, it must not start a task of an outer loop (another shard, with
  // all its activations). The thread of the outermost loop may run any task.
  is_working ? tbb::this_task_arena::isolate(run) : pool()->arena.execute(run);
}

double parallel_sum(Index n, Index grain, const std::function<double(Index, Index)>& part) {
  std::vector<double> parts((n + grain - 1) / grain);
  parallel_for(n, grain, [&](Index begin, Index end) { parts[begin / grain] = part(begin, end); });
  double sum = 0;
  for (const double value : parts) sum += value;
  return sum;
}

}  // namespace reverie::inline REVERIE_PRECISION
