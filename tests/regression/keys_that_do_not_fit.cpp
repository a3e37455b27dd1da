// Sizes that don't go together failed deep inside a network, without the key; lint took a minute for long runs.
#include <doctest/doctest.h>

#include <chrono>

#include "data/image_set.h"
#include "data/toy.h"
#include "diffusion/training/lint.h"
#include "nn/optimizer.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

// The error of building a model for images of 28 x 28, after check_config, and whether it is the user's.
std::string refusal(const std::vector<std::string>& settings) {
  Config config;
  try {
    set_config(config, settings);
    check_config(config);
    build_model(config, {{28, 28, 1}, {"a", "b"}});
  } catch (const UsageError& error) {
    return error.what();
  } catch (const std::exception& error) {
    return concat("not a UsageError: ", error.what());
  }
  return "nothing";
}

}  // namespace

TEST_CASE("keys that don't fit one another or the data are named, with values that would fit") {
  struct Case {
    std::vector<std::string> settings;
    std::string key, fits;
  };
  for (const Case& c : std::vector<Case>{
           {{"model.num_heads=5"}, "`model.num_heads`", "1, 2, 4, 8, 16, 32, 64"},
           {{"model.num_heads=64", "model.attention_resolutions=[28]"}, "`model.num_heads`", "1, 2, 4, 8, 16, 32"},
           {{"model.num_heads=0"}, "`model.num_heads`", "at least 1"},
           {{"model.num_head_channels=48"}, "`model.num_head_channels`", "1, 2, 4, 8, 16, 32, 64"},
           {{"model.num_head_channels=0"}, "`model.num_head_channels`", "-1"},
           {{"model.channels=48"}, "`model.channels`", "multiple of 32"},
           {{"model.channel_mult=[1, 1.25]"}, "`model.channel_mult`", "multiples of 32"},
           {{"model.channel_mult=[1, 1, 1, 1]"}, "`model.channel_mult`", "24x24 or 32x32 would fit"},
           {{"model.attention_resolutions=[10]"}, "`model.attention_resolutions`", "28, 14, 7"},
           {{"model.attention_resolutions=[0]"}, "`model.attention_resolutions`", "28, 14, 7"},
           {{"model.channels=65536", "model.channel_mult=[1, 1, 1]"}, "model.channels", "4e+09"},
           {{"model.network=dit", "model.num_heads=3"}, "`model.num_heads`", "1, 2, 4, 8"},
           {{"model.network=dit", "model.patch_size=3"}, "`model.patch_size`", "1, 2, 4, 7, 14, 28"},
           {{"model.network=dit", "model.patch_size=56"}, "`model.patch_size`", "1, 2, 4, 7, 14, 28"},
           {{"model.network=dit", "model.hidden=16384", "model.depth=1000"}, "model.depth", "4e+09"},
           {{"train.steps=1000000000000000000"}, "`train.steps`", "1000000000"},
           {{"train.batch_size=1000000000000"}, "`train.batch_size`", "1000000"},
           {{"train.timestep_sampler=loss_second_moment", "train.timestep_sampler_parameters={ history = 1e300 }"},
            "history",
            "1000"},
           {{"train.timestep_sampler=loss_second_moment", "train.timestep_sampler_parameters={ history = 2.5 }"},
            "history",
            "whole number"}}) {
    CAPTURE(c.settings.front());
    const std::string error = refusal(c.settings);
    CAPTURE(error);
    CHECK(!contains(error, "not a UsageError"));
    CHECK(contains(error, c.key));
    CHECK(contains(error, c.fits));
  }
  CHECK(refusal({"model.num_heads=64"}) == "nothing");  // only where there is attention: at 64 channels
  CHECK(refusal({"model.num_heads=5", "model.num_head_channels=32"}) == "nothing");
}

TEST_CASE("the share of the start in an average is found at once, and is the product of the rates") {
  for (const double rate : {0.0, 0.05, 0.5, 0.9, 0.999, 0.9999}) {
    for (const Index updates : {0, 1, 7, 300, 20000}) {
      double share = 1;
      for (Index i = 1; i <= updates; ++i)
        share *= std::min(rate, (1 + static_cast<double>(i)) / (10 + static_cast<double>(i)));
      CHECK(Ema::share_of_start(rate, true, updates) == doctest::Approx(share).epsilon(1e-9));
    }
  }
  Config config;
  config.train.steps = 1'000'000'000;
  config.train.ema_rates = {0.999, 1 - 1e-15};
  const auto start = std::chrono::steady_clock::now();
  lint(config, ImageSet::from(noise({4, 8, 8, 1})));
  CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 1);
}

TEST_CASE("labels that count from 1, and classes without samples, are warned of") {
  ImageSet set = ImageSet::from(noise({6, 8, 8, 1}));
  set.class_names = {"0", "1", "2"};
  set.labels = {1, 2, 1, 2, 1, 2};
  Config config;
  config.model.class_conditional = true;
  const auto warnings = [&] {
    std::string all;
    for (const std::string& warning : lint(config, set)) all += warning + "\n";
    return all;
  };
  CHECK(contains(warnings(), "count from 1"));
  set.labels = {0, 2, 0, 2, 0, 2};
  CHECK(contains(warnings(), "no samples of class 1 (1) of its 3 classes"));
  set.labels = {0, 1, 2, 0, 1, 2};
  CHECK(!contains(warnings(), "no samples of class"));
}
