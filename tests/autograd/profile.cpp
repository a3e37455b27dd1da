#include "autograd/profile.h"

#include <doctest/doctest.h>

#include <chrono>
#include <numeric>

#include "autograd/ops.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

constexpr Index bytes = sizeof(real);

// A slow operation that saves nothing: it waits, forward and backward.
Var sleep(const Var& x, int forward_ms, int backward_ms) {
  const auto nap = [](int ms) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
    while (std::chrono::steady_clock::now() < end) {
    }
  };
  nap(forward_ms);
  return record("affine", x.value().clone(), {x}, [nap, backward_ms](Gradients& g) {
    nap(backward_ms);
    g.add(0, g.take_output());
  });
}

}  // namespace

TEST_CASE("the bytes each operation saves: a shared tensor counts for the first operation that saves it") {
  const Tensor p = Tensor::full({100}, 0.5), q = Tensor::full({100}, 2);
  std::vector<Tensor> gradients = {Tensor::zeros({100}), Tensor::zeros({100})};
  const TapePlan plan = plan_tape(
      [&](Tape& tape) {
        const Var x = tape.parameter(p, 0), w = tape.parameter(q, 1);
        const Var a = x + w;       // 2: saves nothing
        const Var b = silu(a);     // 3: saves a
        const Var c = a * b;       // 4: saves a (counted already) and b
        const Var d = sigmoid(c);  // 5: saves its result
        const Var e = d * x;       // 6: saves d (counted already) and a parameter, which costs nothing
        return sum(e);             // 7: saves nothing
      },
      gradients);
  CHECK(plan.saved_bytes == std::vector<Index>{0, 0, 0, 100 * bytes, 100 * bytes, 100 * bytes, 0, 0});
  CHECK(std::string(plan.records[4].op) == "mul");
  CHECK(plan.records[1].slot == 1);
  CHECK(plan.records[4].slot == -1);
  CHECK(plan.flops[4].forward == 100);
  CHECK(plan.flops[4].backward == 200);
  const Index saved = std::accumulate(plan.saved_bytes.begin(), plan.saved_bytes.end(), Index{0});
  CHECK(plan.peak_bytes > saved);
  CHECK(plan.peak_bytes < 2 * saved + 300 * bytes);
}

TEST_CASE("counting the saved tensors consumes the tape") {
  Tape tape;
  const Var y = sum(square(tape.variable(Tensor::full({3}, 1))));
  tape.free_saved_tensors();
  CHECK_THROWS_WITH_AS(tape.backward(y), doctest::Contains("consumed"), Error);
  CHECK_THROWS_WITH_AS(tape.free_saved_tensors(), doctest::Contains("consumed"), Error);
}

TEST_CASE("an observer is called for every operation, also those on data alone, and for every node of backward") {
  Tape tape;
  std::string events;
  tape.observe([&](TapeEvent event, int node) {
    events += concat(event == TapeEvent::computed ? "f" : event == TapeEvent::backward_begins ? "b" : "e", node, " ");
  });
  const Var data = tape.constant(Tensor::full({3}, 1));
  tape.backward(sum((data + data) * tape.variable(Tensor::full({3}, 1))));
  CHECK(events == "f-1 f1 f2 b2 e2 b1 e1 ");
}

TEST_CASE("times are attributed to the nodes that took them, forward and backward apart") {
  const Tensor p = Tensor::full({1}, 1);
  std::vector<Tensor> gradients = {Tensor::zeros({1})};
  const TapeTimes times = time_tape(
      [&](Tape& tape) {
        const Var x = sleep(tape.parameter(p, 0), 12, 5);             // 1
        sleep(tape.constant(p), 6, 0);                                // on data alone
        return sum(sleep(sleep(x, 0, 20) + tape.constant(p), 5, 0));  // 2, 3 (add), 4, 5 (sum)
      },
      gradients, 5, 0);
  REQUIRE(times.nodes.size() == 6);
  // Each node takes at least its waiting time; the sum is at most the total, so nothing is counted twice.
  const double least[][2] = {{0, 0}, {12, 5}, {0, 20}, {0, 0}, {5, 0}, {0, 0}};  // milliseconds
  TapeTimes::Seconds sum{times.constants, 0};
  for (std::size_t i = 0; i < times.nodes.size(); ++i) {
    CAPTURE(i);
    CHECK(times.nodes[i].forward >= least[i][0] / 1e3);
    CHECK(times.nodes[i].backward >= least[i][1] / 1e3);
    sum.forward += times.nodes[i].forward;
    sum.backward += times.nodes[i].backward;
  }
  CHECK(times.constants >= 6e-3);
  CHECK(sum.forward <= times.whole.forward);
  CHECK(sum.backward <= times.whole.backward);
  CHECK(times.median.total() >= times.whole.total());
}
