// Text that TOML can't hold was trained with and could not be resumed; abbreviations of keys found no suggestion.
#include <doctest/doctest.h>

#include "diffusion/model/config.h"
#include "tests/helpers.h"

using namespace reverie;

TEST_CASE("text that is not UTF-8 is refused at once") {
  Config config;
  for (const char* text : {"\xff.h5", "a\xc3", "\xe2\x82", "\xc0\xaf"}) {
    CHECK(contains(error_of([&] { set_config(config, concat("data.train=", text)); }), "expects text in UTF-8"));
  }
}

TEST_CASE("every other text, and every number, reads back from a written configuration as it was") {
  for (const char* text : {"ä/€/𝄞.h5", "it's", "a\"", "\\", "a\tb", "a\nb", "\x01\x1b[31m", "\x7f", "#", " ", ""}) {
    Config config;
    set_config(config, concat("data.train=", text));
    INFO(text);
    CHECK(config.data.train == text);
    CHECK(parse_config(config_text(config, true), "config.toml").data.train == config.data.train);
  }
  Config config;
  config.train.learning_rate.base = 0.1 + 0.2;
  config.sample.guidance = 1.0 / 3;
  config.train.ema_rates = {0.9999999, 0.99999991};
  const Config read = parse_config(config_text(config), "config.toml");
  CHECK(read.train.learning_rate.base == config.train.learning_rate.base);
  CHECK(read.sample.guidance == config.sample.guidance);
  CHECK(read.train.ema_rates == config.train.ema_rates);
}

TEST_CASE("an unknown key finds the key that it abbreviates, misspells or looks for in the wrong place") {
  const std::pair<const char*, const char*> cases[] = {
      {"train.lr", "train.learning_rate"},
      {"lr", "train.learning_rate"},
      {"optimizer.lr", "train.learning_rate"},
      {"train.wd", "train.weight_decay"},
      {"train.bs", "train.batch_size"},
      {"train.batch", "train.batch_size"},
      {"batchsize", "train.batch_size"},
      {"train.epochs", "train.steps"},
      {"train.max_steps", "train.steps"},
      {"train.num_steps", "train.steps"},
      {"train.iterations", "train.steps"},
      {"train.ema", "train.ema_rates"},
      {"train.ema_rate", "train.ema_rates"},
      {"train.ema_decay", "train.ema_rates"},
      {"train.warmup", "train.warmup_steps"},
      {"train.grad_clip", "train.clip_norm"},
      {"train.clip", "train.clip_norm"},
      {"train.learning-rate", "train.learning_rate"},
      {"train.LearningRate", "train.learning_rate"},
      {"train.optim", "train.optimizer"},
      {"train.log_interval", "train.log_every"},
      {"model.n_heads", "model.num_heads"},
      {"model.layers", "model.depth"},
      {"model.ch_mult", "model.channel_mult"},
      {"diffusion.timesteps", "diffusion.steps"},
      {"diffusion.noise_schedule", "diffusion.schedule"},
      {"sample.cfg_guidance", "sample.guidance"},
      {"data.trian", "data.train"},
      {"data.val", "data.validation"},
      {"train.stepz", "train.steps"},
  };
  for (const auto& [unknown, known] : cases) {
    Config config;
    const std::string error = error_of([&] { set_config(config, concat(unknown, "=1")); });
    CHECK_MESSAGE(contains(error, concat("did you mean `", known, "`?")), error);
  }
}
