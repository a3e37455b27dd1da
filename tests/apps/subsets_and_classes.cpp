// Sets that are sorted by class, list their classes in another order, or lack one; held-out images that were trained
// on.
#include <doctest/doctest.h>

#include <numeric>

#include "data/image_set.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

// The images of `unet_images`, in this order.
ImageSet reordered(const std::vector<Index>& rows) {
  const ImageSet all = ImageSet::load(unet_images());
  ImageSet set = all;
  set.count = std::ssize(rows);
  set.images.clear(), set.labels.clear();
  const Index size = all.height * all.width * all.channels;
  for (const Index row : rows) {
    set.images.insert(set.images.end(), all.images.begin() + row * size, all.images.begin() + (row + 1) * size);
    set.labels.push_back(all.labels[row]);
  }
  return set;
}

// The same images with the classes listed from last to first.
ImageSet relisted() {
  ImageSet set = ImageSet::load(unet_images());
  std::swap(set.class_names[0], set.class_names[1]);
  for (Index& label : set.labels) label = 1 - label;
  return set;
}

std::string after(const std::string& text, const std::string& words) {
  const auto at = text.find(words);
  return at == std::string::npos ? "" : text.substr(at + words.size(), text.find('\n', at) - at - words.size());
}

}  // namespace

TEST_CASE("sets sorted by class: the last line of training, the yardstick and the grid are not of the first class") {
  const TemporaryFolder folder;
  std::vector<Index> sorted;
  for (Index i = 0; i < 20; ++i) sorted.push_back(2 * (i % 10) + i / 10);
  reordered(sorted).save(folder / "sorted.h5");
  const Outcome trained = run(
      {"train", "--config", "configs/digits.toml", "--out", folder / "run", "--set", "data.train=" + unet_images(),
       "data.validation=" + folder / "sorted.h5", "train.validation_count=10", "train.steps=1", "train.batch_size=4",
       "train.preview_count=1", "diffusion.steps=40", "model.channel_mult=[1]", "model.attention_resolutions=[]"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const double dark = 0.25;
  CHECK(std::stod(after(trained.out + trained.err, "of held-out data ")) > dark + 0.1);

  REQUIRE(run({"classifier", "--data", unet_images(), "--epochs", "20", "--out", folder / "c.h5"}).code == 0);
  const Outcome itself = run({"evaluate", "--samples", unet_images(), "--data", folder / "sorted.h5", "--training",
                              folder / "sorted.h5", "--classifier", folder / "c.h5", "--compare", "9"});
  INFO(itself.err);
  REQUIRE(itself.code == 0);
  CHECK(contains(after(itself.out, "classes found"), " 2  of 2; data: 2"));
  CHECK(contains(itself.out, "in the training set: 9 of 9 samples, 9 of 9 of the data\n"));
}

TEST_CASE("classes in another order: accuracy, bound, training and encoding are those of the same set") {
  const TemporaryFolder folder;
  relisted().save(folder / "other.h5");
  const auto accuracy = [&](const std::string& test) {
    const Outcome outcome =
        run({"classifier", "--data", unet_images(), "--test", test, "--epochs", "20", "--out", folder / "c.h5"});
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    return after(outcome.out, "images of " + test + ": ");
  };
  CHECK(accuracy(unet_images()) == "100%");
  CHECK(accuracy(folder / "other.h5") == "100%");
  const auto table = [&](const std::string& data) {
    CHECK(
        run({"evaluate", "--checkpoint", unet_checkpoint(), "--data", data, "--count", "6", "--out", folder / "t.csv"})
            .code == 0);
    return read_text(folder / "t.csv");
  };
  CHECK(table(unet_images()) == table(folder / "other.h5"));
  const auto noise = [&](const std::string& data) {
    CHECK(run({"sample", "--checkpoint", unet_checkpoint(), "--encode", data, "--steps", "5", "--count", "4", "--out",
               folder / "x.h5"})
              .code == 0);
    return ImageSet::load(folder / "x.h5").images;
  };
  CHECK(noise(unet_images()) == noise(folder / "other.h5"));
  const Outcome compared = run({"evaluate", "--samples", folder / "other.h5", "--data", unet_images(), "--classifier",
                                folder / "c.h5", "--training", folder / "other.h5"});
  CHECK(contains(after(compared.out, "class accuracy"), " 1  1 to 1                       1  "));
}

TEST_CASE("a run is resumed with its classes in another order, to the same bits, but not with other classes") {
  const TemporaryFolder folder;
  const std::string set = folder / "set.h5",
                    config = std::filesystem::path(unet_checkpoint()).parent_path() / "config.toml";
  const auto train = [&](const std::string& run_folder, std::vector<std::string> more) {
    std::vector<std::string> arguments{"train", "--out", run_folder};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  const ImageSet images = ImageSet::load(unet_images());
  images.save(set);
  for (const char* name : {"a", "b"}) {
    const Outcome outcome = train(folder / name, {"--config", config, "--set", "data.train=" + set});
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
  }
  REQUIRE(train(folder / "a", {"--resume", "--set", "train.steps=6"}).code == 0);
  relisted().save(set);
  REQUIRE(train(folder / "b", {"--resume", "--set", "train.steps=6"}).code == 0);
  CHECK(same_checkpoints(folder / "a/checkpoint.h5", folder / "b/checkpoint.h5"));
  ImageSet other = images;
  other.class_names = {"dark", "bright"};
  other.save(set);
  CHECK(failed_with(train(folder / "b", {"--resume", "--set", "train.steps=9"}), 2,
                    {"missing \"light\"; unexpected \"bright\""}));
}

TEST_CASE("another set of classes is refused, and the names that are missing or unexpected are listed") {
  const TemporaryFolder folder;
  ImageSet set = ImageSet::load(unet_images());
  set.class_names = {"dark", "light", "red"};
  set.save(folder / "more.h5");
  set.class_names = {"dark", "bright"};
  set.save(folder / "other.h5");
  set.class_names = {"dark"}, set.labels.assign(set.labels.size(), 0);
  set.save(folder / "fewer.h5");
  const std::string c = folder / "c.h5", out = folder / "out.h5";
  const auto refused = [&](std::vector<std::string> arguments, const std::string& name, const std::string& words) {
    const Outcome outcome = run(arguments);
    INFO(outcome.out);
    INFO(outcome.err);
    CHECK(failed_with(outcome, 2, {name, words}));
  };
  const auto classifier = [&](const std::string& test, const std::string& words) {
    refused({"classifier", "--data", unet_images(), "--test", folder / test, "--epochs", "1", "--out", out}, test,
            words);
    CHECK(!std::filesystem::exists(out));
  };
  classifier("more.h5", "unexpected \"red\"");
  classifier("other.h5", "missing \"light\"; unexpected \"bright\"");
  classifier("fewer.h5", "missing \"light\"");

  REQUIRE(run({"classifier", "--data", unet_images(), "--epochs", "1", "--out", c}).code == 0);
  const std::string other = folder / "other.h5", good = unet_images(),
                    wrong = "missing \"light\"; unexpected \"bright\"";
  refused({"evaluate", "--checkpoint", unet_checkpoint(), "--data", other, "--count", "2"}, "other.h5", wrong);
  refused({"evaluate", "--samples", good, "--data", other, "--classifier", c}, "other.h5", wrong);
  refused({"evaluate", "--samples", other, "--data", good, "--classifier", c}, "other.h5", wrong);
  refused({"evaluate", "--samples", good, "--data", good, "--classifier", c, "--training", other}, "other.h5", wrong);
  refused({"sample", "--checkpoint", unet_checkpoint(), "--encode", other, "--out", out}, "other.h5", wrong);
  refused({"train", "--config", std::filesystem::path(unet_checkpoint()).parent_path() / "config.toml", "--out",
           folder / "run", "--set", "data.validation=" + folder / "fewer.h5"},
          "fewer.h5", "missing \"light\"");
}
