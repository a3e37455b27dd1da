// What a model and its samples are worth: the bound, the likelihood, distances from data.
#include <doctest/doctest.h>

#include <cmath>
#include <csignal>

#include "tests/apps/program.h"

using namespace reverie;

namespace {

// The number after a name in a report.
double number(const std::string& text, const std::string& name) {
  const auto at = text.find("  " + name + " ");
  return at == std::string::npos ? NAN : std::stod(text.substr(at + 2 + name.size()));
}

bool within_80_columns(const std::string& text) {
  for (const std::string& line : split(text, '\n')) {
    if (line.size() > 80 && !contains(line, "/")) return false;  // but for names of files
  }
  return true;
}

}  // namespace

TEST_CASE("evaluation: the three parts add up, the table has a line a step, threads change nothing") {
  const TemporaryFolder folder;
  const auto evaluate = [&](const char* threads) {
    const Outcome outcome = run({"evaluate", "--checkpoint", unet_checkpoint(), "--data", unet_images(), "--count",
                                 "11", "--threads", threads, "--out", folder / concat(threads, ".csv")});
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    return outcome.out.substr(outcome.out.find('\n'), outcome.out.rfind('\n'));
  };
  const auto part = [](const std::string& text, const std::string& name) {
    return std::stod(text.substr(text.find(name) + name.size()));
  };
  const std::string text = evaluate("1");
  CHECK(part(text, "total") ==
        doctest::Approx(part(text, "prior") + part(text, "middle") + part(text, "decoder")).epsilon(1e-3));
  CHECK(contains(text, "standard error"));
  const std::string table = read_text(folder / "1.csv");
  CHECK(table.starts_with("t,vb,vb_error,mse,mse_error,x0_mse,x0_mse_error\n0,"));
  CHECK(split(table, '\n').size() == 1 + 41);
  evaluate("3");
  CHECK(read_text(folder / "3.csv") == table);

  CHECK(failed_with(run({"evaluate", "--checkpoint", unet_checkpoint(), "--data", "data/sets/digits-test.h5"}), 2,
                    {"digits-test.h5", "[28,28,1]", "[8,8,1]"}));
}

TEST_CASE("points: likelihood and samples with no flags but the data; eight modes are counted, and a collapse shows") {
  const TemporaryFolder folder;
  const Outcome trained = run(small_run(
      folder / "run", {"--set", "data.train=toy:eight_gaussians", "--set", "data.validation=toy:eight_gaussians"}));
  REQUIRE(trained.code == 0);
  const Outcome outcome = run(
      {"evaluate", "--checkpoint", folder / "run/checkpoint.h5", "--data", "toy:eight_gaussians", "--compare", "800"});
  INFO(outcome.err);
  INFO(outcome.out);
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "");
  CHECK(within_80_columns(outcome.out));
  // No model's mean log density exceeds the negative entropy of the data, ln 8 + ln(2 pi e 0.1^2) = 0.312 nats.
  CHECK(number(outcome.out, "nats") < -0.25);
  CHECK(number(outcome.out, "nats") > -4);
  CHECK(number(outcome.out, "modes found") >= 6);
  CHECK(contains(outcome.out, "of 8"));
  CHECK(number(outcome.out, "precision") > 0.2);
  CHECK(contains(outcome.out, "nearly copied"));
  CHECK(!contains(outcome.out, "FID"));

  // What the data are, and a spiral instead of them.
  CHECK(run({"data", "toy", "eight_gaussians", "--count", "600", "--seed", "7", "--out", folder / "good.h5"}).code ==
        0);
  CHECK(run({"data", "toy", "swiss_roll", "--count", "600", "--out", folder / "bad.h5"}).code == 0);
  const auto compare = [&](const std::string& samples) {
    return run({"evaluate", "--samples", folder / samples, "--data", "toy:eight_gaussians", "--training",
                "toy:eight_gaussians", "--compare", "600"});
  };
  const Outcome good = compare("good.h5"), bad = compare("bad.h5");
  CHECK(good.code == 0);
  CHECK(number(good.out, "modes found") == 8);
  CHECK(number(good.out, "share in modes") > 0.99);
  CHECK(number(good.out, "Frechet distance") < 0.05);
  CHECK(number(bad.out, "share in modes") < 0.5);
  CHECK(number(bad.out, "precision") < 0.5);
  CHECK(number(bad.out, "recall") < number(good.out, "recall"));
}

TEST_CASE("images: drawn samples or a set of them against data, on the features of a classifier, which is said") {
  const TemporaryFolder folder;
  const std::string classifier = folder / "classifier.h5";
  REQUIRE(run({"classifier", "--data", unet_images(), "--epochs", "20", "--out", classifier}).code == 0);
  const auto evaluate = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"evaluate", "--data", unet_images()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  const Outcome drawn = evaluate({"--checkpoint", unet_checkpoint(), "--classifier", classifier, "--draw", "12",
                                  "--count", "2", "--ode", "2", "--tolerance", "0.1"});
  INFO(drawn.err);
  INFO(drawn.out);
  CHECK(drawn.code == 0);
  for (const char* part :
       {"variational bound", "probability-flow ODE", "not FID", "a small classifier that reverie trained",
        "Frechet distance", "kernel distance", "precision", "recall", "density", "coverage", "class accuracy",
        "classes found", "mean brightness", "95% interval", "dark:"})
    CHECK_MESSAGE(contains(drawn.out, part), part);
  CHECK(contains(drawn.out, "the data are among them"));  // trained on the very images
  CHECK(within_80_columns(drawn.out));
  CHECK(number(drawn.out, "bits/dim") > 0);

  const std::string samples = folder / "samples.h5";
  REQUIRE(run({"sample", "--checkpoint", unet_checkpoint(), "--count", "12", "--out", samples}).code == 0);
  const Outcome from_file = evaluate({"--samples", samples, "--classifier", classifier});
  CHECK(from_file.code == 0);
  CHECK(number(from_file.out, "Frechet distance") == doctest::Approx(number(drawn.out, "Frechet distance")));
  CHECK(!contains(from_file.out, "variational bound"));

  CHECK(failed_with(evaluate({}), 2, {"--checkpoint", "--samples"}));
  CHECK(failed_with(evaluate({"--checkpoint", unet_checkpoint(), "--ode", "2", "--tolerance", "0"}), 2,
                    {"--tolerance 0"}));
  CHECK(failed_with(evaluate({"--checkpoint", unet_checkpoint(), "--count", "0"}), 2, {"nothing to measure"}));
  CHECK(failed_with(evaluate({"--samples", samples, "--classifier", classifier, "--compare", "5"}), 2, {"at least 6"}));
  CHECK(failed_with(evaluate({"--checkpoint", unet_checkpoint(), "--samples", samples, "--draw", "9"}), 2,
                    {"choose one"}));
  CHECK(failed_with(evaluate({"--samples", samples}), 2, {"--classifier is missing", "reverie classifier"}));
  CHECK(failed_with(evaluate({"--samples", samples, "--classifier", classifier, "--count", "3"}), 2,
                    {"--checkpoint is missing"}));
  CHECK(failed_with(evaluate({"--samples", folder / "none.h5", "--classifier", classifier}), 1, {"none.h5"}));
  CHECK(failed_with(evaluate({"--samples", samples, "--classifier", samples}), 1, {"is not a classifier"}));
  CHECK(failed_with(evaluate({"--samples", samples, "--classifier", classifier, "--out", folder / "x.csv"}), 2,
                    {"--out", "bound"}));
  CHECK(failed_with(evaluate({"--checkpoint", unet_checkpoint(), "--training", folder / "none.h5", "--draw", "12",
                              "--count", "0", "--classifier", classifier}),
                    1, {"none.h5"}));
  CHECK(failed_with(run({"evaluate", "--checkpoint", unet_checkpoint(), "--data", "toy:two_moons"}), 2,
                    {"[2]", "[8,8,1]"}));
}

TEST_CASE("Ctrl-C while evaluating says so and writes nothing") {
  const TemporaryFolder folder;
  const Outcome outcome = run({"evaluate", "--checkpoint", unet_checkpoint(), "--data", "data/sets/digits-test.h5",
                               "--count", "2", "--out", folder / "x.csv"});
  CHECK(outcome.code == 2);
  const Outcome stopped = run({"evaluate", "--checkpoint", unet_checkpoint(), "--data", unet_images(), "--ode", "20",
                               "--tolerance", "1e-9", "--count", "0"},
                              {.signal = SIGINT, .after = 1});
  CHECK(stopped.code == 130);
  CHECK(contains(stopped.out, "stopped"));
  CHECK(folder.files() == 0);
}
