// The cosine decay reached its end value one training step after the last.
#include "nn/optimizer.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

TEST_CASE("the learning rate is the base rate at the first step of its decay, and the end value at the last step") {
  for (const Index warmup : {0, 1, 7}) {
    for (const Index total : {2, 3, 10, 101}) {
      if (total <= warmup + 1) continue;
      CAPTURE(warmup);
      CAPTURE(total);
      const LearningRate rate{
          .base = 2, .warmup_steps = warmup, .decay = "cosine", .total_steps = total, .final_fraction = 0.25};
      CHECK(rate(warmup) == Approx(2));
      CHECK(rate(total - 1) == 0.5);
      CHECK(rate(total) == 0.5);  // a run that was resumed with fewer steps than it has
      for (Index step = warmup + 1; step < total; ++step) CHECK(rate(step) < rate(step - 1));
      CHECK(rate(warmup) + rate(total - 1) == Approx(rate(warmup + 1) + rate(total - 2)));  // as symmetric as a cosine
    }
  }
}

TEST_CASE("one step after the warm-up, or one in all, is the last") {
  for (const Index warmup : {0, 5}) {
    const LearningRate rate{
        .base = 2, .warmup_steps = warmup, .decay = "cosine", .total_steps = warmup + 1, .final_fraction = 0.25};
    CHECK(rate(warmup) == 0.5);
  }
}
