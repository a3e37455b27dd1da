// NaN became black pixels, and was sorted, which is undefined.
#include <doctest/doctest.h>

#include "data/grid.h"
#include "data/image_set.h"
#include "data/point_set.h"
#include "data/scatter.h"
#include "data/toy.h"
#include "diffusion/evaluation/evaluation.h"
#include "diffusion/metrics/bootstrap.h"
#include "diffusion/metrics/frechet.h"
#include "diffusion/metrics/kernel_distance.h"
#include "diffusion/metrics/memorisation.h"
#include "diffusion/metrics/modes.h"
#include "diffusion/metrics/prdc.h"
#include "diffusion/samplers/guidance.h"
#include "tests/diffusion/configured_trainer.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

DiffusionModel small_unet() {
  Config config;
  config.model.channel_mult = {1}, config.model.num_res_blocks = 1, config.model.attention_resolutions = {};
  config.diffusion.steps = 40;
  return build_model(config, {{8, 8, 1}, {}});
}

// A model whose last convolution holds NaN.
DiffusionModel broken_unet() {
  DiffusionModel model = small_unet();
  TensorList weights = model.network().parameters.clone_values();
  weights.back().values()[0] = static_cast<real>(not_a_number);
  model.network().parameters.exchange(std::move(weights));
  return model;
}

}  // namespace

TEST_CASE("sampling names the sampling step and the sample of a NaN, for every sampler") {
  const DiffusionModel model = broken_unet();
  for (const Sampler& sampler : samplers()) {
    CAPTURE(sampler.name);
    SampleRequest request;
    request.sampler = sampler.name;
    request.count = 2, request.steps = 3;
    for (const double threshold : {0.0, 0.9}) {
      request.dynamic_threshold = threshold;
      const std::string error = error_of([&] { generate(model, request); });
      CHECK_MESSAGE(contains(error, "for sample 0"), error);
      CHECK_MESSAGE(contains(error, "sampling step 1 "), error);
    }
  }
  SampleRequest request;
  request.count = 2;
  CHECK(contains(error_of([&] { encode(model, noise({2, 8, 8, 1}), request); }), "in sampling step 1 "));
}

TEST_CASE("noise that would bury every image is refused, and a start that overflows") {
  SampleRequest request;
  request.sampler = "euler_ancestral", request.count = 2, request.steps = 4;
  request.sampler_parameters = {{"s_noise", 1e308}};
  CHECK(contains(error_of([&] { generate(small_unet(), request); }), "s_noise is 1e+308; it must be from 0 to 100"));
  request.sampler_parameters.clear();
  request.start = Tensor::full({2, 8, 8, 1}, std::numeric_limits<real>::max());
  CHECK(contains(error_of([&] { generate(small_unet(), request); }), "in sampling step 1 "));
}

TEST_CASE("the variational bound and the likelihood name the sample of a NaN") {
  const ImageSet images = ImageSet::from(Tensor::zeros({2, 8, 8, 1}));
  const DiffusionModel model = broken_unet();
  CHECK(contains(error_of([&] { evaluate_bound(model, images, 2, 0, true); }), "image 0"));
  CHECK(contains(error_of([&] { evaluate_likelihood(model, images, 2, {.probes = 1}); }), "has to be finite"));
}

TEST_CASE("a checkpoint whose weights hold NaN is named") {
  Config config;
  config.model.network = "mlp", config.model.hidden = 8, config.model.depth = 1;
  config.train.batch_size = 4;
  const PointSet data = toy("swiss_roll", 16, 0);
  const ConfiguredTrainer trainer(config, data);
  Checkpoint checkpoint = trainer.checkpoint();
  TensorMap& weights = checkpoint.state.tensors.at("weights");
  Tensor broken = weights.begin()->second.clone();
  broken.values()[1] = std::numeric_limits<real>::infinity();
  weights.begin()->second = broken;
  const std::string error = error_of([&] { model_of(checkpoint, "raw", "run/checkpoint.h5"); });
  CHECK(contains(error, "run/checkpoint.h5: is damaged: `weights/" + weights.begin()->first + "`: value 1 of"));
  CHECK(error_of([&] { model_of(checkpoint, "ema", "run/checkpoint.h5"); }) == "nothing");
}

TEST_CASE("NaN becomes no pixel and no dot, and is not sorted") {
  Tensor images = Tensor::zeros({2, 4, 4, 1}), points = noise({20, 2}), good = noise({20, 2}, 1);
  images.values()[17] = points.values()[7] = static_cast<real>(not_a_number);
  CHECK(contains(error_of([&] { ImageSet::from(images); }), "value 17"));
  CHECK(contains(error_of([&] { grid(images); }), "value 17"));
  for (const auto& [what, action] : std::initializer_list<std::pair<const char*, std::function<void()>>>{
           {"scatter", [&] { scatter(points); }},
           {"prdc", [&] { prdc(points, good, 3); }},
           {"prdc of samples", [&] { prdc(good, points, 3); }},
           {"memorisation", [&] { memorisation(points, good, good); }},
           {"memorisation of training data", [&] { memorisation(good, good, points); }},
           {"kernel distance", [&] { KernelDistance(good, points); }},
           {"moments", [&] { moments(points); }},
           {"clusters", [&] { clusters(points, std::vector<Index>(20), 1); }}}) {
    CHECK_MESSAGE(contains(error_of(action), "value 7 of [20,2] is"), what);
  }
  CHECK(contains(error_of([&] { bootstrap_interval(0, 9, [&](Index i) { return i == 4 ? not_a_number : 0; }); }),
                 "replicate 4"));
  CHECK(contains(error_of([&] { bootstrap_interval(not_a_number, 9, [&](Index) { return 0.0; }); }), "the estimate"));
  const Tensor limited = dynamic_threshold(points, 0.5);
  CHECK(std::isnan(limited[7]));  // for the sampler to find
}

TEST_CASE("the kernel distance of resamples that hold a single row is finite") {
  const Tensor points = noise({3, 2});
  const std::vector<double> once{0, 3, 0}, all{1, 1, 1};
  CHECK(std::isfinite(KernelDistance(points, points).estimate(once, all)));
}
