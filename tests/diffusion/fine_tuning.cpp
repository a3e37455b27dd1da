// Starting from a checkpoint's weights: what fits is kept, what is matched by name is moved, the rest is new.
#include "diffusion/training/fine_tuning.h"

#include <algorithm>

#include "diffusion/training/resume.h"
#include "diffusion/training/trainer.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

// Images of noise with classes or captions.
struct NoiseSet : Dataset {
  Shape shape;
  Index count = 12;
  NoiseSet(const Shape& sample, std::vector<std::string> classes, std::vector<std::string> texts = {}) : shape(sample) {
    class_names = std::move(classes);
    for (Index i = 0; i < count && !class_names.empty(); ++i) labels.push_back(i % std::ssize(class_names));
    for (Index i = 0; i < count && !texts.empty(); ++i) captions.push_back(texts[i % texts.size()]);
  }
  Index size() const override { return count; }
  Shape sample_shape() const override { return shape; }
  Tensor batch(std::span<const Index> indices) const override {
    return normal({.stream = Stream::probe}, {std::ssize(indices), shape[0], shape[1], shape[2]});
  }
};

Config small_config() {
  Config config;
  config.model.channel_mult = {1, 1}, config.model.num_res_blocks = 1, config.model.attention_resolutions = {4};
  config.train.steps = 3, config.train.batch_size = 4, config.train.ema_rates = {0.5};
  config.train.label_dropout = 0.1;
  return config;
}

Checkpoint trained(Config config, const Dataset& data) {
  Trainer trainer(build_model(config, facts_of(data)), data, config.train);
  for (int i = 0; i < 3; ++i) trainer.step();
  return checkpoint_of(trainer, config);
}

const Tensor& tensor(const DiffusionModel& model, const std::string& name) {
  return model.network().parameters.find(name)->value;
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::equal(a.values().begin(), a.values().end(), b.values().begin());
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

const NoiseSet& cats() {
  static const NoiseSet set({8, 8, 1}, {"cat", "dog", "owl"});
  return set;
}
const Checkpoint& start() {
  static const Checkpoint checkpoint = [] {
    Config config = small_config();
    config.model.class_conditional = true;
    return trained(config, cats());
  }();
  return checkpoint;
}

}  // namespace

TEST_CASE("on the same classes every weight is the checkpoint's average, or its raw weights") {
  const Config& config = start().config;
  for (const std::string weights : {"ema", "raw"}) {
    DiffusionModel model = build_model(config, facts_of(cats()));
    const std::string text = joined(start_from(model, config, start(), weights, "a.h5"));
    const DiffusionModel old = model_of(start(), weights, "a.h5");
    for (const Parameter& p : old.network().parameters.all()) CHECK(equal(tensor(model, p.name), p.value));
    CHECK(contains(text, weights == "ema" ? "the averaged (EMA) weights of a.h5 after 3 steps" : "the raw weights"));
    const Index all = model.network().parameters.element_count();
    CHECK(contains(text, concat("kept ", all, " of ", all, " weights")));
    CHECK(contains(text, "classes: 3 kept (cat, dog, owl)"));
  }
}

TEST_CASE("classes are matched by name: known ones move, others are new, the row of \"no class\" stays the last") {
  Config config = start().config;
  const NoiseSet set({8, 8, 1}, {"ant", "owl", "bee", "cat"});
  DiffusionModel model = build_model(config, facts_of(set));
  const Tensor fresh = tensor(model, "label_emb.weight").clone();
  const std::string text = joined(start_from(model, config, start(), "ema", "a.h5"));
  CHECK(contains(text, "classes: 2 kept (owl, cat), 2 new (ant, bee), 1 dropped (dog)"));
  const DiffusionModel old = model_of(start(), "ema", "a.h5");
  const Tensor& table = tensor(model, "label_emb.weight");
  const Tensor& before = tensor(old, "label_emb.weight");
  const auto row = [](const Tensor& t, Index i) { return t.rows(i, i + 1); };
  CHECK(equal(row(table, 0), row(fresh, 0)));
  CHECK(equal(row(table, 1), row(before, 2)));
  CHECK(equal(row(table, 2), row(fresh, 2)));
  CHECK(equal(row(table, 3), row(before, 0)));
  CHECK(equal(row(table, 4), row(before, 3)));
  CHECK(equal(tensor(model, "out.2.weight"), tensor(old, "out.2.weight")));
}

TEST_CASE("other channels: the first and the last layer are new, which is said; all else is kept") {
  const Config& config = start().config;
  const NoiseSet set({8, 8, 3}, {"cat", "dog", "owl"});
  DiffusionModel model = build_model(config, facts_of(set));
  const std::string text = joined(start_from(model, config, start(), "ema", "a.h5"));
  CHECK(contains(text, "new, for another number of channels: input_blocks.0.0.weight ([32,1,3,3] becomes [32,3,3,3])"));
  CHECK(contains(text, "out.2.bias ([1] becomes [3])"));
  const DiffusionModel old = model_of(start(), "ema", "a.h5");
  CHECK(
      equal(tensor(model, "input_blocks.1.0.in_layers.2.weight"), tensor(old, "input_blocks.1.0.in_layers.2.weight")));
}

TEST_CASE("another size of image fits a U-Net: attention stays at its level") {
  Config config;
  config.model.class_conditional = true, config.train.label_dropout = 0.1;
  const NoiseSet set({24, 16, 1}, {"cat", "dog", "owl"});
  take_architecture(config, start(), set.shape, {"model.dropout=0.2"});
  CHECK(config.model.attention_resolutions == std::vector<Index>{12});
  CHECK(config.model.channel_mult == std::vector<double>{1, 1});
  CHECK(config.model.dropout == 0.2);
  DiffusionModel model = build_model(config, facts_of(set));
  const Index all = model.network().parameters.element_count();
  CHECK(contains(joined(start_from(model, config, start(), "ema", "a.h5")), concat("kept ", all, " of ", all)));
}

TEST_CASE("from classes to none and from none to classes") {
  Config none = start().config;
  none.model.class_conditional = false, none.train.label_dropout = 0;
  const NoiseSet plain({8, 8, 1}, {});
  DiffusionModel without = build_model(none, facts_of(plain));
  CHECK(contains(joined(start_from(without, none, start(), "ema", "a.h5")), "left out"));
  const Checkpoint unlabelled = trained(none, plain);
  DiffusionModel with = build_model(start().config, facts_of(cats()));
  CHECK(contains(joined(start_from(with, start().config, unlabelled, "ema", "a.h5")),
                 "classes: no class is known, 3 new (cat, dog, owl)"));
}

TEST_CASE("captions are matched word by word, also of another length") {
  Config config = small_config();
  config.model.text_conditional = true, config.model.text_width = 8, config.model.text_heads = 2;
  const NoiseSet old_set({8, 8, 1}, {}, {"a red cat", "a blue dog"}),
      set({8, 8, 1}, {}, {"one blue cat here", "a bee"});
  const Checkpoint checkpoint = trained(config, old_set);
  DiffusionModel model = build_model(config, facts_of(set));
  const std::string text = joined(start_from(model, config, checkpoint, "ema", "a.h5"));
  CHECK(contains(text, "words: 3 kept (a, blue, cat), 3 new (bee, here, one), 2 dropped (dog, red)"));
  const DiffusionModel old = model_of(checkpoint, "ema", "a.h5");
  const Tensor &table = tensor(model, "text.token_embedding.weight"),
               &before = tensor(old, "text.token_embedding.weight");
  const auto row = [](const Tensor& t, Index i) { return t.rows(i, i + 1); };
  CHECK(equal(row(table, 0), row(before, 0)));                                       // padding
  CHECK(equal(row(table, 4), row(before, 3)));                                       // cat
  CHECK(equal(row(table, table.extent(0) - 1), row(before, before.extent(0) - 1)));  // no caption
  const Tensor& positions = tensor(model, "text.positional_embedding");
  CHECK(equal(positions.rows(0, 3), tensor(old, "text.positional_embedding")));
}

TEST_CASE("another architecture is refused with the key that differs, also where the shapes would fit") {
  const auto refused = [](const std::string& setting) {
    Config config = start().config;
    set_config(config, setting);
    DiffusionModel model = build_model(config, facts_of(cats()));
    return error_of([&] { start_from(model, config, start(), "ema", "a.h5"); });
  };
  CHECK(contains(refused("model.channels=64"), "`model.channels` is 64, there it is 32"));
  CHECK(contains(refused("model.num_heads=2"), "`model.num_heads` is 2, there it is 4"));
  CHECK(contains(refused("model.network=dit"), "`model.network` is 'dit', there it is 'unet'"));
  CHECK(contains(refused("model.attention_resolutions=[8]"), "model.attention_resolutions"));
  CHECK(contains(refused("model.attention_resolutions=[]"), "model.attention_resolutions"));
  CHECK(refused("model.dropout=0.3") == "nothing");
  Config points;
  points.model.network = "mlp";
  DiffusionModel mlp = build_model(points, {{2}, {}});
  CHECK(contains(error_of([&] { start_from(mlp, points, start(), "ema", "a.h5"); }), "samples of shape [2]"));
  DiffusionModel model = build_model(start().config, facts_of(cats()));
  CHECK(contains(error_of([&] { start_from(model, start().config, start(), "ema:0.9", "a.h5"); }), "ema/0.9"));
}

TEST_CASE("another prediction is said: the network has to learn it") {
  Config config = start().config;
  config.diffusion.prediction = "v";
  DiffusionModel model = build_model(config, facts_of(cats()));
  CHECK(contains(joined(start_from(model, config, start(), "ema", "a.h5")), "the network learned chain, eps; it now"));
}
