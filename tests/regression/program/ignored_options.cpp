// Options without an effect were ignored in silence: `--sampler ddim --sigmas nonsense`, `--order 2.5`, and others.
#include <doctest/doctest.h>

#include "diffusion/model/checkpoint.h"
#include "tests/apps/program.h"

using namespace reverie;

TEST_CASE("an option that the sampler doesn't use is an error that lists those it uses") {
  const TemporaryFolder folder;
  const auto sample = [&](std::vector<std::string> more, const std::string& checkpoint = unet_checkpoint()) {
    std::vector<std::string> arguments{"sample", "--checkpoint", checkpoint,           "--count", "2", "--steps",
                                       "3",      "--out",        folder / "samples.h5"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  const auto refused = [&](const std::vector<std::string>& more, const std::vector<std::string>& parts) {
    CHECK(failed_with(sample(more), 2, parts));
  };
  refused({"--sampler", "ddim", "--sigmas", "karras", "--rho", "3"}, {"sampler ddim", "sigmas", "eta"});
  refused({"--sampler", "ddim", "--sigmas", "nonsense"}, {"sampler ddim", "sigmas"});
  refused({"--sampler", "ddim", "--rho", "3"}, {"sampler ddim", "rho", "eta"});
  refused({"--sampler", "heun", "--eta", "1"}, {"sampler heun", "eta", "s_churn"});
  refused({"--sampler", "heun", "--sigmas", "chain", "--rho", "3"}, {"chain", "rho", "karras"});
  refused({"--sampler", "heun", "--sigmas", "exponential", "--rho", "3"}, {"exponential", "rho", "sigma_min"});
  refused({"--sampler", "unipc", "--order", "2.5"}, {"order", "2.5", "whole number"});
  refused({"--sampler", "heun", "--solver-type", "bh1"}, {"bh1", "none"});
  refused({"--sampler", "heun", "--s-noise", "1.1"}, {"--s-noise", "s_churn is 0", "--s-churn"});
  refused({"--sampler", "euler_ancestral", "--eta", "0", "--s-noise", "1.1"}, {"--s-noise", "eta is 0"});
  refused({"--guidance-rescale", "0.5"}, {"--guidance-rescale", "--guidance"});
  refused({"--classifier-scale", "2"}, {"--classifier-scale", "--classifier"});
  CHECK(failed_with(run({"sample", "--checkpoint", unet_checkpoint(), "--encode", unet_images(), "--count", "21",
                         "--out", folder / "x.h5"}),
                    2, {"--count 21", "images.h5", "20 samples"}));
  CHECK(folder.files() == 0);

  // What a checkpoint's configuration says of its own sampler is no obstacle to others, nor what older versions
  // ignored.
  Checkpoint checkpoint = read_checkpoint(unet_checkpoint());
  checkpoint.config.sample.sampler = "heun";
  checkpoint.config.sample.sampler_parameters = {{"s_churn", 5}, {"s_noise", 1.1}};
  checkpoint.config.sample.sigmas = "karras";
  checkpoint.config.sample.sigma_parameters = {{"rho", 3}};
  write_checkpoint(folder / "heun.h5", checkpoint);
  CHECK(contains(sample({}, folder / "heun.h5").out, "s_churn 5"));
  const Outcome ddim = sample({"--sampler", "ddim"}, folder / "heun.h5");
  CHECK(contains(ddim.out, "ddim with 3 of 40 steps, seed 0"));
  CHECK(contains(sample({"--sampler", "euler"}, folder / "heun.h5").out, "sigmas karras, rho 3"));
  checkpoint.config.sample.sampler = "ddim";
  checkpoint.config.sample.sampler_parameters.clear();
  write_checkpoint(folder / "ddim.h5", checkpoint);
  CHECK(contains(sample({}, folder / "ddim.h5").out, "ddim with 3 of 40 steps, seed 0"));
}

TEST_CASE("the [sample] section: options given with a sampler are checked, those of a replaced one are dropped") {
  Config config;
  set_config(config, std::vector<std::string>{"sample.sigmas=karras", "sample.sampler_parameters={ s_churn = 5 }",
                                              "sample.sampler=heun"});
  CHECK(error_of([&] { check_config(config); }) == "nothing");
  CHECK(config.sample.sampler_parameters.at("s_churn") == 5);
  set_config(config, std::vector<std::string>{"sample.sampler=ddim"});
  CHECK(error_of([&] { check_config(config); }) == "nothing");
  CHECK(config.sample.sigmas.empty());
  set_config(config, "sample.sigmas=karras");
  CHECK(contains(error_of([&] { check_config(config); }), "sampler ddim"));
  const TemporaryFolder folder;
  CHECK(failed_with(run(small_run(folder / "run", {"--set", "sample.sampler=ddim", "--set", "sample.sigmas=karras"})),
                    2, {"sampler ddim", "sigmas"}));
  CHECK(folder.files() == 0);
}

TEST_CASE("options of other commands without an effect") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& option) {
    const Outcome outcome = run(arguments);
    INFO(outcome.err);
    CHECK(failed_with(outcome, 2, {option, "has no effect"}));
  };
  const auto evaluate = [&](std::vector<std::string> more, const std::string& option) {
    more.insert(more.begin(), {"evaluate", "--data", unet_images(), "--checkpoint", unet_checkpoint()});
    refused(more, option);
  };
  evaluate({"--tolerance", "0.1"}, "--tolerance");
  evaluate({"--probes", "1"}, "--probes");
  evaluate({"--compare", "10"}, "--compare");
  evaluate({"--training", unet_images()}, "--training");
  evaluate({"--classifier", "c.h5", "--draw", "0"}, "--classifier");
  refused({"evaluate", "--data", "toy:two_moons", "--samples", "toy:two_moons", "--classifier", "c.h5"},
          "--classifier");
  refused({"evaluate", "--data", "toy:two_moons", "--samples", "toy:two_moons", "--weights", "raw"}, "--weights");
  refused({"explain", "--config", "configs/toy-moons.toml", "--runs", "3"}, "--runs");
  refused({"explain", "--config", "configs/toy-moons.toml", "--shape", "2", "--classes", "3"}, "--classes");
  refused({"sample", "--checkpoint", unet_checkpoint(), "--noise", "n.h5", "--out", folder / "x.h5"}, "--noise");
  CHECK(failed_with(run({"inspect", unet_images(), "--all"}), 2, {"--all", "images.h5"}));
}
