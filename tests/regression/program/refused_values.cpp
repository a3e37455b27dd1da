// Values that were taken for something else in silence: a number for a class of another name, an empty text for a flag
// that isn't given, a count beyond the set. And images that can't be drawn whole kept a model from being trained.
#include <doctest/doctest.h>

#include "data/image_set.h"
#include "data/png.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

// Trains a model of 4 x 4 images for two steps.
Outcome train_on(const ImageSet& set, const TemporaryFolder& folder, const char* conditional) {
  set.save(folder / "images.h5");
  write_text(folder / "config.toml",
             concat("[data]\ntrain = '", folder / "images.h5",
                    "'\n[model]\nchannel_mult = [1]\nnum_res_blocks = 1\nattention_resolutions = []\n"
                    "class_conditional = ",
                    conditional,
                    "\n[diffusion]\nsteps = 20\n[train]\nsteps = 2\nbatch_size = 4\npreview_count = 4\n"
                    "preview_every = 1\nema_rates = []\n[sample]\nsampler = 'ddim'\nsteps = 2\n"));
  return run({"train", "--config", folder / "config.toml", "--out", folder / "run"});
}

ImageSet images(Index channels) {
  ImageSet set;
  set.count = 6;
  set.height = set.width = 4;
  set.channels = channels;
  for (Index i = 0; i < 6 * 16 * channels; ++i) set.images.push_back(static_cast<std::uint8_t>(37 * i));
  return set;
}

}  // namespace

TEST_CASE("where classes are named by numbers, a number means a name") {
  const TemporaryFolder folder;
  ImageSet set = images(1);
  set.class_names = {"1", "2", "10"};
  set.labels = {0, 1, 2, 0, 1, 2};
  const Outcome trained = train_on(set, folder, "true");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const auto sample = [&](const char* name) {
    return run({"sample", "--checkpoint", folder / "run/checkpoint.h5", "--count", "2", "--out", folder / "x.png",
                "--class", name});
  };
  CHECK(failed_with(sample("0"), 2, {"--class 0", "unknown class", "1, 2, 10"}));
  const Outcome one = sample("1");
  CHECK(one.code == 0);
  CHECK(contains(one.out, "class 1,"));
}

TEST_CASE("where classes are named by words, a number is an index") {
  const TemporaryFolder folder;
  const Outcome one = run({"sample", "--checkpoint", unet_checkpoint(), "--count", "2", "--class", "1", "--steps", "2",
                           "--sampler", "ddim", "--guidance", "1.23456789", "--out", folder / "x.png"});
  CHECK(one.code == 0);
  CHECK(contains(one.out, "class light, guidance 1.23456789"));
}

TEST_CASE("an empty value is an error, not a flag that is not given") {
  const TemporaryFolder folder;
  const std::vector<std::string> sample{"sample", "--checkpoint", unet_checkpoint(), "--out", folder / "x.png"};
  for (const char* flag : {"--class", "--encode", "--classifier", "--sampler", "--weights"}) {
    std::vector<std::string> separate = sample, joined = sample;
    separate.insert(separate.end(), {flag, ""});
    joined.insert(joined.begin() + 1, concat(flag, "="));
    CHECK(failed_with(run(separate), 2, {flag, "expects a value"}));
    CHECK(failed_with(run(joined), 2, {flag, "expects a value"}));
  }
  CHECK(folder.files() == 0);
}

TEST_CASE("--encode: more samples than the set has are an error, unless nobody set a number") {
  const TemporaryFolder folder;
  const std::vector<std::string> encode{"sample",   "--checkpoint", unet_checkpoint(),
                                        "--encode", unet_images(),  "--steps",
                                        "2",        "--out",        folder / "x.png"};
  std::vector<std::string> many = encode;
  many.insert(many.end(), {"--count", "21"});
  CHECK(failed_with(run(many), 2, {"--count 21", "has only 20 samples"}));
  CHECK(folder.files() == 0);
  const Outcome all = run(encode);
  CHECK(all.code == 0);
  CHECK(contains(all.out, ": 20 samples of "));
}

TEST_CASE("images of any number of channels are trained on; pictures show the first ones, and the output says so") {
  for (const auto& [channels, note] : {std::pair<Index, const char*>{4, "pictures show the first 3 of 4 channels"},
                                       {2, "pictures show the first 1 of 2 channels"}}) {
    const TemporaryFolder folder;
    const Outcome trained = train_on(images(channels), folder, "false");
    INFO(trained.err);
    CHECK(trained.code == 0);
    CHECK(contains(trained.out, note));
    CHECK(std::filesystem::exists(folder / "run/previews/step-000001.png"));
    CHECK(read_png(folder / "run/samples.png").channels == (channels == 4 ? 3 : 1));
    const Outcome sampled =
        run({"sample", "--checkpoint", folder / "run/checkpoint.h5", "--count", "2", "--out", folder / "x.png"});
    CHECK(sampled.code == 0);
    CHECK(contains(sampled.out, note));
    CHECK(contains(run({"data", "info", folder / "images.h5", "--grid", folder / "y.png"}).out, note));
  }
}
