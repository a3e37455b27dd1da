#include "nn/layers.h"

#include <doctest/doctest.h>

#include <cmath>

#include "nn/blocks.h"
#include "nn/transformer.h"
#include "tests/nn/layer_gradcheck.h"

using namespace reverie;

namespace {

Tensor draw(const Shape& shape, Index channel) { return normal(RandomKey{.seed = 8}.with_channel(channel), shape); }

using In = std::span<const Var>;

}  // namespace

#ifdef REVERIE_DOUBLE  // differences in float are too inexact

TEST_CASE("the gradients of every layer, with respect to input and parameters, agree with central differences") {
  ParameterStore store;
  const Scope root = store.root();
  SUBCASE("Linear") {
    const Linear layer(root, 3, 4);
    stir(store);
    CHECK(layer_gradient_error(store, {draw({2, 3}, 0)}, [&](In in) { return layer(in[0]); }) < 1e-7);
  }
  SUBCASE("Conv2d") {
    const Conv2d layer(root, 4, 6, 3, {.stride = 2, .padding = 1, .groups = 2});
    stir(store);
    CHECK(layer_gradient_error(store, {draw({1, 5, 4, 4}, 0)}, [&](In in) { return layer(in[0]); }) < 1e-7);
  }
  SUBCASE("GroupNorm") {
    const GroupNorm layer(root, 6, 3);
    stir(store);
    CHECK(layer_gradient_error(store, {draw({2, 3, 2, 6}, 0)}, [&](In in) { return layer(in[0]); }) < 1e-7);
  }
  SUBCASE("LayerNorm") {
    const LayerNorm layer(root, 5);
    stir(store);
    CHECK(layer_gradient_error(store, {draw({2, 3, 5}, 0)}, [&](In in) { return layer(in[0]); }) < 1e-7);
  }
  SUBCASE("Embedding") {
    const Embedding layer(root, 4, 3);
    const std::vector<Index> rows = {2, 0, 2};
    CHECK(layer_gradient_error(store, {draw({3, 3}, 0)}, [&](In in) { return in[0] * layer(rows, in[0]); }) < 1e-7);
  }
  SUBCASE("Dropout") {
    const Dropout layer{0.4, 1};
    const Mode mode{.training = true};
    CHECK(layer_gradient_error(store, {draw({3, 4}, 0)}, [&](In in) { return layer(in[0], mode); }) < 1e-7);
  }
  SUBCASE("AttentionBlock") {
    for (const QkvOrder order : {QkvOrder::head_by_head, QkvOrder::q_then_k_then_v}) {
      ParameterStore own;
      const AttentionBlock layer(own.root(), 32, 4, order);
      stir(own);
      CHECK(layer_gradient_error(
                own, {draw({1, 2, 3, 32}, 0)}, [&](In in) { return layer(in[0]); }, 7) < 1e-7);
    }
  }
  SUBCASE("TransformerBlock") {
    const TransformerBlock layer(root, 8, 2, 12);
    stir(store);
    CHECK(layer_gradient_error(store, {draw({2, 3, 8}, 0), draw({2, 8}, 1)},
                               [&](In in) { return layer(in[0], in[1]); }) < 1e-7);
  }
  SUBCASE("ResidualBlock") {
    for (const Resample how : {Resample::none, Resample::up, Resample::down}) {
      for (const bool scale_shift : {true, false}) {
        ParameterStore own;
        const ResidualBlock layer(
            own.root(),
            {.in = 32, .out = 64, .embedding = 5, .scale_shift_norm = scale_shift, .resample = how, .dropout = 0.2});
        stir(own);
        const Mode mode{.training = true};
        const auto run = [&](In in) { return layer(in[0], in[1], mode); };
        CHECK(layer_gradient_error(own, {draw({1, 2, 2, 32}, 0), draw({1, 5}, 1)}, run, 211) < 1e-7);
      }
    }
  }
}

#endif

TEST_CASE(
    "dropout is the identity outside training; in training it preserves the mean, and a key gives the same mask "
    "again") {
  const Dropout layer{0.3, 0};
  const Tensor x = Tensor::full({100, 100}, 1);
  CHECK(layer(x, Mode{}).value().data() == x.data());
  const Mode mode{.training = true, .dropout = {.seed = 1, .stream = Stream::dropout}};
  const Tensor a = layer(x, mode).value(), b = layer(x, mode).value();
  CHECK(std::equal(a.values().begin(), a.values().end(), b.values().begin()));
  CHECK(mean(a).item() == doctest::Approx(1).epsilon(0.05));
  const Tensor c = Dropout{0.3, 1}(x, mode).value();  // another layer, other masks
  CHECK(!std::equal(a.values().begin(), a.values().end(), c.values().begin()));
}

TEST_CASE("the timestep embedding: cosines first, then sines, frequencies from 1 down to almost 1/max_period") {
  const double t[] = {0, 3};
  const Tensor e = timestep_embedding(t, 9);
  CHECK(e.shape() == Shape{2, 9});
  CHECK(e[0] == 1);
  CHECK(e[4] == 0);
  CHECK(e[9] == doctest::Approx(std::cos(3.0)));
  CHECK(e[9 + 4] == doctest::Approx(std::sin(3.0)));
  CHECK(e[9 + 1] == doctest::Approx(std::cos(3.0 * std::pow(10000.0, -0.25))));
  CHECK(e[9 + 8] == 0);  // an odd dim is padded
  const double far[] = {-1e9, 999.5};
  const Tensor f = timestep_embedding(far, 64);
  for (Index i = 0; i < 64; ++i) {  // a float's rounding of values up to 1
    for (const Index row : {0, 1}) {
      const double angle = far[row] * std::pow(10000.0, -double(i % 32) / 32);
      CHECK(std::abs(f[row * 64 + i] - (i < 32 ? std::cos(angle) : std::sin(angle))) < (row == 0 ? 1e-6 : 1e-7));
    }
  }
}

TEST_CASE("a new residual block is its skip path, a new attention block the identity") {
  ParameterStore store;
  const ResidualBlock block(store.root() / "a", {.in = 32, .out = 32, .embedding = 8});
  const AttentionBlock attention(store.root() / "b", 32, 4, QkvOrder::head_by_head);
  const Tensor x = draw({2, 3, 3, 32}, 0);
  const Tensor y = block(x, draw({2, 8}, 1), Mode{}).value(), z = attention(x).value();
  for (Index i = 0; i < x.size(); ++i) {
    CHECK(y[i] == x[i]);
    CHECK(z[i] == x[i]);
  }
  CHECK_THROWS_AS(AttentionBlock(store.root() / "c", 32, 5, QkvOrder::head_by_head), ShapeError);
}
