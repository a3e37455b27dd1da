#include "diffusion/model/config.h"

#include <doctest/doctest.h>

#include "tests/diffusion/helpers.h"

using namespace reverie;

TEST_CASE("what is written reads back the same, key by key") {
  Config config;
  set_config(config, "train.learning_rate=2e-4");
  set_config(config, "model.channel_mult=[1, 3]");
  set_config(config, "train.ema_rates=[0.99, 0.9999]");
  set_config(config, "diffusion.schedule=sigmoid");
  set_config(config, "diffusion.schedule_parameters={ start = -2, tau = 0.7 }");
  set_config(config, "model.class_conditional=true");
  set_config(config, "data.train=\"a \\\"quoted\\\" path\"");
  for (const bool explain : {false, true}) {
    Config again = parse_config(config_text(config, explain), "test");
    const auto want = config_fields(config), got = config_fields(again);
    for (std::size_t i = 0; i < want.size(); ++i) CHECK(field_text(got[i]) == field_text(want[i]));
  }
  CHECK(config.train.learning_rate.base == 2e-4);
  CHECK(config.diffusion.schedule_parameters.at("tau") == 0.7);
}

TEST_CASE("every field has a section, a meaning and a name of its own") {
  Config config;
  std::string before;
  for (const ConfigField& field : config_fields(config)) {
    CHECK(contains(field.key, "."));
    CHECK(!field.meaning.empty());
    CHECK(field.key != before);
    before = field.key;
  }
}

TEST_CASE("a bad configuration is one line that names key, place and remedy") {
  const auto parsed = [](const std::string& text) { return error_of([&] { parse_config(text, "my.toml"); }); };
  CHECK(parsed("[train]\nstepz = 3") == "my.toml: unknown key `train.stepz`; did you mean `train.steps`?");
  CHECK(parsed("[trian]\nsteps = 3") == "my.toml: unknown key `trian.steps`; did you mean `train.steps`?");
  CHECK(parsed("steps = 3") == "my.toml: unknown key `steps`; did you mean `train.steps`?");
  CHECK(parsed("[train]\nsteps = 1.5") == "my.toml: `train.steps` expects a whole number");
  CHECK(parsed("[train]\nsteps = \"many\"") == "my.toml: `train.steps` expects a whole number");
  CHECK(parsed("[model]\nchannel_mult = 2") == "my.toml: `model.channel_mult` expects a list, like [1, 2]");
  CHECK(contains(parsed("[train]\nsteps = \n"), "my.toml:2: "));
  Config config;
  CHECK(error_of([&] { set_config(config, "train.steps"); }) == "--set train.steps: expects key=value");
  CHECK(contains(error_of([&] { set_config(config, "train.batchsize=3"); }), "did you mean `train.batch_size`?"));
  CHECK(contains(error_of([] { load_config("nowhere.toml"); }), "nowhere.toml: can't be read"));
}

TEST_CASE("values that can't be are refused before anything starts") {
  const auto checked = [](const char* assignment) {
    Config config;
    config.data.train = "data";
    check_config(config);
    set_config(config, assignment);
    return error_of([&] { check_config(config); });
  };
  CHECK(contains(checked("diffusion.schedule=linaer"), "linear"));
  CHECK(contains(checked("diffusion.prediction=noise"), "eps"));
  CHECK(contains(checked("train.optimizer=lion"), "adamw"));
  CHECK(contains(checked("train.decay=linear"), "cosine"));
  CHECK(contains(checked("kernels.conv=im2col"), "auto, direct or winograd"));
  CHECK(contains(checked("kernels.products=half"), "float or bfloat16"));
  CHECK(contains(checked("model.channels=40"), "multiple of 32"));
  CHECK(contains(checked("train.batch_size=0"), "train.batch_size"));
  CHECK(contains(checked("train.label_dropout=0.1"), "class_conditional"));
  CHECK(contains(checked("train.ema_rates=[1.5]"), "train.ema_rates"));
  for (const char* assignment : {"train.beta1=1", "train.beta2=-0.1", "train.momentum=1.5", "train.eps=0",
                                 "train.weight_decay=-1", "train.final_fraction=-1", "train.learning_rate=0"}) {
    CHECK(contains(checked(assignment), std::string(assignment).substr(0, std::string(assignment).find('='))));
  }
  CHECK(checked("train.steps=7") == "nothing");
  Config linear;
  linear.data.train = "data", linear.diffusion.schedule = "linear", linear.diffusion.steps = 20;
  CHECK_THROWS_AS(check_config(linear), UsageError);
}

TEST_CASE("a slip of the hand does not fill the memory: numbers have a largest value, and are finite") {
  for (const char* key : {"train.steps", "train.batch_size", "train.shard_size", "train.accumulators",
                          "train.preview_count", "diffusion.steps", "model.channels", "model.num_res_blocks"}) {
    Config config;
    config.data.train = "data";
    set_config(config, std::string(key) + "=32000000000");
    const std::string error = error_of([&] { check_config(config); });
    CHECK(contains(error, std::string_view(key) == "diffusion.steps" ? "schedule" : key));
    CHECK(contains(error, "32000000000"));
  }
  for (const char* network : {"mlp", "dit"}) {
    for (const char* key : {"model.hidden", "model.depth"}) {
      Config config;
      config.data.train = "data", config.model.network = network;
      check_config(config);
      set_config(config, std::string(key) + "=32000000000");
      CHECK(contains(error_of([&] { check_config(config); }), key));
    }
  }
  Config levels;
  levels.data.train = "data", levels.model.channel_mult.assign(70, 1.0);
  CHECK(contains(error_of([&] { check_config(levels); }), "model.channel_mult"));
  for (const char* value : {"nan", "inf", "-inf"}) {
    Config config;
    for (const char* key : {"train.learning_rate", "diffusion.huber", "sample.guidance"})
      CHECK(contains(error_of([&] { set_config(config, concat(key, "=", value)); }), "expects a number"));
    CHECK_THROWS_AS(set_config(config, concat("train.ema_rates=[", value, "]")), UsageError);
    CHECK_THROWS_AS(set_config(config, concat("diffusion.schedule_parameters={ tau = ", value, " }")), UsageError);
  }
}
