#include "nn/optimizer.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace reverie;

namespace {

// A store with one parameter of three numbers.
struct Setting {
  ParameterStore store;
  Parameter& p = store.root().add("p", {3}, ones());
  TensorList gradient = {Tensor::from({3}, {0.5, -2, 0})};
};

}  // namespace

TEST_CASE("Adam's first update is the learning rate times the sign of the gradient [Kingma15] sec. 2.1") {
  Setting s;
  Optimizer(OptimizerOptions{.name = "adam"}, s.store).step(s.gradient, 0.1);
  CHECK(s.p.value[0] == doctest::Approx(0.9));
  CHECK(s.p.value[1] == doctest::Approx(1.1));
  CHECK(s.p.value[2] == 1);
}

TEST_CASE(
    "AdamW's weight decay is decoupled: without a gradient, p shrinks by lr wd; Adam's passes through the moments") {
  Setting s, t;
  const TensorList none = {Tensor::zeros({3})};
  Optimizer(OptimizerOptions{.name = "adamw", .weight_decay = 0.1}, s.store).step(none, 0.5);
  CHECK(s.p.value[0] == doctest::Approx(0.95));
  Optimizer(OptimizerOptions{.name = "adam", .weight_decay = 0.1}, t.store).step(none, 0.5);
  CHECK(t.p.value[0] == doctest::Approx(0.5));
}

TEST_CASE("sgd: p -= lr m, m = momentum m + g, m = g at first") {
  Setting s;
  Optimizer sgd({.name = "sgd", .momentum = 0.5}, s.store);
  sgd.step(s.gradient, 0.1);
  sgd.step(s.gradient, 0.1);
  CHECK(s.p.value[1] == doctest::Approx(1 + 0.1 * 2 + 0.1 * (0.5 * 2 + 2)));
  Setting plain;
  Optimizer without({.name = "sgd"}, plain.store);
  without.step(plain.gradient, 0.1);
  CHECK(plain.p.value[0] == doctest::Approx(0.95));
  CHECK(without.moment("m").empty());
}

TEST_CASE("every optimizer finds the minimum of a quadratic") {
  for (const char* name : optimizer_names()) {
    Setting s;
    Optimizer optimizer({.name = name, .momentum = 0.5}, s.store);
    for (int i = 0; i < 500; ++i) {
      TensorList gradient = {s.p.value.clone()};  // of |p|^2 / 2
      optimizer.step(gradient, 0.02);
    }
    CHECK(std::abs(s.p.value[0]) < real(1e-2));
  }
  Setting s;
  CHECK_THROWS_AS(Optimizer(OptimizerOptions{.name = "lion"}, s.store), UsageError);
}

TEST_CASE("clipping scales gradients with a norm above the limit, and no others") {
  const TensorList gradient = {Tensor::from({2}, {3, 0}), Tensor::from({1}, {4})};
  CHECK(global_norm(gradient) == doctest::Approx(5));
  CHECK(5 * clip_factor(5, 1) == doctest::Approx(1));
  CHECK(clip_factor(0.5, 1) == 1);
  CHECK(clip_factor(1e9, 0) == 1);
}

TEST_CASE("the moving average follows its recursion; with warm-up it forgets the initial values") {
  Setting s;
  Ema plain(0.9, false, s.store), warm(0.9, true, s.store);
  s.p.value.fill(2);
  plain.update(s.store, 1);
  warm.update(s.store, 1);
  CHECK(plain.average()[0][0] == doctest::Approx(0.9 * 1 + 0.1 * 2));
  CHECK(warm.average()[0][0] == doctest::Approx(2.0 / 11 * 1 + 9.0 / 11 * 2));  // (1 + 1) / (10 + 1)
  CHECK(Ema::share_of_start(0.995, false, 600) == doctest::Approx(std::pow(0.995, 600)));
  CHECK(Ema::share_of_start(0.995, false, 600) > 0.049);
  CHECK(Ema::share_of_start(0.995, true, 600) < 1e-6);
}

TEST_CASE("the learning rate warms up, then stays constant or falls like a cosine") {
  const LearningRate constant{.base = 2, .warmup_steps = 4};
  CHECK(constant(0) == doctest::Approx(0.5));
  CHECK(constant(3) == doctest::Approx(2));
  CHECK(constant(1000) == 2);
  const LearningRate cosine{
      .base = 2, .warmup_steps = 10, .decay = "cosine", .total_steps = 111, .final_fraction = 0.1};
  CHECK(cosine(10) == doctest::Approx(2));
  CHECK(cosine(60) == doctest::Approx(2 * (0.1 + 0.9 * 0.5)));
  CHECK(cosine(110) == doctest::Approx(0.2));
  CHECK_THROWS_AS((LearningRate{.decay = "linear"}(0)), UsageError);
}
