// evaluate found a missing classifier after the whole bound, and classifier --test after training.
#include <doctest/doctest.h>

#include "data/image_set.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

// Fails before anything is printed.
void fails_first(const std::vector<std::string>& arguments, int code, const std::vector<std::string>& parts) {
  const Outcome outcome = run(arguments);
  INFO(outcome.out);
  INFO(outcome.err);
  CHECK(failed_with(outcome, code, parts));
  CHECK(outcome.out.empty());
}

}  // namespace

TEST_CASE("evaluate opens and checks all its inputs before it computes") {
  const TemporaryFolder folder;
  const std::string classifier = folder / "classifier.h5", few = folder / "few.h5", large = folder / "large.h5";
  REQUIRE(run({"classifier", "--data", unet_images(), "--epochs", "1", "--out", classifier}).code == 0);
  write_images(few, 3, 8);
  write_images(large, 20, 16);
  write_text(folder / "text.h5", "no HDF5");
  const auto evaluate = [&](std::vector<std::string> more, int code, const std::vector<std::string>& parts) {
    more.insert(more.begin(), {"evaluate", "--checkpoint", unet_checkpoint(), "--data", unet_images()});
    fails_first(more, code, parts);
  };
  evaluate({"--classifier", folder / "none.h5"}, 1, {"none.h5"});
  evaluate({"--classifier", unet_checkpoint()}, 1, {"is not a classifier"});
  evaluate({"--classifier", classifier, "--samples", folder / "none.h5"}, 1, {"none.h5"});
  evaluate({"--classifier", classifier, "--samples", folder / "text.h5"}, 1, {"text.h5"});
  evaluate({"--classifier", classifier, "--samples", large}, 2, {"large.h5", "[16,16,1]", "[8,8,1]"});
  evaluate({"--classifier", classifier, "--samples", few}, 2, {"few.h5", "3 samples", "at least 6"});
  evaluate({"--classifier", classifier, "--training", few}, 2, {"few.h5", "3 samples", "at least 6"});
  evaluate({"--classifier", classifier, "--training", folder / "none.h5"}, 1, {"none.h5"});
  evaluate({"--classifier", classifier, "--training", large}, 2, {"large.h5", "[16,16,1]"});
  evaluate({"--count", "21"}, 2, {"--count 21", "20 samples"});
  evaluate({"--ode", "21"}, 2, {"--ode 21", "20 samples"});
  fails_first({"evaluate", "--data", few, "--samples", unet_images(), "--classifier", classifier}, 2,
              {"few.h5", "3 samples", "at least 6"});
}

TEST_CASE("classifier checks its test set before it trains") {
  const TemporaryFolder folder;
  write_images(folder / "large.h5", 20, 16);
  ImageSet unlabelled = ImageSet::load(unet_images());
  unlabelled.labels.clear(), unlabelled.class_names.clear();
  unlabelled.save(folder / "unlabelled.h5");
  for (const auto& [test, part] : {std::pair{"large.h5", "[8,8,1]"}, {"unlabelled.h5", "expects the 2 classes"}})
    fails_first({"classifier", "--data", unet_images(), "--test", folder / test, "--out", folder / "x.h5"}, 2,
                {test, part});
  CHECK(!std::filesystem::exists(folder / "x.h5"));
}

TEST_CASE("too many sampling steps, samples and pixels are told at once, in terms of the options") {
  const TemporaryFolder folder;
  const auto sample = [&](std::vector<std::string> more, const std::vector<std::string>& parts) {
    more.insert(more.begin(), {"sample", "--checkpoint", unet_checkpoint(), "--out", folder / "x.png"});
    fails_first(more, 2, parts);
  };
  sample({"--steps", "41"}, {"41 steps", "--steps", "chain of 40", "1 to 40"});
  sample({"--sampler", "heun", "--steps", "1000000000000"}, {"sample.steps", "1000000000000"});
  sample({"--count", "1000000000000"}, {"1000000000000 samples"});
  sample({"--count", "1000000"}, {"1000000 images", "pixels", ".h5"});
  CHECK(folder.files() == 0);
  fails_first({"data", "toy", "two_moons", "--count", "1000000000000", "--out", folder / "x.h5"}, 2, {"points"});
  fails_first({"explain", "--config", "configs/digits.toml", "--shape", "99999x99999x3"}, 2, {"--shape"});
}
