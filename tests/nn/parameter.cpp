#include "nn/parameter.h"

#include <doctest/doctest.h>

#include <cmath>

#include "nn/layers.h"

using namespace reverie;

TEST_CASE("scopes name parameters as PyTorch does; slots count up") {
  ParameterStore store(1);
  const Linear first(store.root() / "time_embed" / 0, 3, 4);
  const Conv2d second(store.root() / "out" / 2, 4, 5, 3);
  CHECK(first.weight.name == "time_embed.0.weight");
  CHECK(second.bias.name == "out.2.bias");
  CHECK(second.weight.value.shape() == Shape{5, 4, 3, 3});
  CHECK(store.find("out.2.bias")->slot == 3);
  CHECK(store.find("nothing") == nullptr);
  CHECK(store.element_count() == 3 * 4 + 4 + 5 * 4 * 9 + 5);
  CHECK_THROWS_WITH_AS(Linear(store.root() / "out" / 2, 3, 3), doctest::Contains("out.2.weight is taken"), Error);
}

TEST_CASE("initial values depend on the seed and the parameter alone, and are bounded by the fan-in") {
  ParameterStore a(1), b(1), c(2);
  const Linear la(a.root(), 100, 50), lb(b.root(), 100, 50), lc(c.root(), 100, 50);
  CHECK(la.weight.value[17] == lb.weight.value[17]);
  CHECK(la.weight.value[17] != lc.weight.value[17]);
  double square = 0;
  for (const real w : la.weight.value.values()) {
    CHECK(std::abs(w) <= real(0.1));
    square += double{w} * w;
  }
  CHECK(square / 5000 == doctest::Approx(0.01 / 3).epsilon(0.1));  // the variance of U(-0.1, 0.1)
}

TEST_CASE("Xavier initialisation has variance 2 / (fan_in + fan_out) [Glorot10], Gaussian its deviation squared") {
  ParameterStore store(1);
  const Tensor xavier = store.root().add("a", {60, 100}, xavier_uniform(100, 60)).value;
  const Tensor gauss = store.root().add("b", {60, 100}, gaussian(0.02)).value;
  const auto variance = [](const Tensor& x) { return double{mean(square(Var(x))).item()}; };
  CHECK(variance(xavier) == doctest::Approx(2.0 / 160).epsilon(0.05));
  CHECK(variance(gauss) == doctest::Approx(0.0004).epsilon(0.05));
}

TEST_CASE("values can be replaced for a scope") {
  ParameterStore store;
  const Linear layer(store.root(), 2, 2);
  const real before = layer.weight.value[0];
  {
    TensorList other = store.zeros_like();
    const WithValues guard(store, other);
    CHECK(layer.weight.value[0] == 0);
  }
  CHECK(layer.weight.value[0] == before);
  CHECK_THROWS_AS(store.exchange({Tensor::zeros({2, 2})}), ShapeError);
  CHECK_THROWS_AS(store.exchange({Tensor::zeros({3, 2}), Tensor::zeros({2})}), ShapeError);
}
