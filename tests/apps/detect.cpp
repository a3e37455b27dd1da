// Anomalies as users look for them: scores, maps, threshold and picture, data to choose from, and what is refused.
#include <doctest/doctest.h>

#include <algorithm>

#include "data/image_set.h"
#include "data/png.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

// Images of 8 x 8 like those that the model learned, `masks` with a marked corner in every second one.
std::string images(const TemporaryFolder& folder, const std::string& name, Index count, bool labels, bool masks) {
  const std::string path = folder / name;
  write_images(path, count, 8);
  ImageSet set = ImageSet::load(path);
  for (std::uint8_t& pixel : set.images) pixel ^= 1;  // others than those that were trained on
  if (!labels) set.labels.clear(), set.class_names.clear();
  if (masks) {
    set.masks.assign(static_cast<std::size_t>(count * 64), 0);
    for (Index i = 0; i < count; i += 2) set.masks[i * 64] = 1;
  }
  set.save(path);
  return path;
}

std::vector<std::string> arguments(const std::string& data, const std::string& out,
                                   const std::vector<std::string>& more = {}) {
  std::vector<std::string> all = {"detect", "--checkpoint", unet_checkpoint(), "--data", data, "--out", out};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

Outcome detect(const std::string& data, const std::string& out, const std::vector<std::string>& more = {}) {
  return run(arguments(data, out, more));
}

}  // namespace

TEST_CASE("detect writes an image set with maps, healed images, scores and flags, a picture, and a table by class") {
  const TemporaryFolder folder;
  const std::string data = images(folder, "data.h5", 30, true, true),
                    healthy = images(folder, "healthy.h5", 60, true, false);
  const Outcome outcome =
      detect(data, folder / "maps.h5",
             {"--validation", healthy, "--normal", "dark", "--report", folder / "maps.png", "--alpha", "0.1"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(contains(outcome.out, "5 evaluations of the network each"));
  CHECK(contains(outcome.out, "at most 10% of healthy images are above it, by 30 of the 60 images"));
  CHECK(contains(outcome.out, "30 are not healthy and were left out"));
  CHECK(contains(outcome.out, "\n  light                    15  "));
  CHECK(contains(outcome.out, "pixels: AUPRC "));
  CHECK(!contains(outcome.out, "all anomalous"));  // it would be the only class
  const Hdf5File file = Hdf5File::open(folder / "maps.h5");
  CHECK(file.shape("maps") == Shape{30, 8, 8});
  CHECK(file.shape("healed") == Shape{30, 8, 8, 1});
  CHECK(file.shape("masks") == Shape{30, 8, 8});
  const auto scores = file.read_doubles("scores");
  const double threshold = file.read_double_attribute("scores", "threshold");
  CHECK(file.read_double_attribute("scores", "alpha") == doctest::Approx(0.1));
  const auto flags = file.read_uint8("flags");
  REQUIRE(scores.size() == 30);
  for (std::size_t i = 0; i < 30; ++i) CHECK(flags[i] == (scores[i] > threshold ? 1 : 0));
  const ImageSet set = ImageSet::load(folder / "maps.h5");  // the images themselves, for what reads image sets
  CHECK(set.images == ImageSet::load(data).images);
  CHECK(set.class_names == std::vector<std::string>{"dark", "light"});
  const Picture picture = read_png(folder / "maps.png");
  CHECK(picture.channels == 3);
  CHECK(picture.width == 8 * (8 * 13 + 4) + 4);  // image, healed, map, mask, twice
}

TEST_CASE("detect's results don't depend on the number of threads") {
  const TemporaryFolder folder;
  const std::string data = images(folder, "data.h5", 40, false, false);
  for (const char* threads : {"1", "3"}) {
    REQUIRE(detect(data, folder / concat(threads, ".h5"), {"--threads", threads, "--score", "partial"}).code == 0);
  }
  CHECK(read_text(folder / "1.h5") == read_text(folder / "3.h5"));
}

TEST_CASE("without classes and masks detect says that nothing is known; masks alone say which images are normal") {
  const TemporaryFolder folder;
  const Outcome plain = detect(images(folder, "plain.h5", 6, false, false), folder / "a.h5");
  CHECK(plain.code == 0);
  CHECK(contains(plain.out, "nothing says which images are normal"));
  const Outcome masks = detect(images(folder, "masks.h5", 6, false, true), folder / "b.h5", {"--smooth", "1"});
  CHECK(masks.code == 0);
  CHECK(contains(masks.out, "all anomalous"));
  CHECK(contains(masks.out, "by chance 0.00781"));  // one of 128 pixels
  const Outcome learned = detect(images(folder, "known.h5", 6, true, false), folder / "c.h5");
  CHECK(contains(learned.out, "no image is anomalous"));  // the model learned both classes
}

TEST_CASE("several scores are standardised by half of the validation images") {
  const TemporaryFolder folder;
  const std::string data = images(folder, "data.h5", 10, false, false),
                    healthy = images(folder, "healthy.h5", 40, false, false);
  const std::vector<std::string> scores = {"--score", "denoising,bound", "--steps", "5"};
  CHECK(failed_with(detect(data, folder / "a.h5", scores), 2, {"standardise"}));
  std::vector<std::string> more = scores;
  more.insert(more.end(), {"--standardise", "--validation", healthy});
  const Outcome outcome = detect(data, folder / "a.h5", more);
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.out, "by 20 of the 40 images"));
  CHECK(contains(outcome.out, "(20 more set the scale)"));
  CHECK(contains(outcome.out, "flagged: "));
}

TEST_CASE("what detect can't do is one line, and nothing is written") {
  const TemporaryFolder folder;
  const std::string data = images(folder, "data.h5", 10, true, false), out = folder / "out.h5";
  write_images(folder / "large.h5", 4, 16);
  const auto fails = [&](const std::vector<std::string>& more, const std::vector<std::string>& parts) {
    const Outcome outcome = detect(data, out, more);
    INFO(outcome.err);
    CHECK(failed_with(outcome, 2, parts));
  };
  CHECK(failed_with(detect(folder / "large.h5", out), 2, {"large.h5", "[16,16,1]", "[8,8,1]"}));
  CHECK(failed_with(detect(folder / "none.h5", out), 1, {"none.h5"}));
  CHECK(failed_with(detect(data, folder / "out.png"), 2, {"--out", ".h5"}));
  CHECK(failed_with(detect(data, data), 2, {"would overwrite"}));
  CHECK(failed_with(detect(data, unet_checkpoint()), 2, {"would overwrite"}));
  fails({"--report", folder / "x.h5"}, {"--report", ".png"});
  fails({"--validation", data}, {"--validation", "set to examine itself"});
  fails({"--validation", folder / "large.h5"}, {"large.h5", "[16,16,1]"});
  const std::string few = images(folder, "few.h5", 18, true, false);
  fails({"--validation", few}, {"few.h5", "18 healthy images", "at least 19"});
  fails({"--validation", few, "--standardise", "--alpha", "0.09"}, {"every second one", "9 scores", "at least 11"});
  fails({"--validation", few, "--alpha", "2"}, {"alpha"});
  fails({"--alpha", "0.1"}, {"--alpha", "without --validation"});
  fails({"--standardise"}, {"--validation is missing"});
  fails({"--normal", "grey"}, {"--normal grey", "dark, light"});
  fails({"--score", "magic"}, {"magic", "denoising, partial, bound"});
  fails({"--score", "bound", "--report", folder / "x.png"}, {"--report", "no map"});
  fails({"--levels", "0.1,2"}, {"level 2"});
  fails({"--noise", "pink"}, {"gaussian, simplex"});
  fails({"--pool", "sum"}, {"mean, centre, max"});
  fails({"--score", "partial", "--steps", "41"}, {"41 steps of a chain of 40"});
  fails({"--steps", "10"}, {"--steps", "no effect"});
  CHECK(!std::filesystem::exists(out));
  const Outcome points = run({"data", "toy", "two_moons", "--count", "20", "--out", folder / "points.h5"});
  REQUIRE(points.code == 0);
  CHECK(failed_with(detect(folder / "points.h5", out), 2, {"points.h5", "[2]"}));
}

TEST_CASE("a set of images that were trained on is no fair validation set, and detect warns") {
  const TemporaryFolder folder;
  const Outcome outcome =
      detect(images(folder, "data.h5", 5, true, false), folder / "a.h5", {"--validation", unet_images()});
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.err, "the model was trained on"));
}

TEST_CASE("a model can be trained with simplex noise, which detection then uses; the bound is refused") {
  const TemporaryFolder folder;
  const Outcome trained = run({"train", "--config", "configs/digits.toml", "--out", folder / "run", "--set",
                               "data.train=" + unet_images(), "data.validation=" + unet_images(), "train.steps=2",
                               "train.batch_size=4", "train.preview_count=1", "diffusion.steps=40",
                               "model.channel_mult=[1]", "model.attention_resolutions=[]", "diffusion.noise=simplex"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const std::string data = images(folder, "data.h5", 5, true, false), checkpoint = folder / "run/checkpoint.h5";
  const Outcome found = run({"detect", "--checkpoint", checkpoint, "--data", data, "--out", folder / "a.h5"});
  CHECK(found.code == 0);
  CHECK(contains(found.out, "simplex noise"));
  CHECK(failed_with(
      run({"detect", "--checkpoint", checkpoint, "--data", data, "--out", folder / "b.h5", "--score", "bound"}), 2,
      {"normal noise only"}));
  CHECK(failed_with(run({"evaluate", "--checkpoint", checkpoint, "--data", data}), 2, {"normal noise only"}));
}

TEST_CASE("data select keeps classes, rows and masks, drops classes without images, and says how many were kept") {
  const TemporaryFolder folder;
  const std::string data = images(folder, "data.h5", 20, true, true), out = folder / "part.h5";
  const auto select = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = {"data", "select", "--data", data, "--out", out};
    all.insert(all.end(), more.begin(), more.end());
    return run(all);
  };
  const Outcome light = select({"--exclude", "dark"});
  INFO(light.err);
  REQUIRE(light.code == 0);
  CHECK(contains(light.out, "10 of the 20 images"));
  const ImageSet all = ImageSet::load(data), part = ImageSet::load(out);
  CHECK(part.class_names == std::vector<std::string>{"light"});
  CHECK(part.labels == std::vector<Index>(10, 0));
  CHECK(std::equal(part.images.begin(), part.images.begin() + 64, all.images.begin() + 64));  // row 1 is the first
  REQUIRE(select({"--rows", "4", "7", "--masks", "marked", "--name", "three"}).code == 0);
  CHECK(ImageSet::load(out).count == 2);  // rows 4 and 6
  CHECK(ImageSet::load(out).name == "three");
  CHECK(ImageSet::load(out).masks.size() == 2 * 64);
  CHECK(failed_with(select({"--classes", "grey"}), 2, {"--classes grey", "dark, light"}));
  CHECK(failed_with(select({"--rows", "4", "4"}), 2, {"--rows 4 4"}));
  CHECK(failed_with(select({"--rows", "0", "21"}), 2, {"--rows 0 21", "0 to 20"}));
  CHECK(failed_with(select({"--classes", "light", "--masks", "marked"}), 2, {"keeps none"}));
  const std::string plain = images(folder, "plain.h5", 4, false, false);
  CHECK(failed_with(run({"data", "select", "--data", plain, "--classes", "a", "--out", out}), 2, {"has none"}));
  CHECK(failed_with(run({"data", "select", "--data", plain, "--masks", "empty", "--out", out}), 2, {"has no masks"}));
  CHECK(failed_with(run({"data", "select", "--data", plain, "--out", plain}), 2, {"would overwrite"}));
}
