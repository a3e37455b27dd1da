#include "nn/text_encoder.h"

#include <doctest/doctest.h>

#include "tests/helpers.h"
#include "tests/nn/layer_gradcheck.h"

using namespace reverie;

namespace {

constexpr TextEncoderOptions small{.tokens = 5, .length = 3, .width = 8, .depth = 2, .heads = 2, .pooled = 6};
const std::vector<Index> captions = {1, 2, 0, 4, 4, 3};  // two of them

}  // namespace

TEST_CASE("a text encoder depends on the tokens and on their order, and takes as many as it has positions") {
  ParameterStore store(1);
  const TextEncoder encoder(store.root(), small);
  const Var on = Tensor::zeros({2, 4});
  const Var features = encoder(captions, on);
  CHECK(features.shape() == Shape{2, 3, 8});
  CHECK(encoder.summary(features).shape() == Shape{2, 6});
  const std::vector<Index> swapped = {2, 1, 0, 4, 4, 3};
  const Var other = encoder(swapped, on);
  CHECK(encoder.summary(other).value()[0] != encoder.summary(features).value()[0]);
  for (Index i = 24; i < 48; ++i) CHECK(other.value()[i] == features.value()[i]);  // the second caption is the same
  CHECK(contains(error_of([&] { encoder(std::span(captions).first(4), on); }), "4 tokens for 2 samples; expects 3"));
  ParameterStore another(1);
  CHECK_THROWS_AS(TextEncoder(another.root(), {.tokens = 5, .length = 3, .width = 8, .heads = 3}), ShapeError);
}

TEST_CASE("cross-attention starts as the identity") {
  ParameterStore store(1);
  const CrossAttention attention(store.root(), 8, 6, 2);
  const Tensor x = normal({.seed = 1, .stream = Stream::probe}, {2, 3, 3, 8});
  const Tensor text = normal({.seed = 2, .stream = Stream::probe}, {2, 4, 6});
  const Tensor y = attention(x, text).value();
  for (Index i = 0; i < x.size(); ++i) CHECK(y[i] == x[i]);
  ParameterStore another(1);
  CHECK_THROWS_AS(CrossAttention(another.root(), 8, 6, 3), ShapeError);
}

#ifdef REVERIE_DOUBLE
TEST_CASE("the gradients of the text encoder and of cross-attention are those of central differences") {
  ParameterStore store(1);
  const TextEncoder encoder(store.root() / "text", small);
  const CrossAttention attention(store.root() / "attention", 4, 8, 2);
  stir(store);
  const Tensor x = normal({.seed = 1, .stream = Stream::probe}, {2, 2, 2, 4});
  CHECK(layer_gradient_error(store, {x}, [&](std::span<const Var> in) {
          const Var features = encoder(captions, in[0]);
          return concat({reshape(attention(in[0], features), {2, 16}), encoder.summary(features)}, 1);
        }) < 1e-6);
}
#endif
