// A model of data without classes could be trained, but not saved: HDF5 requires a pointer even for an empty list.
#include <doctest/doctest.h>

#include "data/toy.h"
#include "tests/diffusion/configured_trainer.h"
#include "tests/helpers.h"

using namespace reverie;

TEST_CASE("a checkpoint of a model of data without classes is written and read") {
  Config config;
  config.model.network = "mlp", config.model.hidden = 8, config.model.depth = 1;
  config.train.batch_size = 4;
  const PointSet data = toy("swiss_roll", 16, 0);
  REQUIRE(data.class_names.empty());
  const ConfiguredTrainer trainer(config, data);
  const TemporaryFolder folder;
  write_checkpoint(folder / "checkpoint.h5", trainer.checkpoint());
  const Checkpoint saved = read_checkpoint(folder / "checkpoint.h5");
  CHECK(saved.data.class_names.empty());
  CHECK(ConfiguredTrainer(config, data, saved, "checkpoint.h5").steps_done() == 0);
}
