// Two runs trained into one folder and mixed their files; --resume began a new run where a folder's name was mistyped;
// an edited config.toml was overwritten in silence.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>

#include "tests/apps/program.h"

using namespace reverie;

namespace {

std::vector<std::string> short_run(const std::string& folder, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"--set", "train.steps=40", "--set", "train.warmup_steps=0"});
  return small_run(folder, more);
}

}  // namespace

TEST_CASE("a folder is one run's: a second one, new or resumed, gets an error and changes nothing") {
  const TemporaryFolder folder;
  REQUIRE(run(short_run(folder / "run")).code == 0);
  CHECK(!std::filesystem::exists(folder / "run/.lock"));
  const int lock = open((folder / "run/.lock").c_str(), O_RDWR | O_CREAT, 0666);  // as a run does while it lasts
  REQUIRE(flock(lock, LOCK_EX) == 0);
  const std::string metrics = read_text(folder / "run/metrics.jsonl"), config = read_text(folder / "run/config.toml");
  CHECK(failed_with(run({"train", "--out", folder / "run", "--resume", "--set", "train.steps=80"}), 1,
                    {folder / "run", "another program is training here"}));
  CHECK(failed_with(run(short_run(folder / "run")), 1, {folder / "run", "another program is training here"}));
  CHECK(read_text(folder / "run/metrics.jsonl") == metrics);
  CHECK(read_text(folder / "run/config.toml") == config);
  close(lock);  // as the system does when a program dies
  CHECK(run({"train", "--out", folder / "run", "--resume", "--set", "train.steps=80"}).code == 0);
  CHECK(!std::filesystem::exists(folder / "run/.lock"));
}

TEST_CASE("there is nothing to resume where no run began") {
  const TemporaryFolder folder;
  const auto resume = [&](const std::string& name) { return run(short_run(folder / name, {"--resume"})); };
  CHECK(failed_with(resume("mistyped"), 2, {"mistyped", "there is no run to resume", "the folder doesn't exist"}));
  CHECK(folder.files() == 0);
  std::filesystem::create_directory(folder / "other");
  CHECK(failed_with(resume("other"), 2, {"other", "there is no run to resume"}));
  CHECK(std::filesystem::is_empty(folder / "other"));
}

TEST_CASE("an edited config.toml is replaced with a warning that says what it had; comments alone stay") {
  const TemporaryFolder folder;
  const std::string config = folder / "run/config.toml";
  REQUIRE(run(short_run(folder / "run")).code == 0);
  const std::string written = read_text(config);
  write_text(config, written + "# a note of mine\n");
  const Outcome same = run({"train", "--out", folder / "run", "--resume"});
  CHECK(same.err == "");
  CHECK(contains(read_text(config), "a note of mine"));
  std::string edited = written;
  edited.replace(edited.find("batch_size = 64"), 15, "batch_size = 63");
  for (const auto& [text, part] :
       {std::pair<std::string, const char*>{edited, "has 63 for `train.batch_size`"}, {"[train\n", "can't be read"}}) {
    write_text(config, text);
    const Outcome outcome = run({"train", "--out", folder / "run", "--resume"});
    CHECK(outcome.code == 0);
    CHECK(contains(outcome.err, "warning: "));
    CHECK_MESSAGE(contains(outcome.err, part), outcome.err);
    CHECK(read_text(config) == written);
  }
}

TEST_CASE("settings that change at a resume are printed, saved at once and recorded in the metrics") {
  const TemporaryFolder folder;
  REQUIRE(run(short_run(folder / "run")).code == 0);
  const Outcome outcome = run({"train", "--out", folder / "run", "--resume", "--set", "train.steps=60", "--set",
                               "train.learning_rate=0.000125", "--set", "train.clip_norm=0.5"});
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "");
  CHECK(contains(outcome.out, "`train.clip_norm` changes from "));
  const std::string metrics = read_text(folder / "run/metrics.jsonl");
  CHECK(
      contains(metrics, "{\"step\":40,\"train.steps\":60.0,\"train.learning_rate\":0.000125,\"train.clip_norm\":0.5}"));
  CHECK(contains(read_text(folder / "run/config.toml"), "clip_norm = 0.5"));
}

TEST_CASE("a data set that moved is found by its content when its run resumes") {
  const TemporaryFolder folder;
  for (const auto& [name, seed] : {std::pair{"data.h5", "1"}, std::pair{"other.h5", "2"}}) {
    REQUIRE(run({"data", "toy", "two_moons", "--count", "100", "--seed", seed, "--out", folder / name}).code == 0);
  }
  REQUIRE(run(short_run(folder / "run", {"--set", "data.train=" + (folder / "data.h5")})).code == 0);
  const std::vector<std::string> resume{"train", "--out", folder / "run", "--resume", "--set", "train.steps=60"};
  std::filesystem::rename(folder / "data.h5", folder / "moved.h5");
  std::filesystem::rename(folder / "other.h5", folder / "data.h5");
  CHECK(failed_with(run(resume), 2, {"trained on other data", "100 samples of shape [2]"}));
  std::vector<std::string> moved = resume;
  moved.insert(moved.end(), {"--set", "data.train=" + (folder / "moved.h5")});
  CHECK(run(moved).code == 0);
  CHECK(run({"train", "--out", folder / "run", "--resume"}).code == 0);
}
