#include "tensor/kernels/choice.h"

#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tensor/kernels/conv/conv.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

using namespace reverie;
using kernels::ConvKernels;
using kernels::ConvShape;
using kernels::KernelChoice;
using kernels::WithKernels;

namespace {

Tensor draw(const Shape& shape, Index channel) { return normal(RandomKey{.seed = 4}.with_channel(channel), shape); }

// y of a convolution to which both Winograd's and the direct kernels apply; their results differ in the last bits.
std::vector<real> convolve(ConvKernels conv) {
  const ConvShape s{4, 16, 16, 32, 48, 3, 3, 1, 1, 1};
  const Tensor x = draw(s.x(), 0), weight = draw(s.weight(), 1);
  Tensor y = Tensor::zeros(s.y());
  const WithKernels scope({.conv = conv});
  kernels::conv2d_forward(s, x, weight, nullptr, y);
  return {y.values().begin(), y.values().end()};
}

}  // namespace

TEST_CASE("the innermost scope decides; the choice before it comes back, after an exception too") {
  CHECK(kernels::kernel_choice() == KernelChoice{});
  {
    const WithKernels outer({.conv = ConvKernels::direct});
    try {
      const WithKernels inner({.conv = ConvKernels::winograd});
      CHECK(kernels::kernel_choice().conv == ConvKernels::winograd);
      throw std::runtime_error("inside of the scope");
    } catch (const std::runtime_error&) {
    }
    CHECK(kernels::kernel_choice().conv == ConvKernels::direct);
  }
  CHECK(kernels::kernel_choice() == KernelChoice{});
}

TEST_CASE("two threads with two choices don't disturb each other") {
  const std::vector<real> direct = convolve(ConvKernels::direct), winograd = convolve(ConvKernels::winograd);
  REQUIRE(direct != winograd);
  set_threads(3);  // the loops of both share their threads
  std::barrier start(2);
  std::atomic<int> wrong = 0;
  const auto repeat = [&](ConvKernels conv, const std::vector<real>& expected) {
    start.arrive_and_wait();
    for (int i = 0; i < 30; ++i) wrong += convolve(conv) != expected;
  };
  std::thread other([&] { repeat(ConvKernels::winograd, winograd); });
  repeat(ConvKernels::direct, direct);
  other.join();
  CHECK(wrong == 0);
  set_threads(0);
}

TEST_CASE("a choice reaches the tasks of nested loops on every thread") {
  using namespace std::chrono_literals;
  using Clock = std::chrono::steady_clock;
  set_threads(4);
  std::atomic<int> wrong = 0;
  std::mutex mutex;
  std::set<std::thread::id> threads_seen;
  std::atomic<int> arrived = 0;
  const WithKernels scope({.conv = ConvKernels::direct});
  parallel_tasks(4, [&](Index outer) {
    ++arrived;  // and wait, so that each task has a thread of its own
    for (const auto deadline = Clock::now() + 20s; arrived < 4 && Clock::now() < deadline;) std::this_thread::yield();
    wrong += kernels::kernel_choice().conv != ConvKernels::direct;
    {
      const std::scoped_lock lock(mutex);
      threads_seen.insert(std::this_thread::get_id());
    }
    const ConvKernels mine = outer % 2 == 0 ? ConvKernels::winograd : ConvKernels::automatic;
    {
      const WithKernels inner({.conv = mine});
      for (int repeat = 0; repeat < 50; ++repeat)
        parallel_tasks(8, [&](Index) { wrong += kernels::kernel_choice().conv != mine; });
    }
    wrong += kernels::kernel_choice().conv != ConvKernels::direct;
  });
  CHECK(wrong == 0);
  CHECK(threads_seen.size() == 4);
  set_threads(0);
}

TEST_CASE("after a task throws, no thread keeps its choice") {
  set_threads(4);
  {
    const WithKernels scope({.conv = ConvKernels::winograd});
    CHECK_THROWS_AS(parallel_tasks(64,
                                   [](Index i) {
                                     const WithKernels inner({.conv = ConvKernels::direct});
                                     if (i % 7 == 0) throw std::runtime_error("task");
                                   }),
                    std::runtime_error);
    CHECK(kernels::kernel_choice().conv == ConvKernels::winograd);
  }
  std::atomic<int> wrong = 0;
  parallel_tasks(64, [&](Index) { wrong += kernels::kernel_choice() != KernelChoice{}; });
  CHECK(wrong == 0);
  set_threads(0);
}
