// SIGHUP, SIGXCPU and a closed pipe ended training without saving; a failed write of metrics or a preview lost the
// steps since the last checkpoint; a preview that a kill prevented was never made.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>

#include "diffusion/model/checkpoint.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

// A run that writes no checkpoint before its end, unless something makes it.
std::vector<std::string> unsaved_run(const std::string& folder, std::vector<std::string> more = {}) {
  more.insert(more.end(), {"--set", "train.checkpoint_every=1000000"});
  return small_run(folder, more);
}

struct Reference {
  TemporaryFolder folder;
  Outcome outcome =
      run(unsaved_run(folder / "run", {"--set", "train.log_every=7", "--set", "train.preview_every=150"}));
  std::string checkpoint = folder / "run/checkpoint.h5";
};

const Reference& undisturbed() {
  static const Reference reference;
  return reference;
}

// Lines of metrics without what depends on the clock.
std::vector<std::string> timeless(const std::string& path) {
  std::vector<std::string> lines = split(read_text(path), '\n');
  for (std::string& line : lines) line = line.substr(0, line.find(",\"images_per_second\""));
  return lines;
}

}  // namespace

TEST_CASE("every signal by which terminals and batch systems stop a program saves the run, which resumes to the byte") {
  int count = 0;
  for (const int signal : {SIGHUP, SIGTERM, SIGINT, SIGXCPU, SIGUSR1, SIGUSR2}) {
    INFO("signal ", signal);
    const TemporaryFolder folder;
    const Outcome stopped = run(unsaved_run(folder / "run", {"--set", "train.log_every=7", "--set",
                                                             "train.preview_every=150", "--set", "train.steps=400"}),
                                {.signal = signal, .after = 0.05, .after_file = folder / "run/metrics.jsonl"});
    REQUIRE(std::filesystem::exists(folder / "run/checkpoint.h5"));
    CHECK((stopped.code == 128 + signal || stopped.code == 0));  // 0: it was faster than the signal
    count += stopped.code != 0 ? 1 : 0;
    CHECK(run({"train", "--out", folder / "run", "--resume"}).code == 0);
    CHECK(read_text(folder / "run/checkpoint.h5") == read_text(undisturbed().checkpoint));
    CHECK(timeless(folder / "run/metrics.jsonl") == timeless(undisturbed().folder / "run/metrics.jsonl"));
    CHECK(std::filesystem::exists(folder / "run/previews/step-000150.png"));
    CHECK(std::filesystem::exists(folder / "run/previews/step-000300.png"));
  }
  CHECK(count >= 3);
}

TEST_CASE("signals that repeat, as those of a closing terminal and of the CPU limit do, don't end the saving") {
  const TemporaryFolder folder;
  const std::string program = std::getenv("REVERIE_PROGRAM");
  const pid_t child = fork();
  if (child == 0) {
    const std::string root = std::getenv("REVERIE_SOURCE_ROOT");
    if (chdir(root.c_str()) != 0) _exit(99);
    const std::vector<std::string> arguments = unsaved_run(folder / "run", {"--set", "train.steps=100000"});
    std::vector<char*> list{const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) list.push_back(const_cast<char*>(argument.c_str()));
    list.push_back(nullptr);
    signal(SIGHUP, SIG_DFL);
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    dup2(STDOUT_FILENO, STDERR_FILENO);
    execv(list[0], list.data());
    _exit(99);
  }
  while (!std::filesystem::exists(folder / "run/metrics.jsonl")) usleep(1000);
  while (read_text(folder / "run/metrics.jsonl").size() < 500) usleep(1000);  // some steps are done
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    for (const int signal : {SIGHUP, SIGXCPU}) kill(child, signal);
    usleep(1000);
  }
  CHECK(WIFEXITED(status));
  CHECK((WEXITSTATUS(status) == 128 + SIGHUP || WEXITSTATUS(status) == 128 + SIGXCPU));
  CHECK(read_checkpoint(folder / "run/checkpoint.h5").state.step > 0);
}

TEST_CASE("output without a reader is dropped; the run goes on to its end, and only the exit code says so") {
  const TemporaryFolder folder;
  const std::string fifo = folder / "fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  const int reader = open(fifo.c_str(), O_RDONLY | O_NONBLOCK);
  const pid_t closer = fork();
  if (closer == 0) {  // reads nothing; ends as soon as there is something to read, as `head` does
    char byte = 0;
    while (read(reader, &byte, 1) <= 0) usleep(1000);
    _exit(0);
  }
  close(reader);
  const Outcome outcome =
      run(unsaved_run(folder / "run", {"--set", "train.log_every=7", "--set", "train.preview_every=150"}),
          {.stdout_file = fifo});
  waitpid(closer, nullptr, 0);
  CHECK(failed_with(outcome, 1, {"standard output can't be written"}));
  CHECK(read_text(folder / "run/checkpoint.h5") == read_text(undisturbed().checkpoint));
  CHECK(std::filesystem::exists(folder / "run/samples.png"));
}

TEST_CASE("a signal saves the run also while its output is blocked by a reader that pauses") {
  const TemporaryFolder folder;
  const std::string fifo = folder / "fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  const int reader = open(fifo.c_str(), O_RDONLY | O_NONBLOCK);  // stays open, reads nothing
  fcntl(reader, F_SETPIPE_SZ, 4096);
  const Outcome stopped = run(unsaved_run(folder / "run", {"--set", "train.log_every=1"}),
                              {.signal = SIGTERM, .after = 1.5, .stdout_file = fifo});
  close(reader);
  CHECK(stopped.code == 128 + SIGTERM);
  CHECK(read_checkpoint(folder / "run/checkpoint.h5").state.step > 0);
}

TEST_CASE("a preview that can't be written saves the steps before the run ends with the error; resuming draws it") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "run/previews/step-000150.png");  // a folder in the place of the file
  const std::vector<std::string> settings{"--set", "train.log_every=7", "--set", "train.preview_every=150"};
  CHECK(failed_with(run(unsaved_run(folder / "run", settings)), 1,
                    {"step-000150.png: is a folder", "the checkpoint of step 150 stays in "}));
  CHECK(read_checkpoint(folder / "run/checkpoint.h5").state.step == 150);
  std::filesystem::remove(folder / "run/previews/step-000150.png");
  CHECK(run({"train", "--out", folder / "run", "--resume"}).code == 0);
  CHECK(std::filesystem::exists(folder / "run/previews/step-000150.png"));
  CHECK(read_text(folder / "run/checkpoint.h5") == read_text(undisturbed().checkpoint));
}

TEST_CASE("metrics that can't be written save the steps before the run ends; resuming writes the lost line") {
  const TemporaryFolder folder;
  const std::vector<std::string> settings{"--set", "train.log_every=1",     "--set", "train.steps=2500",
                                          "--set", "model.hidden=2",        "--set", "train.optimizer=sgd",
                                          "--set", "model.frequency_dim=2", "--set", "train.momentum=0",
                                          "--set", "train.ema_rates=[]"};  // larger metrics than checkpoint and report
  REQUIRE(run(unsaved_run(folder / "whole", settings)).code == 0);
  const auto checkpoint = static_cast<long>(std::filesystem::file_size(folder / "whole/checkpoint.h5")),
             metrics = static_cast<long>(std::filesystem::file_size(folder / "whole/metrics.jsonl"));
  const long limit = metrics - 1500;
  REQUIRE(limit > checkpoint);
  const Outcome full = run(unsaved_run(folder / "run", settings), {.largest_file = limit});
  CHECK(failed_with(full, 1, {"metrics.jsonl", "can't be written", "the checkpoint of step "}));
  CHECK(run({"train", "--out", folder / "run", "--resume"}).code == 0);
  CHECK(timeless(folder / "run/metrics.jsonl") == timeless(folder / "whole/metrics.jsonl"));
  CHECK(read_text(folder / "run/checkpoint.h5") == read_text(folder / "whole/checkpoint.h5"));
}
