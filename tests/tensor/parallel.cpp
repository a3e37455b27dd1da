#include "tensor/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <vector>

using namespace reverie;

TEST_CASE("every index is visited once, nested or not, for any number of threads") {
  for (const int count : {1, 2, 5}) {
    set_threads(count);
    CHECK(threads() == count);
    std::vector<std::atomic<int>> seen(100 * 30);
    parallel_tasks(100, [&](Index i) {
      parallel_for(30, 7, [&](Index begin, Index end) {
        for (Index j = begin; j < end; ++j) ++seen[i * 30 + j];
      });
    });
    bool once = true;
    for (const auto& n : seen) once = once && n == 1;
    CHECK(once);
  }
  set_threads(0);
}

TEST_CASE("a thread that is out of work helps in the inner loop of another's task") {
  using namespace std::chrono_literals;
  using Clock = std::chrono::steady_clock;
  set_threads(2);
  std::atomic<int> inside = 0;
  std::atomic<bool> helped = false;
  parallel_tasks(2, [&](Index outer) {
    if (outer == 0) return;  // its thread has nothing more to do
    for (const auto deadline = Clock::now() + 20s; !helped && Clock::now() < deadline;) {
      parallel_tasks(2, [&](Index) {
        ++inside;
        for (const auto end = Clock::now() + 10ms; !helped && Clock::now() < end;)
          if (inside == 2) helped = true;
        --inside;
      });
    }
  });
  CHECK(helped);
  set_threads(0);
}

TEST_CASE("a sum has the same bits for any number of threads") {
  const auto part = [](Index begin, Index end) {
    double sum = 0;
    for (Index i = begin; i < end; ++i) sum += 1.0 / static_cast<double>(i + 1);
    return sum;
  };
  set_threads(1);
  const double one = parallel_sum(100000, 1000, part);
  for (const int count : {2, 3, 7}) {
    set_threads(count);
    CHECK(parallel_sum(100000, 1000, part) == one);
  }
  set_threads(0);
}

TEST_CASE("an exception in a task reaches the caller") {
  CHECK_THROWS_AS(parallel_tasks(8,
                                 [](Index i) {
                                   if (i == 5) throw std::runtime_error("task");
                                 }),
                  std::runtime_error);
}

TEST_CASE("nothing to do is nothing done") {
  parallel_for(0, 4, [](Index, Index) { FAIL("called"); });
  CHECK(parallel_sum(0, 4, [](Index, Index) { return 1.0; }) == 0);
}
