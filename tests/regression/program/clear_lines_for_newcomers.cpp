// Empty values looked like options that weren't given; a closed pipe ended a run without a checkpoint; `inspect`
// printed the name of a file that it couldn't describe.
#include <doctest/doctest.h>

#include <csignal>

#include "tests/apps/program.h"

using namespace reverie;

TEST_CASE("an empty value is an error that names the option") {
  const TemporaryFolder folder;
  const std::string checkpoint = unet_checkpoint(), out = folder / "x.h5";
  for (const char* option : {"--class", "--weights", "--sampler", "--encode", "--classifier", "--noise"})
    CHECK(failed_with(run({"sample", "--checkpoint", checkpoint, "--out", out, option, ""}), 2,
                      {option, "expects a value", "reverie sample --help"}));
  CHECK(failed_with(run({"train", "--config", "", "--out", folder / "run"}), 2, {"--config", "expects a value"}));
  CHECK(
      failed_with(run({"train", "--config", "configs/toy-moons.toml", "--out", ""}), 2, {"--out", "expects a value"}));
  CHECK(failed_with(run({"data", "info", ""}), 2, {"file", "expects a value", "reverie data info --help"}));
  CHECK(folder.files() == 0);
}

TEST_CASE("inputs that are no files of the kind: one line, and nothing on the standard output") {
  const TemporaryFolder folder;
  write_text(folder / "empty", "");
  for (const char* file : {"empty", "none", "."}) {
    const Outcome outcome = run({"inspect", folder / file});
    CHECK(failed_with(outcome, 1, {file}));
    CHECK(outcome.out.empty());
  }
  CHECK(failed_with(run({"data", "import", "images", "--folder", folder / "empty", "--out", folder / "x.h5"}), 1,
                    {"empty", "is not a folder"}));
  CHECK(failed_with(run({"explain", "--config", folder / "empty"}), 2, {"data.train", "--shape"}));
  CHECK(failed_with(run({"data", "toy"}), 2, {"distribution", "reverie data toy --help"}));
}
