// Synthetic training data from a checkpoint, and classifiers trained on images that are changed at random.
#include <doctest/doctest.h>

#include <algorithm>

#include "data/image_set.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

Outcome augment(const std::string& out, std::vector<std::string> more) {
  std::vector<std::string> arguments{"augment",   "--checkpoint", unet_checkpoint(), "--steps", "4",
                                     "--sampler", "ddim",         "--out",           out};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run(arguments);
}

// A classifier of the checkpoint's classes.
const std::string& classifier() {
  static const TemporaryFolder folder;
  static const std::string path = [] {
    const Outcome trained =
        run({"classifier", "--data", unet_images(), "--test", unet_images(), "--steps", "40", "--shift", "1",
             "--rotation", "5", "--brightness", "0.05", "--flip", "--out", folder / "c.h5"});
    INFO(trained.err);
    REQUIRE(trained.code == 0);
    CHECK(contains(trained.out,
                   "40 steps on 20 images, flipped, shifted by up to 1 pixels, rotated by up to 5 degrees, "
                   "brightness changed by up to 0.05, seed 0"));
    return folder / "c.h5";
  }();
  return path;
}

}  // namespace

TEST_CASE("augment: a labelled set that says how it was made, alike for any threads, alone or after real images") {
  const TemporaryFolder folder;
  const Outcome one = augment(folder / "a.h5", {"--per-class", "5", "--threads", "1", "--seed", "3"});
  INFO(one.err);
  REQUIRE(one.code == 0);
  CHECK(one.err == "");
  CHECK(contains(one.out, "10 synthetic samples of "));
  const ImageSet a = ImageSet::load(folder / "a.h5");
  CHECK(a.count == 10);
  CHECK(std::count(a.labels.begin(), a.labels.end(), 0) == 5);
  CHECK(a.class_names == std::vector<std::string>{"dark", "light"});
  for (const std::string part : {"reverie augment", "checkpoint.h5", "trained on", "images.h5", "ddim", "seed 3"})
    CHECK_MESSAGE(contains(a.source, part), a.source);
  CHECK(contains(a.licence, "made by a model"));
  REQUIRE(augment(folder / "b.h5", {"--per-class", "5", "--threads", "3", "--seed", "3"}).code == 0);
  CHECK(ImageSet::load(folder / "b.h5").images == a.images);

  const Outcome mixed = augment(folder / "m.h5", {"--per-class", "5", "--seed", "3", "--mix", unet_images()});
  INFO(mixed.err);
  REQUIRE(mixed.code == 0);
  CHECK(contains(mixed.out, "after 20 samples of " + unet_images() + ";"));
  const ImageSet m = ImageSet::load(folder / "m.h5"), real = ImageSet::load(unet_images());
  CHECK(m.count == 30);
  CHECK(std::equal(real.images.begin(), real.images.end(), m.images.begin()));
  CHECK(std::equal(a.images.begin(), a.images.end(), m.images.begin() + std::ssize(real.images)));
  CHECK(std::equal(a.labels.begin(), a.labels.end(), m.labels.begin() + 20));
  CHECK(contains(m.source, "after 20 samples of " + unet_images()));
  CHECK(contains(m.licence, "the others: unknown"));
  CHECK(run({"classifier", "--data", folder / "m.h5", "--epochs", "1", "--out", folder / "c.h5"}).code == 0);

  const Outcome half = augment(folder / "h.h5", {"--per-class", "31", "--mix", unet_images()});
  CHECK(contains(half.out, "62 synthetic samples"));
  CHECK(contains(half.out, ", 3 times over; "));
  CHECK(ImageSet::load(folder / "h.h5").count == 122);

  REQUIRE(augment(folder / "l.h5", {"--per-class", "3", "--class", "light", "--guidance", "2"}).code == 0);
  CHECK(ImageSet::load(folder / "l.h5").labels == std::vector<Index>{1, 1, 1});

  ImageSet captioned = real;
  captioned.captions.assign(20, "noise");
  captioned.save(folder / "captions.h5");
  const Outcome lost = augment(folder / "m.h5", {"--per-class", "1", "--mix", folder / "captions.h5"});
  CHECK(lost.code == 0);
  CHECK(contains(lost.err, "its captions are left out"));
}

TEST_CASE("augment: a classifier chooses; what is missing in the end is said") {
  const TemporaryFolder folder;
  const Outcome chosen = augment(
      folder / "a.h5", {"--per-class", "4", "--classifier", classifier(), "--confidence", "0.3", "--tries", "50"});
  INFO(chosen.err);
  REQUIRE(chosen.code == 0);
  CHECK(contains(chosen.out, "  kept: dark "));
  CHECK(contains(ImageSet::load(folder / "a.h5").source, "kept with a confidence of at least 0.3 by " + classifier()));
  const Outcome few = augment(
      folder / "b.h5", {"--per-class", "20", "--classifier", classifier(), "--confidence", "0.5", "--tries", "1"});
  INFO(few.err);
  CHECK(few.code == 0);
  CHECK(contains(few.err, "warning: of class "));
  CHECK(contains(few.err, " of 20 images were kept, after 20 were drawn"));
  CHECK(ImageSet::load(folder / "b.h5").count < 40);
}

TEST_CASE("augment: bad inputs are named, and nothing is written") {
  const TemporaryFolder folder;
  const std::string out = folder / "x.h5";
  CHECK(failed_with(augment(out, {"--per-class", "0"}), 2, {"--per-class", "\"0\""}));
  CHECK(failed_with(augment(out, {"--per-class", "99999999999"}), 2, {"99999999999", "10000000"}));
  CHECK(failed_with(augment(out, {"--confidence", "0.5"}), 2, {"--confidence", "without --classifier"}));
  CHECK(failed_with(augment(out, {"--tries", "5"}), 2, {"--tries", "without --classifier"}));
  for (const char* confidence : {"0", "1", "-0.5", "1.5"}) {
    CHECK(failed_with(augment(out, {"--classifier", classifier(), "--confidence", confidence}), 2,
                      {"confidence", "above 0 and below 1"}));
  }
  CHECK(failed_with(augment(out, {"--classifier", classifier(), "--confidence", "nan"}), 2, {"--confidence", "nan"}));
  CHECK(failed_with(augment(out, {"--classifier", folder / "none.h5"}), 1, {"none.h5"}));
  CHECK(failed_with(augment(out, {"--classifier", unet_images()}), 1, {"is not a classifier"}));
  CHECK(failed_with(augment(out, {"--class", "grey"}), 2, {"grey", "dark, light"}));
  CHECK(failed_with(augment(out, {"--prompt", "a cat"}), 2, {"--prompt", "without captions"}));
  CHECK(failed_with(augment(folder / "x.png", {}), 2, {"--out", ".h5"}));
  CHECK(failed_with(augment(folder / "no/x.h5", {}), 1, {"there is no folder"}));
  CHECK(failed_with(augment(unet_checkpoint(), {}), 2, {"--checkpoint"}));
  CHECK(failed_with(augment(unet_images(), {"--mix", unet_images()}), 2, {"--mix"}));
  CHECK(failed_with(augment(out, {"--mix", folder / "none.h5"}), 1, {"none.h5"}));
  CHECK(failed_with(augment(out, {"--mix", "data/sets/digits-test.h5"}), 2, {"[28,28,1]", "[8,8,1]"}));

  ImageSet images = ImageSet::load(unet_images());
  images.class_names = {"dark", "grey"};
  images.save(folder / "other.h5");
  CHECK(failed_with(augment(out, {"--mix", folder / "other.h5"}), 2, {"other.h5", "grey"}));
  REQUIRE(run({"classifier", "--data", folder / "other.h5", "--epochs", "1", "--out", folder / "c.h5"}).code == 0);
  CHECK(failed_with(augment(out, {"--classifier", folder / "c.h5"}), 2, {"grey", "light"}));
  write_images(folder / "large.h5", 20, 16);
  REQUIRE(run({"classifier", "--data", folder / "large.h5", "--epochs", "1", "--out", folder / "d.h5"}).code == 0);
  CHECK(failed_with(augment(out, {"--classifier", folder / "d.h5"}), 2, {"[16,16,1]", "[8,8,1]"}));

  REQUIRE(run(small_run(folder / "points", {"--set", "train.steps=2"})).code == 0);
  CHECK(failed_with(run({"augment", "--checkpoint", folder / "points/checkpoint.h5", "--out", out}), 2,
                    {"without class labels", "model.class_conditional = true"}));
  CHECK(failed_with(run({"augment", "--out", out}), 2, {"--checkpoint"}));
  CHECK(!std::filesystem::exists(out));
}

TEST_CASE("random changes by configuration: the same bits for any threads, resumed or not; refused where senseless") {
  const TemporaryFolder folder;
  const std::string config = std::filesystem::path(unet_checkpoint()).parent_path() / "config.toml";
  const auto train = [&](const std::string& name, std::vector<std::string> more) {
    std::vector<std::string> arguments{"train", "--out", folder / name};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  const std::vector<std::string> changes{
      "--config", config, "--set", "data.shift=1", "--set", "data.rotation=5", "--set", "data.brightness=0.1"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), changes.begin(), changes.end());
    return more;
  };
  CHECK(train("one", with({"--set", "train.steps=6", "--threads", "1"})).code == 0);
  CHECK(train("three", with({"--set", "train.steps=6", "--threads", "3"})).code == 0);
  CHECK(same_checkpoints(folder / "one/checkpoint.h5", folder / "three/checkpoint.h5"));
  CHECK(train("halves", with({"--threads", "2"})).code == 0);
  CHECK(train("halves", {"--resume", "--set", "train.steps=6"}).code == 0);
  CHECK(same_checkpoints(folder / "one/checkpoint.h5", folder / "halves/checkpoint.h5"));
  CHECK(train("plain", {"--config", config, "--set", "train.steps=6"}).code == 0);
  CHECK(!same_checkpoints(folder / "one/checkpoint.h5", folder / "plain/checkpoint.h5"));

  const auto refused = [&](const std::string& setting, std::vector<std::string> parts) {
    return failed_with(train("x", {"--config", config, "--set", setting}), 2, parts);
  };
  CHECK(refused("data.shift=-1", {"data.shift"}));
  CHECK(refused("data.shift=8", {"shift of 8 pixels", "8x8"}));
  CHECK(refused("data.rotation=200", {"data.rotation", "[0, 180]"}));
  CHECK(refused("data.rotation=nan", {"data.rotation"}));
  CHECK(refused("data.brightness=3", {"data.brightness", "[0, 2]"}));
  CHECK(failed_with(run(small_run(folder / "x", {"--set", "data.shift=1"})), 2, {"only images", "not points"}));
  CHECK(failed_with(run({"classifier", "--data", unet_images(), "--shift", "8", "--out", folder / "x.h5"}), 2,
                    {"shift of 8 pixels"}));
  CHECK(failed_with(
      run({"classifier", "--data", unet_images(), "--steps", "5", "--epochs", "2", "--out", folder / "x.h5"}), 2,
      {"--epochs"}));
  CHECK(!std::filesystem::exists(folder / "x"));
}
