// Training as a user does it: a run from end to end, interruptions of every kind, threads, what is shown.
#include <doctest/doctest.h>

#include <csignal>
#include <set>

#include "data/png.h"
#include "diffusion/model/checkpoint.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

// The lines of metrics without what depends on the clock.
std::vector<std::string> timeless(const std::string& metrics_path) {
  std::vector<std::string> lines = split(read_text(metrics_path), '\n');
  for (std::string& line : lines) line = line.substr(0, line.find(",\"images_per_second\""));
  return lines;
}

// Resumes a run if it had begun when it was killed, else begins it.
std::vector<std::string> begun_run(const std::string& folder) {
  if (!std::filesystem::exists(folder + "/config.toml")) return small_run(folder);
  return small_run(folder, {"--resume"});
}

struct Reference {
  TemporaryFolder folder;
  Outcome outcome = run(small_run(folder / "run"));
  std::string checkpoint = folder / "run/checkpoint.h5", metrics = folder / "run/metrics.jsonl";
};

// One run that nobody disturbed, which the others are compared with.
const Reference& undisturbed() {
  static const Reference reference;
  return reference;
}

}  // namespace

TEST_CASE("a small run leaves checkpoint, configuration, metrics, curve and samples, and says so") {
  const Reference& reference = undisturbed();
  REQUIRE(reference.outcome.code == 0);
  CHECK(reference.outcome.err == "");
  for (const char* file : {"checkpoint.h5", "config.toml", "metrics.jsonl", "loss.svg", "samples.png", "report.html"}) {
    INFO(file);
    CHECK(std::filesystem::exists(reference.folder / ("run/" + std::string(file))));
  }
  CHECK(std::distance(std::filesystem::directory_iterator(reference.folder / "run"), {}) == 7);
  CHECK(contains(reference.outcome.out, "checkpoint.h5"));
  CHECK(read_checkpoint(reference.checkpoint).state.step == 400);
  CHECK(read_png(reference.folder / "run/samples.png").width == 512);
  const std::string svg = read_text(reference.folder / "run/loss.svg");
  CHECK(contains(svg, "training"));
  CHECK(contains(svg, "validation"));
}

TEST_CASE("metrics: the training loss every log_every steps, the validation loss from step 0 to the end; both fall") {
  const std::vector<std::string> lines = timeless(undisturbed().metrics);
  CHECK(lines.size() == 40 + 9 + 1);
  CHECK(lines.front().starts_with("{\"step\":0,\"validation_loss\":"));
  CHECK(lines[1].starts_with("{\"step\":10,\"loss\":"));
  CHECK(contains(lines[1], "\"gradient_norm\":"));
  for (const char* quarter : {"loss_q1", "loss_q2", "loss_q3", "loss_q4"}) CHECK(contains(lines[1], quarter));
  CHECK(contains(lines[1], "\"learning_rate\":"));
  CHECK(lines[48].starts_with("{\"step\":400,\"validation_loss\":"));
  CHECK(lines.back().starts_with("{\"step\":400,\"nearest_sample\":"));
  const auto validation_loss = [](const std::string& line) { return std::stod(line.substr(line.rfind(':') + 1)); };
  CHECK(validation_loss(lines.front()) > 0.9);  // nothing learned: the variance of the noise
  CHECK(validation_loss(lines[lines.size() - 2]) < 0.5);
}

TEST_CASE("in a pipe there are plain lines: no carriage returns, no bars") {
  const std::string& out = undisturbed().outcome.out;
  CHECK(!contains(out, "\r"));
  CHECK(!contains(out, "[#"));
  CHECK(contains(out, "\nstep 10/400  loss "));
  CHECK(contains(out, " samples/s"));
  CHECK(contains(out, " left\n"));
}

TEST_CASE("on a terminal there is one line, drawn over and over, that fits") {
  for (const int columns : {80, 40}) {
    const TemporaryFolder folder;
    const Outcome outcome = run_on_terminal(small_run(folder / "run"), columns);
    CHECK(outcome.code == 0);
    std::size_t drawn = 0;
    for (const std::string& part : split(outcome.out, '\r')) {
      if (!part.starts_with("[") && !part.starts_with("step ")) continue;
      ++drawn;
      CHECK(part.size() < static_cast<std::size_t>(columns));
    }
    CHECK(drawn >= 2);
  }
}

TEST_CASE("any number of threads gives the same bits") {
  for (const char* threads : {"1", "2", "3"}) {
    INFO(threads);
    const TemporaryFolder folder;
    CHECK(run(small_run(folder / "run", {"--threads", threads})).code == 0);
    CHECK(same_checkpoints(folder / "run/checkpoint.h5", undisturbed().checkpoint));
  }
}

TEST_CASE("an unet with dropout, flips and classes: any number of threads gives the same bits, resumed or not") {
  const TemporaryFolder folder;
  write_images(folder / "images.h5", 40, 8);
  write_text(folder / "unet.toml",
             concat("[data]\ntrain = '", folder / "images.h5", "'\nvalidation = '", folder / "images.h5",
                    "'\nflip = true\n"
                    "[model]\nchannel_mult = [1, 2]\nnum_res_blocks = 1\ndropout = 0.1\n"
                    "attention_resolutions = [4]\nclass_conditional = true\n"
                    "[diffusion]\nvariance = 'learned_range'\nloss = 'rescaled_mse'\n"
                    "[train]\nsteps = 6\nbatch_size = 12\nshard_size = 2\nlabel_dropout = 0.2\n"
                    "log_every = 1\npreview_count = 2\npreview_every = 3\n"
                    "checkpoint_every = 3\nkeep_every = 2\nema_rates = [0.5, 0.9]\n"
                    "[sample]\nsampler = 'ddim'\nsteps = 2\n"));
  const auto train = [&](const std::string& name, std::vector<std::string> more) {
    std::vector<std::string> arguments{"train", "--out", folder / name};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run(arguments);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    CHECK(contains(outcome.out, "mean brightness of the samples 0."));
  };
  const std::string config = folder / "unet.toml";
  train("one", {"--config", config, "--threads", "1"});
  CHECK(std::filesystem::exists(folder / "one/previews/step-000003.png"));
  CHECK(read_checkpoint(folder / "one/checkpoints/step-000004.h5").state.step == 4);
  CHECK(!std::filesystem::exists(folder / "one/checkpoints/step-000003.h5"));
  train("three", {"--config", config, "--threads", "3"});
  CHECK(same_checkpoints(folder / "one/checkpoint.h5", folder / "three/checkpoint.h5"));
  train("halves", {"--config", config, "--threads", "2", "--set", "train.steps=3"});
  train("halves", {"--resume", "--set", "train.steps=6"});
  CHECK(same_checkpoints(folder / "one/checkpoint.h5", folder / "halves/checkpoint.h5"));
}

TEST_CASE("killed at any moment and resumed, a run ends with the bits and the metrics of one that never stopped") {
  const Reference& reference = undisturbed();
  int killed = 0;
  for (const double moment : {0.02, 0.2, 0.37, 0.61, 0.83, 0.97}) {
    INFO("killed after ", moment, " of the run");
    const TemporaryFolder folder;
    const Outcome first =
        run(small_run(folder / "run"), {.signal = SIGKILL, .after = moment * reference.outcome.seconds});
    killed += first.signal == SIGKILL ? 1 : 0;
    if (std::filesystem::exists(folder / "run/checkpoint.h5"))
      CHECK(read_checkpoint(folder / "run/checkpoint.h5").state.step % 20 == 0);
    const Outcome second = run(begun_run(folder / "run"));
    INFO(second.err);
    CHECK(second.code == 0);
    CHECK(same_checkpoints(folder / "run/checkpoint.h5", reference.checkpoint));
    CHECK(timeless(folder / "run/metrics.jsonl") == timeless(reference.metrics));
    CHECK(std::filesystem::exists(folder / "run/samples.png"));
  }
  CHECK(killed >= 3);
}

TEST_CASE("killed again and again, a run still comes to the same end") {
  const Reference& reference = undisturbed();
  const TemporaryFolder folder;
  for (int attempt = 0; attempt < 6; ++attempt)
    run(begun_run(folder / "run"), {.signal = SIGKILL, .after = (0.15 + 0.03 * attempt) * reference.outcome.seconds});
  CHECK(run(begun_run(folder / "run")).code == 0);
  CHECK(same_checkpoints(folder / "run/checkpoint.h5", reference.checkpoint));
}

TEST_CASE("Ctrl-C and SIGTERM finish the step, save, and say how to go on") {
  const Reference& reference = undisturbed();
  for (const int signal : {SIGINT, SIGTERM}) {
    const TemporaryFolder folder;
    const Outcome stopped =
        run(small_run(folder / "run"),
            {.signal = signal, .after = 0.3 * reference.outcome.seconds, .after_file = folder / "run/checkpoint.h5"});
    INFO(stopped.err);
    CHECK(stopped.code == 128 + signal);
    CHECK(stopped.err == "");
    const Index step = read_checkpoint(folder / "run/checkpoint.h5").state.step;
    CHECK(step < 400);
    CHECK(contains(stopped.out, concat("stopped after step ", step, " of 400")));
    CHECK(contains(stopped.out, concat("train --out ", folder / "run", " --resume")));
    CHECK(run({"train", "--out", folder / "run", "--resume"}).code == 0);  // as it was told
    CHECK(same_checkpoints(folder / "run/checkpoint.h5", reference.checkpoint));
  }
}

TEST_CASE("a finished run that is resumed stays as it is; a larger train.steps prolongs it") {
  const TemporaryFolder folder;
  REQUIRE(run(small_run(folder / "run", {"--set", "train.steps=40", "--set", "train.decay=constant"})).code == 0);
  const std::string before = read_text(folder / "run/metrics.jsonl");
  CHECK(run({"train", "--out", folder / "run", "--resume"}).code == 0);
  CHECK(read_text(folder / "run/metrics.jsonl") == before);
  CHECK(run({"train", "--out", folder / "run", "--resume", "--set", "train.steps=60"}).code == 0);
  CHECK(read_checkpoint(folder / "run/checkpoint.h5").state.step == 60);
}

TEST_CASE("resuming before the first checkpoint starts from the beginning, and says so") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "run");
  write_text(folder / "run/config.toml",
             read_text(std::getenv("REVERIE_SOURCE_ROOT") + std::string("/configs/toy-moons.toml")));
  const Outcome outcome = run(small_run(folder / "run", {"--resume", "--set", "train.steps=20"}));
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.out, "no checkpoint yet: starting from the beginning"));
}

TEST_CASE("a moving average that is too long for the run is warned of before training starts") {
  const TemporaryFolder folder;
  const Outcome outcome = run(small_run(folder / "run", {"--set", "train.steps=20", "--set", "train.ema_rates=[0.999]",
                                                         "--set", "train.ema_warmup=false"}));
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.err, "warning: the moving average of rate 0.999 still holds 98% of the random start"));
}

TEST_CASE("a loss that is not finite ends the run with the step, and the last checkpoint stays") {
  const TemporaryFolder folder;
  const Outcome outcome = run(small_run(
      folder / "run", {"--set", "train.learning_rate=1e30", "--set", "train.checkpoint_every=1", "--set",
                       "train.optimizer=sgd", "--set", "train.clip_norm=0", "--set", "train.warmup_steps=0"}));
  CHECK(failed_with(outcome, 1, {"training: step ", "the checkpoint of step ", "stays in "}));
  CHECK(read_checkpoint(folder / "run/checkpoint.h5").state.step >= 1);
}

TEST_CASE("--print-config prints a configuration that explains itself and reads back the same") {
  const TemporaryFolder folder;
  const Outcome first = run({"train", "--print-config", "--set", "train.steps=7"});
  CHECK(first.code == 0);
  CHECK(contains(first.out, "steps = 7  # number of training steps"));
  write_text(folder / "all.toml", first.out);
  CHECK(run({"train", "--print-config", "--config", folder / "all.toml"}).out == first.out);
}

TEST_CASE("the ready configurations are whole, and name data that ships, is fetched or is drawn") {
  const std::string root = std::getenv("REVERIE_SOURCE_ROOT");
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root + "/configs")) {
    if (!entry.is_regular_file()) continue;  // configs/curves
    INFO(entry.path().string());
    const Config config = load_config(entry.path().string());
    check_config(config);
    const std::string& data = config.data.train;
    CHECK((data.starts_with("toy:") || data.starts_with("data/sets/mnist-") || data == "scenes.h5" ||
           data == "train-no-2.h5" || data.starts_with("pictures-") || std::filesystem::exists(root + "/" + data)));
    ++count;
  }
  CHECK(count >= 4);
}
