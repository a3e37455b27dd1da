// What goes wrong for users: one clear line, exit code 2 (their words) or 1 (the world), nothing half-written.
#include <doctest/doctest.h>

#include "data/image_set.h"
#include "data/png.h"
#include "diffusion/model/checkpoint.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

// A finished run of a few steps, for its checkpoint.
const std::string& small_checkpoint() {
  static const TemporaryFolder folder;
  static const std::string path = [] {
    REQUIRE(run(small_run(folder / "run", {"--set", "train.steps=4"})).code == 0);
    return folder / "run/checkpoint.h5";
  }();
  return path;
}

Outcome train(const std::string& folder, const std::string& config, std::vector<std::string> settings) {
  std::vector<std::string> arguments{"train", "--config", config, "--out", folder};
  for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
  return run(arguments);
}

}  // namespace

TEST_CASE("wrong flags") {
  CHECK(failed_with(run({}), 2, {"a command is missing", "train, sample"}));
  CHECK(failed_with(run({"dream"}), 2, {"dream"}));
  CHECK(failed_with(run({"train", "--confg", "x"}), 2, {"--confg"}));
  CHECK(failed_with(run({"train", "--threads", "0", "--out", "x"}), 2, {"--threads"}));
  CHECK(failed_with(run({"train", "--out", "/tmp/never"}), 2, {"--config or --data is missing"}));
  CHECK(failed_with(run({"train", "--config", "configs/toy-moons.toml"}), 2, {"--out is missing"}));
  CHECK(failed_with(run({"sample", "--out", "x.png"}), 2, {"--checkpoint"}));
  for (const char* count : {"-3", "0", "2.5", "many", "1e3", "99999999999999999999999", ""}) {
    CHECK(failed_with(run({"sample", "--checkpoint", "x", "--count", count, "--out", "x.png"}), 2,
                      {"--count: \"" + std::string(count) + "\" is not a whole number >= 1"}));
  }
  CHECK(failed_with(run({"sample", "--checkpoint", "x", "--seed", "-1", "--out", "x.png"}), 2, {"--seed", "\"-1\""}));
  for (const char* flag : {"--guidance", "--eta", "--guidance-rescale", "--dynamic-threshold", "--sigma-max"}) {
    for (const char* value : {"nan", "inf", "-inf", "much", ""})
      CHECK(
          failed_with(run({"sample", "--checkpoint", "x", flag, value, "--out", "x.png"}), 2, {flag, value, "number"}));
  }
  CHECK(failed_with(run({"data", "toy", "three_moons", "--out", "/tmp/never.h5"}), 2, {"three_moons", "two_moons"}));
}

TEST_CASE("wrong configurations name the key, the value and what would be right, and make no folder") {
  const TemporaryFolder folder;
  const std::string moons = "configs/toy-moons.toml", out = folder / "run";
  CHECK(failed_with(train(out, moons, {"train.stepz=3"}), 2, {"train.stepz", "did you mean `train.steps`?"}));
  CHECK(failed_with(train(out, moons, {"train.steps=many"}), 2, {"train.steps"}));
  CHECK(failed_with(train(out, moons, {"train.steps=0"}), 2, {"train.steps"}));
  CHECK(failed_with(train(out, moons, {"diffusion.steps=20"}), 2, {"linear", "20"}));  // beta would reach 1
  CHECK(failed_with(train(out, moons, {"diffusion.schedule=cosin"}), 2, {"cosin", "cosine"}));
  CHECK(failed_with(train(out, moons, {"model.network=unet"}), 2, {"unet"}));
  CHECK(failed_with(train(out, moons, {"sample.steps=101"}), 2, {"101"}));  // before training, not after
  CHECK(failed_with(train(out, moons, {"data.train=toy:three_moons"}), 2, {"three_moons", "two_moons"}));
  CHECK(failed_with(train(out, "configs/none.toml", {}), 2, {"configs/none.toml"}));
  write_text(folder / "broken.toml", "[train\nsteps = 3\n");
  CHECK(failed_with(train(out, folder / "broken.toml", {}), 2, {"broken.toml:1"}));
  write_text(folder / "key.toml", "[train]\nstep = 3\n");
  CHECK(failed_with(train(out, folder / "key.toml", {}), 2, {"key.toml", "train.step", "train.steps"}));
  CHECK(!std::filesystem::exists(out));
}

TEST_CASE("data that doesn't fit the model") {
  const TemporaryFolder folder;
  write_images(folder / "odd.h5", 4, 10);
  write_images(folder / "even.h5", 4, 8);
  write_text(folder / "unet.toml",
             concat("[data]\ntrain = '", folder / "odd.h5", "'\n[model]\nattention_resolutions = []\n"));
  const std::string config = folder / "unet.toml", out = folder / "run";
  CHECK(failed_with(train(out, config, {}), 2, {"10x10", "halved", "8x8 or 12x12 would fit"}));
  CHECK(
      failed_with(train(out, config, {"data.train=" + (folder / "even.h5"), "data.validation=" + (folder / "odd.h5")}),
                  2, {"odd.h5", "[10,10,1]", "[8,8,1]"}));
  CHECK(failed_with(train(out, config, {"data.train=" + (folder / "none.h5")}), 1, {"none.h5"}));
  CHECK(failed_with(train(out, config, {"data.train=toy:two_moons"}), 2, {"unet", "mlp"}));
  {
    Hdf5File file = Hdf5File::create(folder / "flat.h5");
    file.write_uint8("images", {4, 64}, std::vector<std::uint8_t>(256));
    file.close();
  }
  CHECK(failed_with(train(out, config, {"data.train=" + (folder / "flat.h5")}), 1, {"flat.h5", "[4,64]", "N,H,W,C"}));
  CHECK(!std::filesystem::exists(out));
}

TEST_CASE("checkpoints that can't be used") {
  const TemporaryFolder folder;
  const auto sample = [&](const std::string& checkpoint, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"sample", "--checkpoint", checkpoint, "--out", folder / "x.png"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  CHECK(failed_with(sample(folder / "none.h5"), 1, {"none.h5"}));
  write_text(folder / "text.h5", "no HDF5");
  CHECK(failed_with(sample(folder / "text.h5"), 1, {"text.h5"}));
  const std::string whole = read_text(small_checkpoint());
  for (const std::size_t length : {whole.size() / 10, whole.size() / 2, whole.size() - 1}) {
    write_text(folder / "cut.h5", whole.substr(0, length));
    CHECK(failed_with(sample(folder / "cut.h5"), 1, {"cut.h5"}));
  }
  write_images(folder / "images.h5", 4, 8);
  CHECK(failed_with(sample(folder / "images.h5"), 1, {"images.h5", "not a reverie checkpoint"}));
  {
    Hdf5File file = Hdf5File::create(folder / "future.h5");
    file.write_attribute("/", "format", "reverie checkpoint");
    file.write_attribute("/", "version", 99);
    file.close();
  }
  CHECK(failed_with(sample(folder / "future.h5"), 1, {"future.h5", "version 99", "version 1"}));
  Checkpoint other = read_checkpoint(small_checkpoint());
  other.config.model.hidden *= 2;
  write_checkpoint(folder / "other.h5", other);
  CHECK(failed_with(sample(folder / "other.h5"), 1, {"other.h5", "shape", "expects"}));

  CHECK(failed_with(sample(small_checkpoint(), {"--weights", "ema:0.5"}), 2, {"ema/0.5"}));
  CHECK(failed_with(sample(small_checkpoint(), {"--weights", "best"}), 2, {"best", "raw"}));
  CHECK(failed_with(sample(small_checkpoint(), {"--class", "3"}), 2, {"--class 3", "without classes"}));
  CHECK(failed_with(sample(small_checkpoint(), {"--guidance", "3"}), 2, {"guidance"}));
  CHECK(failed_with(sample(small_checkpoint(), {"--sampler", "dreams"}), 2, {"dreams", "ddpm", "ddim"}));
  CHECK(failed_with(sample(small_checkpoint(), {"--steps", "101"}), 2, {"101"}));
  CHECK(failed_with(sample(small_checkpoint(), {"--sampler", "heun", "--steps", "1000000000000000000"}), 2,
                    {"1000000000000000000 steps", "1000000"}));
  CHECK(failed_with(sample(small_checkpoint(), {"--encode", "toy:two_moons", "--steps", "1"}), 2, {"at least 2"}));
  CHECK(failed_with(sample(small_checkpoint(), {"--sampler", "ddpm", "--eta", "0.5"}), 2, {"eta", "ddpm"}));
  CHECK(!std::filesystem::exists(folder / "x.png"));
}

TEST_CASE("resuming another run") {
  const std::string run_folder = std::filesystem::path(small_checkpoint()).parent_path();
  CHECK(failed_with(run(small_run(run_folder)), 2, {"checkpoint.h5", "--resume", "another --out"}));
  CHECK(failed_with(run(small_run(run_folder, {"--resume", "--set", "model.hidden=64"})), 2,
                    {"model.hidden", "64", "32"}));
  CHECK(failed_with(run(small_run(run_folder, {"--resume", "--set", "data.train=toy:swiss_roll"})), 2, {"data.train"}));
}

TEST_CASE("outputs that can't be written are found before the work, and leave nothing behind") {
  const TemporaryFolder folder;
  write_text(folder / "file", "");  // permissions don't stop everybody; a file in the place of a folder does
  CHECK(failed_with(run(small_run(folder / "file/run")), 1, {"file/run", "can't create the folder"}));
  const auto sample = [&](const std::string& out) {
    return run({"sample", "--checkpoint", small_checkpoint(), "--out", out});
  };
  CHECK(failed_with(sample(folder / "x.gif"), 2, {"x.gif", ".png", ".h5"}));
  CHECK(failed_with(sample(folder / "none/x.png"), 1, {"none/x.png", "there is no folder"}));
  CHECK(failed_with(sample(folder / "file/x.png"), 1, {"file/x.png"}));
  CHECK(failed_with(run({"data", "toy", "two_moons", "--out", folder / "none/x.h5"}), 1, {"none/x.h5"}));
  CHECK(folder.files() == 1);
}

TEST_CASE("a full disk is one line, and nothing is half-written") {
  const TemporaryFolder folder;
  CHECK(failed_with(run({"data", "toy", "two_moons", "--out", folder / "x.h5"}, {.largest_file = 1000}), 1,
                    {"x.h5", "can't be written"}));
  CHECK(folder.files() == 0);
  // A picture of the report is the first file of a run that doesn't fit.
  const Outcome outcome = run(small_run(folder / "run"), {.largest_file = 16'000});
  CHECK(failed_with(outcome, 1, {"report/forward.png", "can't be written"}));
  for (const auto& entry : std::filesystem::directory_iterator(folder / "run")) {
    const std::string name = entry.path().filename();
    CHECK_MESSAGE((name == "config.toml" || name == "metrics.jsonl" || name == "report"), name);
  }
  CHECK(failed_with(run({"data", "info", "data/sets/digits-test.h5"}, {.stdout_file = "/dev/full"}), 1,
                    {"standard output"}));
}

TEST_CASE("names in files and on the command line are printed without control characters") {
  const TemporaryFolder folder;
  const std::string path = folder / "a\x1b[2J.h5";
  write_images(path, 4, 8);
  ImageSet set = ImageSet::load(path);
  set.class_names = {"a\nreverie: fake", "\x1b]0;title\x07"};
  set.save(path);
  for (const Outcome& outcome : {run({"data", "info", path}), run({"inspect", path})}) {
    CHECK(outcome.code == 0);
    CHECK(contains(outcome.out, "a\\x1b[2J.h5\n"));
    CHECK(contains(outcome.out, "a\\nreverie: fake (2), \\x1b]0;title\\x07 (2)"));
    CHECK(!contains(outcome.out, "\x1b"));
  }
  CHECK(failed_with(run({"inspect", folder / "no\x1b[31m"}), 1, {"no\\x1b[31m: can't be read"}));
  CHECK(failed_with(run({"inspect", path, "--no\x1b[31m"}), 2, {"--no\\x1b[31m"}));
  write_text(folder / "a.toml", "[train]\n\"\\u001b[2J\" = 1\n");
  CHECK(failed_with(train(folder / "run", folder / "a.toml", {}), 2, {"unknown key `train.\\x1b[2J`"}));
}

TEST_CASE("importing tells what is left out and converted; --range is for 16-bit files") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "in/.ipynb_checkpoints");
  for (const char* name : {"in/a.png", "in/.ipynb_checkpoints/a.png"}) write_png(folder / name, Picture(2, 2, 1, 5));
  const std::vector<std::string> import{"data",        "import", "images",       "--folder",
                                        folder / "in", "--out",  folder / "a.h5"};
  const Outcome outcome = run(import);
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "warning: left out: 1 hidden (first: .ipynb_checkpoints)\n");
  std::vector<std::string> ranged = import;
  ranged.insert(ranged.end(), {"--range", "0", "4095"});
  std::filesystem::remove_all(folder / "in/.ipynb_checkpoints");
  CHECK(failed_with(run(ranged), 2, {"a.png: has 8 bits per sample; a range of samples expects 16"}));
}
