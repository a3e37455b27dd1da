#include "data/image_set.h"
#include "diffusion/evaluation/evaluation.h"
#include "diffusion/training/resume.h"
#include "tests/diffusion/helpers.h"
#include "tests/nn/layer_gradcheck.h"

using namespace reverie;
using doctest::Approx;

namespace {

Config enlarging(const std::string& network = "unet") {
  Config c;
  c.model.network = network;
  c.model.channel_mult = {1}, c.model.num_res_blocks = 1, c.model.attention_resolutions = {};
  c.model.hidden = 16, c.model.depth = 1, c.model.frequency_dim = 8;
  c.model.low_resolution = 2;
  c.diffusion.prediction = "v";
  c.diffusion.steps = 20;
  c.train.batch_size = 8;
  c.train.learning_rate.warmup_steps = 0;
  return c;
}

// Pictures of one brightness each: all of it is in the reduced picture.
ImageSet plain_pictures() {
  ImageSet set;
  set.count = 32, set.height = set.width = 4, set.channels = 1;
  for (Index i = 0; i < set.count; ++i) set.images.insert(set.images.end(), 16, static_cast<std::uint8_t>(8 * i));
  return set;
}

}  // namespace

TEST_CASE("the reduced picture: means of areas, each repeated over its area") {
  const DiffusionModel model = build_model(enlarging(), {{4, 4, 1}, {}});
  Tensor x0 = Tensor::zeros({1, 4, 4, 1});
  for (Index i = 0; i < 16; ++i) x0[i] = static_cast<real>(i);
  const Tensor picture = model.picture_of(x0);
  for (const Index i : {0, 1, 4, 5}) CHECK(static_cast<double>(picture[i]) == Approx((0 + 1 + 4 + 5) / 4.0));
  for (const Index i : {10, 11, 14, 15}) CHECK(static_cast<double>(picture[i]) == Approx((10 + 11 + 14 + 15) / 4.0));
  Config plain = enlarging();
  plain.model.low_resolution = 0;
  CHECK(!build_model(plain, {{4, 4, 1}, {}}).picture_of(x0).defined());
}

#ifdef REVERIE_DOUBLE
TEST_CASE("gradients of networks that are given a picture are those of central differences") {
  for (const char* name : {"unet", "dit"}) {
    CAPTURE(std::string(name));
    DiffusionModel model = build_model(enlarging(name), {{4, 4, 2}, {}});
    stir(model.network().parameters);
    const Tensor picture = model.picture_of(noise({2, 4, 4, 2}, 1));
    const double t[] = {1, 8};
    CHECK(layer_gradient_error(
              model.network().parameters, {noise({2, 4, 4, 2})},
              [&](std::span<const Var> in) { return model(in[0], t, {}, {}, picture); }, 97) < 1e-6);
  }
}
#endif

TEST_CASE("training learns to enlarge: a sample has its picture's brightness; so do a checkpoint's, and the bound") {
  const ImageSet set = plain_pictures();
  Config config = enlarging();
  config.train.learning_rate.base = 3e-3, config.train.steps = 150;
  config.train.ema_rates = {};
  config.train.low_resolution_noise = 0.01;
  Trainer trainer(build_model(config, facts_of(set)), set, config.train);
  for (Index i = 0; i < config.train.steps; ++i) trainer.step();
  SampleRequest request = default_request(config);
  choose_sampler(request, "ddim");
  request.count = 32;
  borrow_conditions(request, trainer.model(), set);
  REQUIRE(request.small.shape() == Shape{32, 2, 2, 1});
  const Tensor x = generate(trainer.model(), request).x;
  const auto error = [&](const Tensor& samples, Index shift) {
    double sum = 0;
    for (Index i = 0; i < 32; ++i)
      for (Index pixel = 0; pixel < 16; ++pixel)
        sum += std::abs(static_cast<double>(samples[16 * i + pixel] - request.small[(i + shift) % 32 * 4])) / 512;
    return sum;
  };
  CHECK(error(x, 0) < 0.15);
  CHECK(error(x, 7) > 0.3);

  const DiffusionModel again = model_of(checkpoint_of(trainer, config), "raw", "the run");
  CHECK(again.low_resolution() == 2);
  CHECK(difference(generate(again, request).x, x) == 0);
  const BoundEvaluation bound = evaluate_bound(again, set, 8, 0, true);
  CHECK(bound.total.value < 5);  // a uniform brightness takes 8 bits for a pixel
  CHECK(std::isfinite(trainer.validation_loss(set)));
}

TEST_CASE("guidance gives each picture to both halves of its batch; requests without pictures, or with, are refused") {
  Config config = enlarging();
  config.model.class_conditional = true;
  config.train.label_dropout = 0.1;
  DiffusionModel model = build_model(config, {{4, 4, 1}, {"a", "b"}});
  stir(model.network().parameters);
  SampleRequest request = default_request(config);
  choose_sampler(request, "ddim");
  request.count = 2, request.steps = 3;
  request.small = noise({2, 2, 2, 1});
  const Tensor plain = generate(model, request).x;
  request.guidance = 1 + 1e-9;
  CHECK(difference(generate(model, request).x, plain) < tolerance(1e-6, 1e-3));
  const auto refused = [&](const Tensor& small, const DiffusionModel& by) {
    SampleRequest other = request;
    other.small = small;
    return error_of([&] { generate(by, other); });
  };
  CHECK(contains(refused({}, model), "enlarges pictures by a factor of 2"));
  CHECK(contains(refused(noise({2, 4, 4, 1}), model), "[2,4,4,1]"));
  config.model.low_resolution = 0;
  CHECK(contains(refused(request.small, build_model(config, {{4, 4, 1}, {"a", "b"}})), "wasn't trained to enlarge"));
  config.model.low_resolution = 3;
  CHECK(contains(error_of([&] { build_model(config, {{4, 4, 1}, {"a", "b"}}); }), "these fit: 1, 2, 4"));
  config.model.low_resolution = 1;
  CHECK(contains(error_of([&] { check_config(config); }), "model.low_resolution"));
  config.model.low_resolution = 2, config.model.network = "mlp";
  CHECK(contains(error_of([&] { check_config(config); }), "unet or dit"));
  config.model.low_resolution = 0, config.train.low_resolution_noise = 0.1;
  CHECK(contains(error_of([&] { check_config(config); }), "needs model.low_resolution"));
  config = enlarging();
  config.model.low_resolution = 0, config.train.low_resolution_noise = 0.1;
  const ImageSet set = plain_pictures();
  CHECK(
      contains(error_of([&] { Trainer(build_model(config, facts_of(set)), set, config.train); }), "requires a model"));
}
