// From a checkpoint to samples: new ones, guided ones, and images encoded and brought back.
#include <doctest/doctest.h>

#include <csignal>

#include "data/hdf5.h"
#include "data/image_set.h"
#include "data/png.h"
#include "tests/apps/program.h"

using namespace reverie;

TEST_CASE("samples: an image set that says how it was made; by class name or number; alike for any threads") {
  const TemporaryFolder folder;
  const auto sample = [&](const std::string& file, std::vector<std::string> more) {
    std::vector<std::string> arguments{"sample", "--checkpoint", unet_checkpoint(), "--out", folder / file};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run(arguments);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    return outcome;
  };
  const Outcome outcome =
      sample("a.h5", {"--count", "19", "--sampler", "ddim", "--steps", "5", "--seed", "4", "--threads", "1"});
  CHECK(contains(outcome.out, "mean brightness 0."));
  CHECK(!contains(outcome.out, "\r"));
  const ImageSet a = ImageSet::load(folder / "a.h5");
  CHECK(a.count == 19);
  CHECK(a.class_names == std::vector<std::string>{"dark", "light"});
  CHECK(a.labels[3] == 1);  // the classes in turn
  for (const std::string part : {"checkpoint.h5", "step 3", "ema:0.5", "ddim", "5 of 40 steps", "seed 4"})
    CHECK_MESSAGE(contains(a.source, part), a.source);
  sample("b.h5", {"--count", "19", "--sampler", "ddim", "--steps", "5", "--seed", "4", "--threads", "3"});
  CHECK(ImageSet::load(folder / "b.h5").images == a.images);
  const auto full = [&](const std::string& file, std::vector<std::string> more) {  // all steps let small errors show
    more.insert(more.end(), {"--count", "99", "--sampler", "ddpm", "--seed", "4", "--weights", "raw"});
    sample(file, more);
    return ImageSet::load(folder / file);
  };
  const ImageSet rounded = full("c.h5", {"--products", "bfloat16"});
  CHECK(rounded.images != full("d.h5", {}).images);
  CHECK(contains(rounded.source, "seed 4, products in bfloat16"));
  CHECK(failed_with(run({"sample", "--checkpoint", unet_checkpoint(), "--products", "half", "--out", folder / "x.h5"}),
                    2, {"--products", "half", "bfloat16"}));

  sample("name.h5", {"--count", "3", "--class", "light", "--guidance", "2", "--weights", "raw"});
  sample("number.h5", {"--count", "3", "--class", "1", "--guidance", "2", "--weights", "raw"});
  const ImageSet by_name = ImageSet::load(folder / "name.h5");
  CHECK(by_name.labels == std::vector<Index>{1, 1, 1});
  CHECK(by_name.images == ImageSet::load(folder / "number.h5").images);
  CHECK(failed_with(run({"sample", "--checkpoint", unet_checkpoint(), "--class", "grey", "--out", folder / "x.h5"}), 2,
                    {"grey", "dark, light"}));
  CHECK(failed_with(run({"sample", "--checkpoint", unet_checkpoint(), "--class", "2", "--out", folder / "x.h5"}), 2,
                    {"--class 2", "dark, light"}));
  CHECK(!std::filesystem::exists(folder / "x.h5"));
}

TEST_CASE("Ctrl-C while sampling writes nothing") {
  const TemporaryFolder folder;
  const Outcome outcome =
      run({"sample", "--checkpoint", unet_checkpoint(), "--count", "100000", "--out", folder / "x.png"},
          {.signal = SIGINT, .after = 1});
  CHECK(outcome.code == 130);
  CHECK(contains(outcome.out, "nothing was written"));
  CHECK(folder.files() == 0);
}

TEST_CASE("guidance by a classifier that the program trained, for models with and without classes") {
  const TemporaryFolder folder;
  const std::string noisy = folder / "noisy.h5", clean = folder / "clean.h5";
  for (const auto& [file, flag] : {std::pair{noisy, "--noisy"}, std::pair{clean, "--threads=2"}}) {
    const Outcome trained =
        run({"classifier", "--data", unet_images(), "--test", unet_images(), "--epochs", "20", flag, "--out", file});
    INFO(trained.err);
    CHECK(trained.code == 0);
    CHECK(contains(trained.out, "a classifier of 2 classes"));
    CHECK(contains(trained.out, "accuracy on 20 images"));
    CHECK(contains(trained.out, "with noise of sigma 0.5") == (file == noisy));
    CHECK(contains(run({"inspect", file}).out, "classifier"));
  }
  const auto sample = [&](const std::string& file, std::vector<std::string> more) {
    std::vector<std::string> arguments{"sample", "--checkpoint", unet_checkpoint(), "--count", "6", "--steps",
                                       "4",      "--out",        folder / file};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  for (const char* sampler : {"ddpm", "ddim", "heun"}) {
    CAPTURE(sampler);
    const Outcome guided =
        sample("guided.h5", {"--sampler", sampler, "--classifier", noisy, "--classifier-scale", "3"});
    CHECK(guided.code == 0);
    CHECK(contains(guided.out, "guided by a classifier, scale 3"));
    CHECK(sample("plain.h5", {"--sampler", sampler}).code == 0);
    CHECK(ImageSet::load(folder / "guided.h5").images != ImageSet::load(folder / "plain.h5").images);
    CHECK(contains(ImageSet::load(folder / "guided.h5").source, "guided by a classifier"));
  }
  CHECK(failed_with(sample("x.h5", {"--classifier", noisy, "--classifier-scale", "nan"}), 2, {"scale"}));
  CHECK(failed_with(sample("x.h5", {"--classifier", clean}), 2, {"reverie classifier --noisy"}));
  CHECK(failed_with(sample("x.h5", {"--classifier", folder / "none.h5"}), 1, {"none.h5"}));
  CHECK(failed_with(sample("x.h5", {"--classifier", unet_checkpoint()}), 1, {"is not a classifier"}));
  CHECK(failed_with(run({"classifier", "--data", "data/sets/none.h5", "--out", folder / "x.h5"}), 1, {"none.h5"}));
  CHECK(!std::filesystem::exists(folder / "x.h5"));
}

TEST_CASE("images encoded to noise by DDIM backwards, and brought back") {
  const TemporaryFolder folder;
  const auto encode = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"sample", "--checkpoint", unet_checkpoint(), "--encode", unet_images()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  const Outcome back = encode({"--steps", "0", "--out", folder / "back.h5", "--noise", folder / "noise.h5"});
  INFO(back.err);
  CHECK(back.code == 0);
  CHECK(contains(back.out, "20 samples of"));  // all there are
  CHECK(contains(back.out, "ddim with 40 of 40 steps"));
  CHECK(contains(back.out, "encoded to noise x_T of deviation"));
  CHECK(Hdf5File::open(folder / "noise.h5").read_tensor("x_T").shape() == Shape{20, 8, 8, 1});
  const ImageSet images = ImageSet::load(unet_images()), returned = ImageSet::load(folder / "back.h5");
  CHECK(returned.labels == images.labels);
  double difference = 0;
  for (std::size_t i = 0; i < images.images.size(); ++i)
    difference += std::abs(static_cast<double>(images.images[i]) - static_cast<double>(returned.images[i]));
  CHECK(difference / static_cast<double>(images.images.size()) < 60);  // noise against noise differs by 85

  CHECK(encode({"--steps", "5", "--count", "3", "--class", "light", "--out", folder / "pairs.png"}).code == 0);
  CHECK(read_png(folder / "pairs.png").width > 0);
  CHECK(failed_with(run({"sample", "--checkpoint", unet_checkpoint(), "--encode", "data/sets/digits-test.h5", "--out",
                         folder / "x.png"}),
                    2, {"[28,28,1]", "[8,8,1]"}));
  CHECK(failed_with(
      run({"sample", "--checkpoint", unet_checkpoint(), "--noise", folder / "n.h5", "--out", folder / "x.png"}), 2,
      {"--noise", "--encode"}));
  CHECK(!std::filesystem::exists(folder / "x.png"));
}
