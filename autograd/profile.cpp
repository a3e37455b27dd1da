#include "autograd/profile.h"

#include <algorithm>
#include <chrono>

#include "tensor/storage.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// One timed run. Reading the clock between two operations takes a few dozen nanoseconds.
TapeTimes time_once(const RecordedLoss& loss, std::span<Tensor> slot_gradients) {
  TapeTimes times;
  Tape tape;
  Clock::time_point last;
  tape.observe([&](TapeEvent event, int node) {
    const Clock::time_point now = Clock::now();
    const double since = seconds(last, now);
    if (node < 0) {
      times.constants += since;
    } else {
      if (node >= std::ssize(times.nodes)) times.nodes.resize(node + 1);
      if (event == TapeEvent::computed) times.nodes[node].forward += since;
      if (event == TapeEvent::backward_ends) times.nodes[node].backward += since;
    }
    last = now;
  });
  const Clock::time_point start = last = Clock::now();
  const Var y = loss(tape);
  const Clock::time_point middle = last = Clock::now();
  tape.backward(y, slot_gradients);
  times.whole = {seconds(start, middle), seconds(middle, Clock::now())};
  return times;
}

}  // namespace

TapePlan plan_tape(const RecordedLoss& loss, std::span<Tensor> slot_gradients) {
  const Index before = memory_use().live_bytes;
  reset_peak_bytes();
  {
    Tape tape;
    tape.backward(loss(tape), slot_gradients);
  }
  TapePlan plan;
  plan.peak_bytes = memory_use().peak_bytes - before;
  Tape tape;
  const Var y = loss(tape);
  plan.records = tape.records();
  plan.saved_bytes = tape.free_saved_tensors();
  for (const Record& record : plan.records) plan.flops.push_back(flops(record));
  return plan;
}

TapeTimes time_tape(const RecordedLoss& loss, std::span<Tensor> slot_gradients, int runs, int warm_up) {
  for (int i = 0; i < warm_up; ++i) time_once(loss, slot_gradients);
  TapeTimes best = time_once(loss, slot_gradients);
  std::vector<double> forward{best.whole.forward}, backward{best.whole.backward};
  const auto faster = [](TapeTimes::Seconds& a, const TapeTimes::Seconds& b) {
    a = {std::min(a.forward, b.forward), std::min(a.backward, b.backward)};
  };
  for (int i = 1; i < runs; ++i) {
    const TapeTimes times = time_once(loss, slot_gradients);
    for (std::size_t node = 0; node < best.nodes.size(); ++node) faster(best.nodes[node], times.nodes.at(node));
    faster(best.whole, times.whole);
    best.constants = std::min(best.constants, times.constants);
    forward.push_back(times.whole.forward);
    backward.push_back(times.whole.backward);
  }
  best.median = {median(forward), median(backward)};
  return best;
}

}  // namespace reverie::inline REVERIE_PRECISION
