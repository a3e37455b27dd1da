#include <doctest/doctest.h>

#include <set>

#include "autograd/op_case.h"
#include "diffusion/losses.h"
#include "diffusion/model.h"
#include "diffusion/networks/mlp.h"
#include "diffusion/networks/unet.h"
#include "tests/diffusion/helpers.h"
#include "tests/nn/layer_gradcheck.h"

using namespace reverie;

namespace {

// Small U-Nets that use every option.
std::vector<UNetOptions> unets() {
  UNetOptions plain{.in_channels = 1,
                    .out_channels = 2,
                    .model_channels = 32,
                    .channel_mult = {1, 1},
                    .num_res_blocks = 1,
                    .attention_rates = {2},
                    .num_heads = 2};
  UNetOptions additive = plain, pooled = plain, blocks = plain;
  additive.use_scale_shift_norm = false, additive.num_classes = 3;
  pooled.conv_resample = false, pooled.num_head_channels = 16, pooled.dropout = 0.1;
  blocks.resblock_updown = true, blocks.qkv_order = QkvOrder::q_then_k_then_v, blocks.channel_mult = {1, 2};
  return {plain, additive, pooled, blocks};
}

}  // namespace

TEST_CASE("every operation that a training step of any network records has a check case") {
  std::set<std::string> checked;
  for (const OpCase& op_case : op_cases()) checked.insert(op_case.op);
  checked.insert({"variable", "parameter"});
  const auto require_checked = [&](const Tape& tape) {
    for (const Record& r : tape.records()) {
      CAPTURE(r.op);
      CHECK(checked.contains(r.op));
    }
  };
  const double t[] = {1, 8};
  const std::vector<Index> steps = {0, 8}, labels = {2, 0};
  for (const UNetOptions& options : unets()) {
    for (const Loss& loss : losses()) {
      const UNet network(options, 1);
      const Process process(make_schedule("cosine", 10), MeanType::v, VarianceType::learned_range);
      Tape tape;
      const Var x0 = tape.constant(noise({2, 4, 4, 1}, 0)), e = tape.constant(noise({2, 4, 4, 1}, 1));
      const Var x_t = process.q_sample(x0, steps, e);
      const Var y = network(x_t, t, options.num_classes > 0 ? std::span<const Index>(labels) : std::span<const Index>{},
                            {.training = true});
      sum(loss.terms({process, steps, x0, x_t, e, y}, {}).loss);
      require_checked(tape);
    }
  }
  Tape tape;
  const Mlp mlp({.num_classes = 3}, 1);
  mse(mlp(tape.constant(noise({2, 2})), t, labels, {}), tape.constant(noise({2, 2}, 1)));
  require_checked(tape);
}

#ifdef REVERIE_DOUBLE
TEST_CASE("the networks' gradients, in the input and in the parameters, are those of central differences") {
  const double t[] = {3};
  const std::vector<Index> label = {1};
  for (const UNetOptions& options : unets()) {
    UNet network(options, 1);
    stir(network.parameters, 0.2);
    const auto run = [&](std::span<const Var> in) {
      return network(in[0], t, options.num_classes > 0 ? std::span<const Index>(label) : std::span<const Index>{},
                     {.training = true});
    };
    CHECK(layer_gradient_error(network.parameters, {noise({1, 4, 8, 1})}, run, 1999) < 1e-6);
  }
  Mlp mlp({.hidden = 6, .depth = 2, .num_classes = 2}, 1);
  stir(mlp.parameters);
  CHECK(layer_gradient_error(
            mlp.parameters, {noise({1, 2})}, [&](std::span<const Var> in) { return mlp(in[0], t, label, {}); }, 13) <
        1e-6);
}
#endif

TEST_CASE("a fresh network predicts zero: its last layer starts there") {
  const double t[] = {3, 4};
  for (const UNetOptions& options : unets()) {
    if (options.num_classes > 0) continue;
    const Tensor y = UNet(options, 1)(noise({2, 4, 6, 1}), t, {}, {}).value();
    CHECK(y.shape() == Shape{2, 4, 6, 2});
    CHECK(difference(y, Tensor::zeros(y.shape())) == 0);
  }
}

TEST_CASE("a sample's answer does not depend on the samples beside it") {
  UNet network(unets().front(), 1);
  stir(network.parameters, 0.1);
  const double t[] = {3, 700};
  const Tensor x = noise({2, 8, 8, 1});
  const Tensor both = network(x, t, {}, {}).value();
  const Tensor second = network(x.rows(1, 2), std::span(t).subspan(1), {}, {}).value();
  CHECK(difference(both.rows(1, 2), second) < tolerance(1e-12, 1e-4));
}

TEST_CASE("what a network can't take, it says") {
  const UNet plain(unets()[0], 1), classes(unets()[1], 1);
  const double t[] = {3};
  const std::vector<Index> good = {2}, bad = {3};
  CHECK(contains(error_of([&] { plain(noise({1, 5, 4, 1}), t, {}, {}); }), "can't be halved"));
  CHECK(contains(error_of([&] { plain(noise({1, 4, 4, 3}), t, {}, {}); }), "wants [N,H,W,1]"));
  CHECK(contains(error_of([&] { plain(noise({1, 4, 4, 1}), t, good, {}); }), "without classes"));
  CHECK(contains(error_of([&] { classes(noise({1, 4, 4, 1}), t, {}, {}); }), "class labels"));
  CHECK(error_of([&] { classes(noise({1, 4, 4, 1}), t, good, {}); }) == "nothing");
  CHECK(contains(error_of([&] { classes(noise({1, 4, 4, 1}), t, bad, {}); }), "embedding"));
}

TEST_CASE("a configuration that does not fit the data is refused") {
  Config config;
  config.model.attention_resolutions = {7};
  const auto made = [&](Shape shape, std::vector<std::string> classes) {
    return error_of([&] { make_network(config, {shape, classes}); });
  };
  CHECK(made({28, 28, 1}, {}) == "nothing");
  CHECK(contains(made({30, 28, 1}, {}), "multiples of 4"));
  CHECK(contains(made({2}, {}), "want mlp"));
  CHECK(contains(made({32, 32, 1}, {}), "never 7 pixels high"));
  config.model.class_conditional = true;
  CHECK(contains(made({28, 28, 1}, {}), "no labels"));
  config.model.class_conditional = false, config.model.network = "mlp";
  CHECK(contains(made({28, 28, 1}, {}), "want unet"));
}
