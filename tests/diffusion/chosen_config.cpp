// Configurations that are chosen for a data set: they fit it, whatever it is, and follow what is set.
#include "diffusion/training/chosen_config.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "data/subset.h"
#include "diffusion/training/lint.h"
#include "diffusion/training/trainer.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

// A set with a shape, a number of samples and classes, and no pixels of its own.
struct Grey : Dataset {
  Index count;
  Shape shape;
  Grey(Index samples, const Shape& sample, Index classes = 0, bool with_captions = false)
      : count(samples), shape(sample) {
    for (Index k = 0; k < classes; ++k) class_names.push_back(concat("class ", k));
    for (Index i = 0; i < count && classes > 0; ++i) labels.push_back(i % classes);
    for (Index i = 0; i < count && with_captions; ++i) captions.push_back(concat("picture ", i % 10));
  }
  Index size() const override { return count; }
  Shape sample_shape() const override { return shape; }
  Tensor batch(std::span<const Index> indices) const override {
    const Index n = std::ssize(indices);
    return normal({.stream = Stream::probe}, shape.rank() == 1 ? Shape{n, 2} : Shape{n, shape[0], shape[1], shape[2]});
  }
};

std::string reason(const ChosenConfig& chosen, const std::string& key) {
  for (const auto& choice : chosen.choices)
    if (choice.key == key) return choice.reason;
  return "not chosen";
}

}  // namespace

TEST_CASE("for every shape and number of samples, the chosen configuration is valid and builds a model") {
  for (const Shape& shape :
       {Shape{28, 28, 1}, Shape{32, 32, 3}, Shape{48, 64, 3}, Shape{100, 100, 3}, Shape{64, 64, 1}, Shape{128, 96, 3},
        Shape{8, 8, 1}, Shape{16, 16, 2}, Shape{32, 32, 4}, Shape{27, 27, 1}, Shape{45, 30, 3}, Shape{50, 50, 3},
        Shape{90, 90, 1}, Shape{31, 37, 1}, Shape{1, 4, 1}, Shape{5, 3, 2}, Shape{256, 256, 3}, Shape{2}}) {
    for (const auto& numbers : {std::pair<Index, Index>{1, 0}, {12, 10}, {2000, 10}, {100'000, 0}}) {
      const Index count = numbers.first, classes = numbers.second;
      CAPTURE(shape);
      CAPTURE(count);
      CAPTURE(classes);
      const Grey set(count, shape, classes);
      const ChosenConfig chosen = choose_config(set, {});
      check_config(chosen.config);
      const DiffusionModel model = build_model(chosen.config, facts_of(set));
      CHECK(model.class_conditional() == (classes > 1 && count >= 5 * classes));
      CHECK(chosen.config.train.batch_size <= std::max<Index>(count, 8));
      CHECK(chosen.config.train.steps >= 1000);
      CHECK(chosen.config.train.steps * chosen.config.train.batch_size <= 600'000);
      CHECK(!chosen.choices.empty());
    }
  }
}

TEST_CASE("the usual sizes get a U-Net with a pyramid down to about eight pixels; odd sizes get patches") {
  const auto model = [](const Shape& shape) { return choose_config(Grey(1000, shape), {}).config.model; };
  CHECK(model({28, 28, 1}).channel_mult == std::vector<double>{1, 1, 2});
  CHECK(model({28, 28, 1}).attention_resolutions == std::vector<Index>{14, 7});
  CHECK(model({32, 32, 3}).channel_mult == std::vector<double>{1, 2, 2});
  CHECK(model({32, 32, 3}).attention_resolutions == std::vector<Index>{16, 8});
  CHECK(model({64, 64, 3}).channel_mult == std::vector<double>{1, 2, 2, 2});
  CHECK(model({48, 64, 3}).attention_resolutions == std::vector<Index>{12, 6});
  CHECK(model({100, 100, 3}).attention_resolutions == std::vector<Index>{25});
  CHECK(model({90, 90, 3}).network == "dit");
  CHECK(model({90, 90, 3}).patch_size == 5);
  CHECK(model({27, 27, 1}).network == "dit");
}

TEST_CASE("images that no network suits are refused with a size that would fit") {
  const std::string error = error_of([] { choose_config(Grey(100, {101, 103, 3}), {}); });
  CHECK(contains(error, "images of 101x103"));
  CHECK(contains(error, "a size of 96x96 would fit"));
  CHECK(contains(error, "--size"));
}

TEST_CASE("more samples get more steps; the moving average spans a tenth of the run") {
  const auto train = [](Index count) { return choose_config(Grey(count, {32, 32, 3}), {}).config.train; };
  CHECK(train(12).steps * train(12).batch_size == doctest::Approx(64'000));
  CHECK(train(2000).steps > train(500).steps);
  CHECK(train(100'000).steps * train(100'000).batch_size >= 500'000);
  for (const Index count : {12, 2000, 100'000}) {
    const TrainOptions options = train(count);
    const double span = static_cast<double>(options.steps) * (1 - options.ema_rates.at(0));
    CHECK(span > 6);
    CHECK(span < 16);
  }
}

TEST_CASE("what is set stays, and what depends on it follows") {
  const Grey set(2000, {32, 32, 3}, 10);
  const ChosenConfig chosen = choose_config(
      set, {"train.steps=200", "model.class_conditional=false", "model.channel_mult=[1, 2]", "train.seed=3"});
  CHECK(chosen.config.train.steps == 200);
  CHECK(chosen.config.train.ema_rates == std::vector<double>{0.95});
  CHECK(chosen.config.train.learning_rate.warmup_steps == 10);
  CHECK(!chosen.config.model.class_conditional);
  CHECK(chosen.config.train.label_dropout == 0);
  CHECK(chosen.config.model.attention_resolutions == std::vector<Index>{16});
  CHECK(chosen.config.train.seed == 3);
  CHECK(reason(chosen, "train.steps") == "as set");
  CHECK(reason(chosen, "train.seed") == "as set");
  CHECK(build_model(chosen.config, facts_of(set)).conditional() == false);
  CHECK(choose_config(set, {"model.network=dit"}).config.model.network == "dit");
}

TEST_CASE("captions are learned rather than classes") {
  const Grey set(300, {16, 16, 3}, 3, true);
  const ChosenConfig chosen = choose_config(set, {});
  CHECK(chosen.config.model.text_conditional);
  CHECK(!chosen.config.model.class_conditional);
  CHECK(chosen.config.train.label_dropout > 0);
  check_config(chosen.config);
  CHECK(build_model(chosen.config, facts_of(set)).text_conditional());
}

TEST_CASE("the text has a reason for each chosen key, and reads back as the same configuration") {
  for (const Shape& shape : {Shape{28, 28, 1}, Shape{27, 27, 3}, Shape{2}}) {
    ChosenConfig chosen = choose_config(Grey(500, shape, 4), {"train.seed=8"});
    const std::string text = chosen_text(chosen);
    Config back = parse_config(text, "chosen");
    CHECK(config_text(back) == config_text(chosen.config));
    for (const auto& choice : chosen.choices) {
      CAPTURE(choice.key);
      CHECK(contains(text, "\n" + choice.key.substr(choice.key.find('.') + 1) + " = "));
      CHECK(contains(text, "# " + choice.reason));
    }
  }
}

TEST_CASE("with a checkpoint to start from, architecture, process and sampler are its own, and the text says so") {
  Checkpoint start;
  start.data.sample_shape = {16, 16, 1};
  start.config.model.channel_mult = {1, 2}, start.config.model.attention_resolutions = {8};
  start.config.diffusion.prediction = "x0", start.config.sample.steps = 7, start.config.train.batch_size = 2;
  const Grey set(500, {24, 24, 3}, 3);
  const ChosenConfig chosen = choose_config(set, {"model.dropout=0.3"}, &start);
  CHECK(chosen.config.model.channel_mult == std::vector<double>{1, 2});
  CHECK(chosen.config.model.attention_resolutions == std::vector<Index>{12});
  CHECK(chosen.config.model.dropout == 0.3);
  CHECK(chosen.config.model.class_conditional);
  CHECK(chosen.config.diffusion.prediction == "x0");
  CHECK(chosen.config.sample.steps == 7);
  CHECK(chosen.config.train.batch_size == 64);
  CHECK(chosen.config.train.learning_rate.base < choose_config(set, {}).config.train.learning_rate.base);
  CHECK(reason(chosen, "diffusion.prediction") == "as in the checkpoint");
  CHECK(reason(chosen, "model.dropout") == "as set");
  CHECK(config_text(parse_config(chosen_text(chosen), "chosen")) == config_text(chosen.config));
  CHECK(build_model(chosen.config, facts_of(set)).class_conditional());
}

TEST_CASE("a chosen configuration trains, and has nothing to be warned of but a lack of images") {
  for (const Shape& shape : {Shape{8, 8, 3}, Shape{9, 9, 2}, Shape{2}}) {
    const Grey set(100, shape, 2);
    const ChosenConfig chosen = choose_config(set, {"train.batch_size=4"});
    Trainer trainer(build_model(chosen.config, facts_of(set)), set, chosen.config.train);
    CHECK(std::isfinite(trainer.step().loss));
    for (const std::string& warning : lint(chosen.config, set)) {
      CAPTURE(warning);
      CHECK((contains(warning, "copy") || contains(warning, "the data reaches")));
    }
  }
}

TEST_CASE("few images, each seen often, are warned of; many, or seen seldom, are not") {
  const auto warned = [](Index count, const char* steps) {
    const Grey set(count, {8, 8, 1});
    const auto warnings = lint(choose_config(set, {concat("train.steps=", steps)}).config, set);
    return std::any_of(warnings.begin(), warnings.end(), [](const auto& text) { return contains(text, "copy them"); });
  };
  CHECK(warned(12, "8000"));
  CHECK(warned(500, "1000"));
  CHECK(!warned(500, "100"));
  CHECK(!warned(1000, "9000"));
}
