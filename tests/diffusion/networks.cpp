#include <doctest/doctest.h>

#include <set>

#include "autograd/flops.h"
#include "autograd/op_case.h"
#include "diffusion/formulations/losses.h"
#include "diffusion/model/config.h"
#include "diffusion/networks/dit.h"
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
  UNetOptions captions = plain;
  captions.text = {.tokens = 5, .length = 3, .width = 8, .depth = 1, .heads = 2};
  return {plain, additive, pooled, blocks, captions};
}

constexpr DitOptions small_dit{.in_channels = 1,
                               .out_channels = 2,
                               .patch_size = 2,
                               .hidden = 8,
                               .depth = 2,
                               .num_heads = 2,
                               .mlp_ratio = 1.5,
                               .num_classes = 3,
                               .frequency_dim = 6};

DitOptions captioned_dit() {
  DitOptions options = small_dit;
  options.num_classes = 0;
  options.text = {.tokens = 5, .length = 3, .width = 8, .depth = 1, .heads = 2};
  return options;
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
      CHECK(flops(r).forward >= 0);
    }
  };
  const double t[] = {1, 8};
  const std::vector<Index> steps = {0, 8}, labels = {2, 0, 1, 1, 0, 2};
  const auto check_steps = [&](const Network& network) {
    for (const Loss& loss : losses()) {
      const Process process(make_schedule("cosine", 10), MeanType::v, VarianceType::learned_range);
      Tape tape;
      const Var x0 = tape.constant(noise({2, 4, 4, 1}, 0)), e = tape.constant(noise({2, 4, 4, 1}, 1));
      const Var x_t = process.q_sample(x0, steps, e);
      const Var y = network(x_t, t, std::span(labels).first(2 * network.labels_per_sample()), {.training = true});
      sum(loss.terms({process, steps, x0, x_t, e, y}, {}).loss);
      require_checked(tape);
    }
  };
  for (const UNetOptions& options : unets()) check_steps(UNet(options, 1));
  check_steps(Dit(small_dit, 1));
  check_steps(Dit(captioned_dit(), 1));
  Tape tape;
  const Mlp mlp({.num_classes = 3}, 1);
  mse(mlp(tape.constant(noise({2, 2})), t, std::span(labels).first(2), {}), tape.constant(noise({2, 2}, 1)));
  require_checked(tape);
}

#ifdef REVERIE_DOUBLE
TEST_CASE("the networks' gradients, in the input and in the parameters, are those of central differences") {
  const double t[] = {3};
  const std::vector<Index> labels = {1, 2, 0}, label = {1};
  for (const UNetOptions& options : unets()) {
    UNet network(options, 1);
    stir(network.parameters, 0.2);
    const auto run = [&](std::span<const Var> in) {
      return network(in[0], t, std::span(labels).first(network.labels_per_sample()), {.training = true});
    };
    CHECK(layer_gradient_error(network.parameters, {noise({1, 4, 8, 1})}, run, 1999) < 1e-6);
  }
  for (const DitOptions& options : {small_dit, captioned_dit()}) {
    Dit dit(options, 1);
    stir(dit.parameters, 0.3);
    CHECK(layer_gradient_error(dit.parameters, {noise({1, 4, 6, 1})}, [&](std::span<const Var> in) {
            return dit(in[0], t, std::span(labels).first(dit.labels_per_sample()), {});
          }) < 1e-6);
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
    if (options.num_classes > 0 || options.text.tokens > 0) continue;
    const Tensor y = UNet(options, 1)(noise({2, 4, 6, 1}), t, {}, {}).value();
    CHECK(y.shape() == Shape{2, 4, 6, 2});
    CHECK(difference(y, Tensor::zeros(y.shape())) == 0);
  }
  const std::vector<Index> labels = {0, 2};
  const Tensor y = Dit(small_dit, 1)(noise({2, 4, 6, 1}), t, labels, {}).value();
  CHECK(y.shape() == Shape{2, 4, 6, 2});
  CHECK(difference(y, Tensor::zeros(y.shape())) == 0);
}

TEST_CASE("a transformer block starts as the identity, whatever the condition") {
  ParameterStore store(3);
  const TransformerBlock block(store.root(), 8, 2, 16);
  const Tensor z = noise({2, 5, 8}), condition = noise({2, 8}, 1);
  CHECK(difference(block(z, condition).value(), z) == 0);
  CHECK(contains(error_of([&] { TransformerBlock(store.root() / "other", 8, 3, 16); }), "do not divide into 3 heads"));
}

TEST_CASE("tokens know their place: column in the first half of the channels, row in the second; sines, then cosines") {
  const Tensor e = grid_embedding(2, 3, 8);
  CHECK(e.shape() == Shape{6, 8});
  const real* at = e.rows(5, 6).data();  // row 1, column 2
  const double want[] = {std::sin(2.0), std::sin(0.02), std::cos(2.0), std::cos(0.02),
                         std::sin(1.0), std::sin(0.01), std::cos(1.0), std::cos(0.01)};
  for (int i = 0; i < 8; ++i) CHECK(at[i] == doctest::Approx(want[i]));
}

TEST_CASE("a patch of a DiT's answer is where the patch of the image was") {
  Dit dit(small_dit, 1);
  stir(dit.parameters, 0.3);
  const double t[] = {3};
  const std::vector<Index> label = {1};
  const auto stamped = [&](Index row, Index column) {  // the answer's change where one patch of the image changes
    Tensor x = noise({1, 4, 6, 1});
    x[row * 6 + column] += real(0.5);
    return (Var(dit(x, t, label, {}).value()) - Var(dit(noise({1, 4, 6, 1}), t, label, {}).value())).value();
  };
  const auto strongest = [](const Tensor& change) {  // row and column of the pixel that changed most
    Index best = 0;
    for (Index i = 0; i < change.size(); ++i)
      if (std::abs(change[i]) > std::abs(change[best])) best = i;
    return std::pair{best / 2 / 6, best / 2 % 6};
  };
  for (const auto& [row, column] : {std::pair<Index, Index>{0, 0}, {3, 5}, {1, 4}}) {
    const auto [r, c] = strongest(stamped(row, column));
    CHECK(r / 2 == row / 2);
    CHECK(c / 2 == column / 2);
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
  CHECK(contains(error_of([&] { plain(noise({1, 4, 4, 3}), t, {}, {}); }), "expects [N,H,W,1]"));
  CHECK(contains(error_of([&] { plain(noise({1, 4, 4, 1}), t, good, {}); }), "without classes"));
  CHECK(contains(error_of([&] { classes(noise({1, 4, 4, 1}), t, {}, {}); }), "class labels"));
  CHECK(error_of([&] { classes(noise({1, 4, 4, 1}), t, good, {}); }) == "nothing");
  CHECK(contains(error_of([&] { classes(noise({1, 4, 4, 1}), t, bad, {}); }), "embedding"));
  UNetOptions fraction = unets()[0];
  fraction.channel_mult = {1, 1.3};
  CHECK(contains(error_of([&] { UNet(fraction, 1); }), "32 channels times 1.3 are 41.6"));
  fraction.model_channels = 64, fraction.channel_mult = {0.5, 1};
  CHECK(error_of([&] { UNet(fraction, 1); }) == "nothing");
  fraction.num_head_channels = 48;
  CHECK(contains(error_of([&] { UNet(fraction, 1); }), "64 channels do not divide into heads of 48"));

  const Dit dit(small_dit, 1);
  CHECK(contains(error_of([&] { dit(noise({1, 4, 5, 1}), t, good, {}); }), "patches of 2x2"));
  CHECK(contains(error_of([&] { dit(noise({1, 4, 4, 3}), t, good, {}); }), "expects [N,H,W,1]"));
  CHECK(contains(error_of([&] { dit(noise({1, 4, 4, 1}), t, {}, {}); }), "class labels"));
  DitOptions odd = small_dit;
  odd.hidden = 6;
  CHECK(contains(error_of([&] { Dit(odd, 1); }), "multiple of 4"));
  odd = small_dit, odd.num_heads = 3;
  CHECK(contains(error_of([&] { Dit(odd, 1); }), "do not divide into 3 heads"));
  odd = small_dit, odd.patch_size = 0;
  CHECK(contains(error_of([&] { Dit(odd, 1); }), "patch size"));
}

TEST_CASE("a configuration that does not fit the data is refused") {
  Config config;
  config.model.attention_resolutions = {7};
  const auto made = [&](Shape shape, std::vector<std::string> classes) {
    return error_of([&] { make_network(config.model, {shape, classes}, VarianceType::fixed_small, false, 0); });
  };
  CHECK(made({28, 28, 1}, {}) == "nothing");
  CHECK(
      contains(made({30, 29, 1}, {}),
               "images of 30x29 can't be halved 2 times (`model.channel_mult` has 3 levels); images of 28x28 or 32x32 "
               "would fit, or a single level"));
  CHECK(contains(made({2, 50, 1}, {}), "images of 4x48 or 4x52 would fit, or at most 2 levels"));
  CHECK(contains(made({2}, {}), "need mlp"));
  CHECK(contains(made({32, 32, 1}, {}),
                 "has 7, but this network sees images of 32x32 only at heights of 32, "
                 "16, 8: choose among them, e.g. [8]; 7 would fit images with a height of 7, "
                 "14, 28"));
  config.model.class_conditional = true;
  CHECK(contains(made({28, 28, 1}, {}), "no labels"));
  config.model.class_conditional = false, config.model.network = "mlp";
  CHECK(contains(made({28, 28, 1}, {}), "need unet or dit"));
  config.model.network = "dit", config.model.patch_size = 4;
  CHECK(made({28, 28, 1}, {}) == "nothing");
  CHECK(contains(made({30, 28, 1}, {}), "patches of 4x4"));
  CHECK(contains(made({2}, {}), "need mlp"));
}

TEST_CASE("the class table has a row for \"none\" where training hides labels, and only there") {
  Config config;
  config.model.network = "dit", config.model.class_conditional = true;
  const auto rows = [&](bool null_class) {
    return make_network(config.model, {{4, 4, 1}, {"a", "b"}}, VarianceType::fixed_small, null_class, 0)
        ->parameters.find("y_embedder.embedding_table.weight")
        ->value.extent(0);
  };
  CHECK(rows(false) == 2);
  CHECK(rows(true) == 3);
  CHECK(!build_model(config, {{4, 4, 1}, {"a", "b"}}).has_null_class());
  config.train.label_dropout = 0.1;
  CHECK(build_model(config, {{4, 4, 1}, {"a", "b"}}).has_null_class());
}

TEST_CASE("every network of the table reads keys that there are, and refuses what can't be") {
  Config config;
  std::set<std::string> keys;
  for (const ConfigField& field : config_fields(config)) keys.insert(field.key);
  for (const NetworkKind& network : networks()) {
    CAPTURE(network.name);
    for (const char* key : network.keys) CHECK(keys.contains(concat("model.", key)));
    CHECK(error_of([&] { network.check(config.model); }) == "nothing");
  }
  NetworkOptions model;
  model.hidden = 126;
  CHECK(contains(error_of([&] { find_network("dit").check(model); }), "`model.hidden` must be a multiple of 4"));
  model.hidden = 20, model.num_heads = 3;
  CHECK(contains(error_of([&] { find_network("dit").check(model); }), "`model.num_heads` must divide the 20 channels"));
  model.channel_mult = {1, 1.5};
  CHECK(contains(error_of([&] { find_network("unet").check(model); }), "`model.channel_mult`"));
  CHECK(contains(error_of([] { find_network("gan"); }), "unet, dit, mlp"));
}
