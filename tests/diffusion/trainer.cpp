
#include <limits>

#include "data/image_set.h"
#include "data/toy.h"
#include "tensor/parallel.h"
#include "tests/diffusion/configured_trainer.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

Config small() {
  Config c;
  c.data.train = "toy";
  c.model.network = "mlp";
  c.model.hidden = 32, c.model.depth = 2;
  c.model.class_conditional = true;
  c.diffusion.steps = 50;
  c.train.steps = 20, c.train.batch_size = 50, c.train.shard_size = 8, c.train.accumulators = 3;
  c.train.learning_rate = {.base = 3e-3, .warmup_steps = 3, .decay = "cosine"};
  c.train.label_dropout = 0.2;
  c.train.ema_rates = {0.9, 0.99};
  c.sample.clip = false;
  return c;
}

// 3 samples of 4x4 pixels.
ImageSet images() {
  ImageSet set;
  set.count = 3, set.height = 4, set.width = 4, set.channels = 1;
  for (int i = 0; i < 48; ++i) set.images.push_back(static_cast<std::uint8_t>(5 * i));
  return set;
}

bool same_bits(const Checkpoint& a, const Checkpoint& b) {
  if (a.state.step != b.state.step || a.state.updates != b.state.updates ||
      a.state.tensors.size() != b.state.tensors.size())
    return false;
  for (const auto& [group, tensors] : a.state.tensors) {
    for (const auto& [name, tensor] : tensors) {
      const Tensor& other = b.state.tensors.at(group).at(name);
      if (!std::equal(tensor.values().begin(), tensor.values().end(), other.values().begin(), other.values().end()))
        return false;
    }
  }
  return true;
}

struct File {
  TemporaryFolder folder;
  std::string path = folder / "file.h5";
};

}  // namespace

TEST_CASE("the same bits for any number of threads, on points and on images, in float and in bfloat16") {
  const PointSet moons = toy("two_moons", 200, 1);
  const ImageSet pixels = images();
  Config unet = small();
  unet.model.network = "unet", unet.model.class_conditional = false, unet.train.label_dropout = 0;
  unet.model.channel_mult = {1, 1}, unet.model.num_res_blocks = 1, unet.model.attention_resolutions = {2},
  unet.model.dropout = 0.1;
  unet.train.batch_size = 6, unet.train.shard_size = 2;
  Config rounded = unet;
  rounded.kernels.products = sizeof(real) == 4 ? "bfloat16" : "float";
  const std::pair<Config, const Dataset*> runs[] = {{small(), &moons}, {unet, &pixels}, {rounded, &pixels}};
  std::vector<Checkpoint> ends;
  for (const auto& run : runs) {
    const auto trained = [&](int thread_count) {
      set_threads(thread_count);
      ConfiguredTrainer trainer(run.first, *run.second);
      for (int i = 0; i < 3; ++i) trainer.step();
      Checkpoint saved = trainer.checkpoint();
      for (auto& [group, tensors] : saved.state.tensors)
        for (auto& [name, tensor] : tensors) tensor = tensor.clone();
      return saved;
    };
    const Checkpoint one = trained(1);
    CHECK(same_bits(one, trained(2)));
    CHECK(same_bits(one, trained(5)));
    set_threads(0);
    ends.push_back(one);
  }
  CHECK(same_bits(ends[1], ends[2]) == (sizeof(real) != 4));
}

TEST_CASE("a resumed run has the bits of one that never stopped") {
  const PointSet moons = toy("two_moons", 200, 1);
  ConfiguredTrainer whole(small(), moons);
  for (int i = 0; i < 20; ++i) whole.step();
  for (const char* optimizer : {"adamw", "sgd"}) {
    Config config = small();
    config.train.optimizer.name = optimizer, config.train.optimizer.momentum = 0.9;
    ConfiguredTrainer straight(config, moons), first(config, moons);
    for (int i = 0; i < 20; ++i) straight.step();
    for (int i = 0; i < 7; ++i) first.step();
    const File file;
    write_checkpoint(file.path, first.checkpoint());
    ConfiguredTrainer second(config, moons, read_checkpoint(file.path), file.path);
    CHECK(second.steps_done() == 7);
    while (second.steps_done() < 20) second.step();
    CHECK(same_bits(straight.checkpoint(), second.checkpoint()));
  }
}

TEST_CASE("shards are as large as their samples allow, unless the configuration says how large") {
  Config config = small();
  CHECK(complete(config.train, {28, 28, 1}).shard_size == 8);
  config.train.shard_size = 0;
  for (const auto& [sample, size] : {std::pair<Shape, Index>{{2}, 128},
                                     {{8, 8, 3}, 8},
                                     {{28, 28, 1}, 8},
                                     {{32, 32, 3}, 8},
                                     {{64, 64, 3}, 2},
                                     {{96, 64, 3}, 1},
                                     {{512, 512, 3}, 1}})
    CHECK(complete(config.train, sample).shard_size == size);
  const PointSet moons = toy("two_moons", 200, 1);
  Config said = config;
  said.train.shard_size = 128;
  ConfiguredTrainer first(said, moons);
  first.step();
  CHECK(ConfiguredTrainer(config, moons, first.checkpoint(), "here.h5").steps_done() == 1);  // the same run
}

TEST_CASE("a run goes on only under its own configuration and data") {
  const PointSet moons = toy("two_moons", 200, 1);
  ConfiguredTrainer trainer(small(), moons);
  trainer.step();
  const Checkpoint saved = trainer.checkpoint();
  Config other = small();
  other.train.steps = 100, other.train.log_every = 7;
  CHECK(error_of([&] { ConfiguredTrainer(other, moons, saved, "here.h5"); }) == "nothing");
  other.train.batch_size = 10;
  CHECK(contains(error_of([&] { ConfiguredTrainer(other, moons, saved, "here.h5"); }),
                 "`train.batch_size` is 10 now but was 50 in here.h5"));
  const PointSet gaussians = toy("eight_gaussians", 200, 1);
  CHECK(contains(error_of([&] { ConfiguredTrainer(small(), gaussians, saved, "here.h5"); }), "classes"));
  Checkpoint lacking = saved;
  lacking.state.tensors["weights"].erase("first.bias");
  CHECK(
      contains(error_of([&] { ConfiguredTrainer(small(), moons, lacking, "here.h5"); }), "`weights` lacks first.bias"));
}

TEST_CASE("training learns: the validation loss on two moons falls well below that of a network that says nothing") {
  const PointSet moons = toy("two_moons", 1000, 1), held_out = toy("two_moons", 300, 2);
  Config config = small();
  config.train.steps = 300;
  ConfiguredTrainer trainer(config, moons);
  const double before = trainer.validation_loss(held_out);
  CHECK(before == doctest::Approx(1).epsilon(0.1));  // E eps^2
  CHECK(trainer.validation_loss(held_out) == before);
  while (trainer.steps_done() < config.train.steps) trainer.step();
  CHECK(trainer.validation_loss(held_out) < 0.6 * before);
}

TEST_CASE("a NaN stops the run, names step, operation and parameter, and leaves the weights alone") {
  const PointSet moons = toy("two_moons", 200, 1);
  ConfiguredTrainer trainer(small(), moons);
  trainer.step();
  const Parameter* weight = trainer.model().network().parameters.find("layers.1.in.weight");
  Tensor value = weight->value;
  value[3] = std::numeric_limits<real>::quiet_NaN();
  const TensorList before = trainer.model().network().parameters.clone_values();
  const std::string message = error_of([&] { trainer.step(); });
  CHECK(contains(message, "step 2"));
  CHECK(contains(message, "linear"));
  CHECK(contains(message, "parameter"));
  CHECK(trainer.steps_done() == 1);
  CHECK(trainer.model().network().parameters.values()[0][0] == before[0][0]);
  CHECK(
      contains(error_of([&] { trainer.checkpoint(); }), "after step 1 the parameter layers.1.in.weight is not finite"));
}

TEST_CASE("checkpoints: what can't be read is named; weights are chosen by name") {
  const PointSet moons = toy("two_moons", 100, 1);
  ConfiguredTrainer trainer(small(), moons);
  trainer.step();
  const File file;
  write_checkpoint(file.path, trainer.checkpoint());
  for (const char* weights : {"raw", "ema", "ema:0.99"})
    CHECK(error_of([&] { load_model(file.path, weights); }) == "nothing");
  CHECK(contains(error_of([&] { load_model(file.path, "ema:0.5"); }), "ema/0.5"));
  CHECK(contains(error_of([&] { load_model(file.path, "best"); }), "unknown weights"));
  CHECK(contains(error_of([&] { read_checkpoint("nowhere.h5"); }), "nowhere.h5"));
  const File set;
  moons.save(set.path);
  CHECK(contains(error_of([&] { read_checkpoint(set.path); }), "is not a reverie checkpoint"));
}

TEST_CASE("a sample is the same whatever the count and the number of threads; classes go in turn") {
  const PointSet moons = toy("two_moons", 100, 1);
  ConfiguredTrainer trainer(small(), moons);
  for (int i = 0; i < 5; ++i) trainer.step();
  SampleRequest request = default_request(trainer.config);
  request.count = 40, request.steps = 5, request.seed = 3, request.guidance = 2;
  const Samples many = generate(trainer.model(), request);
  set_threads(3);
  const Samples again = generate(trainer.model(), request);
  set_threads(0);
  CHECK(std::equal(many.x.values().begin(), many.x.values().end(), again.x.values().begin()));
  CHECK(many.labels[3] == 1);
  request.count = 16;
  CHECK(difference(generate(trainer.model(), request).x, many.x.rows(0, 16)) == 0);
  request.label = 2;
  CHECK(contains(error_of([&] { generate(trainer.model(), request); }),
                 "class 2 doesn't exist; there are classes 0 to 1"));
  request.label = 1;
  CHECK(contains(error_of([&] { generate(trainer.model(), request, [](double) { return false; }); }), "interrupted"));
}
