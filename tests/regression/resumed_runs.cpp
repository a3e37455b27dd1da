// A run was resumed by the name of its data, not by their content; advice to lower the learning rate could not be
// followed; averages whose rates print alike in six digits were lost; fewer steps than done were accepted.
#include <doctest/doctest.h>

#include "data/fingerprint.h"
#include "data/hdf5.h"
#include "data/toy.h"
#include "tests/diffusion/configured_trainer.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

Config small_config() {
  Config config;
  config.data.train = "here.h5";
  config.model.network = "mlp", config.model.hidden = 8, config.model.depth = 1;
  config.train.batch_size = 4;
  config.train.steps = 5;
  return config;
}

Checkpoint trained(const Config& config, const Dataset& data, int steps) {
  ConfiguredTrainer trainer(config, data);
  for (int i = 0; i < steps; ++i) trainer.step();
  const TemporaryFolder folder;
  write_checkpoint(folder / "checkpoint.h5", trainer.checkpoint());
  return read_checkpoint(folder / "checkpoint.h5");
}

}  // namespace

TEST_CASE("a run resumes with the same data in another place, and with no other data") {
  const PointSet data = toy("two_moons", 40, 0);
  const Checkpoint saved = trained(small_config(), data, 2);
  Config moved = small_config();
  moved.data.train = "there.h5";
  CHECK(ConfiguredTrainer(moved, data, saved, "run.h5").steps_done() == 2);

  const auto refused = [&](const Dataset& other) {
    const std::string error = error_of([&] { ConfiguredTrainer(small_config(), other, saved, "run.h5"); });
    return contains(error, "the run in run.h5 was trained on other data: 40 samples of shape [2] in 2 classes, CRC-32");
  };
  PointSet one_value = toy("two_moons", 40, 0), one_label = one_value, one_name = one_value;
  one_value.points = one_value.points.clone();
  one_value.points[7] = one_value.points[7] + real{1} / 1024;
  CHECK(refused(one_value));
  if (!one_label.labels.empty()) {
    one_label.labels[0] = 1 - one_label.labels[0];
    CHECK(refused(one_label));
  }
  CHECK(refused(toy("two_moons", 40, 1)));
  CHECK(refused(toy("two_moons", 39, 0)));
}

TEST_CASE("a checkpoint without a fingerprint of its data resumes with data of the same name") {
  const PointSet data = toy("two_moons", 40, 0);
  Checkpoint old = trained(small_config(), data, 2);
  old.state.data.clear();
  CHECK(ConfiguredTrainer(small_config(), data, old, "run.h5").steps_done() == 2);
  Config moved = small_config();
  moved.data.train = "there.h5";
  CHECK(contains(error_of([&] { ConfiguredTrainer(moved, data, old, "run.h5"); }), "`data.train` is 'there.h5' now"));
}

TEST_CASE("a resumed run may change the learning rate and the clipping, as errors advise, but no other optimizer key") {
  const PointSet data = toy("two_moons", 40, 0);
  const Checkpoint saved = trained(small_config(), data, 2);
  Config config = small_config();
  config.train.learning_rate.base = 1e-5;
  config.train.clip_norm = 0.25;
  ConfiguredTrainer trainer(config, data, saved, "run.h5");
  CHECK(trainer.step().learning_rate <= 1e-5);
  config.train.batch_size = 5;
  CHECK(contains(error_of([&] { ConfiguredTrainer(config, data, saved, "run.h5"); }), "`train.batch_size` is 5 now"));
}

TEST_CASE("a resumed run can't have fewer steps than it has done") {
  const PointSet data = toy("two_moons", 40, 0);
  const Checkpoint saved = trained(small_config(), data, 3);
  Config config = small_config();
  config.train.steps = 3;
  CHECK(ConfiguredTrainer(config, data, saved, "run.h5").steps_done() == 3);
  config.train.steps = 2;
  CHECK(contains(error_of([&] { ConfiguredTrainer(config, data, saved, "run.h5"); }),
                 "`train.steps` is 2, but the run in run.h5 has done 3 steps already"));
}

TEST_CASE("averages whose rates agree in six digits are all saved, and found by any text of their rate") {
  const PointSet data = toy("two_moons", 40, 0);
  Config config = small_config();
  config.train.ema_rates = {0.999999, 0.9999991, 0.9999992};
  const Checkpoint saved = trained(config, data, 2);
  for (const char* group : {"ema/0.999999", "ema/0.9999991", "ema/0.9999992"})
    CHECK(saved.state.tensors.contains(group));
  CHECK(ConfiguredTrainer(config, data, saved, "run.h5").steps_done() == 2);
  CHECK_NOTHROW(model_of(saved, "ema:0.99999910", "run.h5"));
}

TEST_CASE("averages that an older version named by six digits are found") {
  const PointSet data = toy("two_moons", 40, 0);
  Config config = small_config();
  config.train.ema_rates = {0.99912345};
  ConfiguredTrainer trainer(config, data);
  Checkpoint old = trainer.checkpoint();
  auto average = old.state.tensors.extract("ema/0.99912345");
  REQUIRE(!average.empty());
  average.key() = "ema/0.999123";
  old.state.tensors.insert(std::move(average));
  const TemporaryFolder folder;
  write_checkpoint(folder / "old.h5", old);
  const Checkpoint read = read_checkpoint(folder / "old.h5");
  CHECK(ConfiguredTrainer(config, data, read, "old.h5").steps_done() == 0);
  CHECK_NOTHROW(model_of(read, "ema", "old.h5"));
}

TEST_CASE("a checkpoint keeps the sums of an unfinished line of metrics to the bit") {
  const PointSet data = toy("two_moons", 40, 0);
  ConfiguredTrainer trainer(small_config(), data);
  Checkpoint checkpoint = trainer.checkpoint();
  checkpoint.log = {{"loss", 0.1 + 0.2}, {"steps", 3}};
  const TemporaryFolder folder;
  write_checkpoint(folder / "checkpoint.h5", checkpoint);
  CHECK(read_checkpoint(folder / "checkpoint.h5").log == checkpoint.log);
}
