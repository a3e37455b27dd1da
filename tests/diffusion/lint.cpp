#include "diffusion/training/lint.h"

#include "data/image_set.h"
#include "data/toy.h"
#include "tensor/kernels/simd/operands.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

// Something of which nothing is to be said.
Config sound() {
  Config c;
  c.data.train = "toy:two_moons";
  c.model.network = "mlp";
  c.diffusion.schedule = "linear";
  c.train.steps = 20000, c.train.batch_size = 50;
  c.sample.clip = false;
  return c;
}

const PointSet& moons() {
  static const PointSet set = toy("two_moons", 200, 1);
  return set;
}

std::string warnings(const Config& config, const Dataset& data = moons()) {
  check_config(config);
  std::string all;
  for (const std::string& warning : lint(config, data)) all += warning + "\n";
  return all;
}

std::string warnings_with(std::initializer_list<const char*> assignments) {
  Config config = sound();
  for (const char* assignment : assignments) set_config(config, assignment);
  return warnings(config);
}

}  // namespace

TEST_CASE("a sound configuration is not warned of") { CHECK(warnings(sound()) == ""); }

TEST_CASE("what will probably be regretted is warned of, with the remedy") {
  CHECK(contains(warnings_with({"train.steps=500", "train.ema_rates=[0.9999]", "train.ema_warmup=false"}),
                 "ema_warmup = true"));
  CHECK(contains(warnings_with({"train.steps=30", "train.ema_rates=[0.9999]", "train.ema_warmup=false"}), "100% of"));
  CHECK(contains(warnings_with({"diffusion.schedule=scaled_linear", "diffusion.steps=500"}),
                 "26% of the data (sqrt of alphas_cumprod) is left"));
  CHECK(contains(warnings_with({"diffusion.schedule=cosine"}), "drifting brightness"));
  CHECK(warnings_with({"diffusion.schedule=cosine", "diffusion.prediction=v"}) == "");
  CHECK(contains(warnings_with({"sample.clip=true"}), "set sample.clip = false"));
  CHECK(contains(warnings_with({"diffusion.formulation=edm"}), "standard deviation is"));
  CHECK(warnings_with({"diffusion.formulation=edm", "diffusion.formulation_parameters={sigma_data=1}"}) == "");
  CHECK(warnings_with({"diffusion.formulation=flow"}) == "");
  CHECK(warnings_with({"diffusion.formulation=continuous"}) == "");
  CHECK(
      contains(warnings_with({"diffusion.formulation=continuous", "diffusion.formulation_parameters={log_snr_min=-5}"}),
               "8.2% of the data"));  // 1 / sqrt(1 + e^5)
  CHECK(contains(warnings_with({"diffusion.variance=learned_range"}), "rescaled_mse"));
  CHECK(contains(warnings_with({"diffusion.loss=kl"}), "loss_second_moment"));
  CHECK(contains(warnings_with({"train.timestep_sampler=loss_second_moment", "train.steps=300"}), "uniform for most"));
  CHECK(contains(warnings_with({"model.class_conditional=true"}), "train.label_dropout"));
  CHECK(contains(warnings_with({"train.batch_size=300"}), "more than once"));
  CHECK(contains(warnings_with({"train.warmup_steps=30000"}), "learning rate"));
  CHECK(contains(warnings_with({"kernels.products=bfloat16"}), "no fast instructions") ==
        !kernels::bfloat16_is_faster());
}

TEST_CASE("pixels that are 0 and 1 instead of 0 to 255 are warned of") {
  ImageSet set;
  set.count = 2, set.height = 4, set.width = 4, set.channels = 1;
  for (int i = 0; i < 32; ++i) set.images.push_back(static_cast<std::uint8_t>(i % 2));
  Config config = sound();
  config.train.batch_size = 2;
  CHECK(contains(warnings(config, set), "0 and 1, rather than 0 to 255"));
}

TEST_CASE("mirrored digits, letters and captions that say left or right are warned of; other classes are not") {
  ImageSet set;
  set.count = 2, set.height = set.width = set.channels = 1;
  set.images = {0, 255};
  set.labels = {0, 1};
  Config config = sound();
  config.train.batch_size = 2;
  config.train.augmentation.flip = true;
  set.class_names = {"6", "9"};
  CHECK(contains(warnings(config, set), "the classes are called \"6\" to \"9\""));
  set.class_names = {"cat", "dog"};
  CHECK(!contains(warnings(config, set), "data.flip mirrors"));
  set.captions = {"a cat", "a dog left of a cat"};
  CHECK(contains(warnings(config, set), "(\"a dog left of a cat\")"));
  config.train.augmentation = {.shift = 2, .rotation = 10};
  CHECK(!contains(warnings(config, set), "data.flip mirrors"));
}
