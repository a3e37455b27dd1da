#include "tests/apps/program.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "data/image_set.h"
#include "diffusion/model/checkpoint.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

[[noreturn]] void become_program(const std::vector<std::string>& arguments, const RunOptions& options) {
  const char* program = std::getenv("REVERIE_PROGRAM");
  const char* root = std::getenv("REVERIE_SOURCE_ROOT");
  if (program == nullptr || root == nullptr || chdir(root) != 0) _exit(99);
  if (options.largest_file > 0) {
    const rlimit limit{static_cast<rlim_t>(options.largest_file), static_cast<rlim_t>(options.largest_file)};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  if (options.address_space > 0) {
    const rlimit limit{static_cast<rlim_t>(options.address_space), static_cast<rlim_t>(options.address_space)};
    setrlimit(RLIMIT_AS, &limit);
  }
  alarm(options.alarm);
  std::vector<char*> list{const_cast<char*>(program)};
  for (const std::string& argument : arguments) list.push_back(const_cast<char*>(argument.c_str()));
  list.push_back(nullptr);
  execv(program, list.data());
  _exit(99);
}

// Reads two pipes to their ends, and sends the signal when its time has come.
void follow(pid_t child, int out, int err, const RunOptions& options, Clock::time_point start, Outcome& outcome) {
  pollfd files[] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  std::string* texts[] = {&outcome.out, &outcome.err};
  bool sent = options.signal == 0;
  while (files[0].fd >= 0 || files[1].fd >= 0) {
    poll(files, 2, 1);
    for (int i = 0; i < 2; ++i) {
      if (files[i].fd < 0 || files[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t count = read(files[i].fd, buffer, sizeof buffer);
      if (count > 0) texts[i]->append(buffer, static_cast<std::size_t>(count));
      if (count <= 0) files[i].fd = -1;
    }
    const bool ready = options.after_file.empty() || std::filesystem::exists(options.after_file);
    if (!sent && ready && seconds_since(start) >= options.after) {
      kill(child, options.signal);
      sent = true;
    }
  }
}

void wait_for(pid_t child, Outcome& outcome) {
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
}

}  // namespace

Outcome run(const std::vector<std::string>& arguments, const RunOptions& options) {
  Outcome outcome;
  const auto start = Clock::now();
  int out[2], err[2];
  REQUIRE(pipe2(out, O_CLOEXEC) == 0);
  REQUIRE(pipe2(err, O_CLOEXEC) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int file = options.stdout_file.empty() ? out[1] : open(options.stdout_file.c_str(), O_WRONLY);
    dup2(file, STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    become_program(arguments, options);
  }
  close(out[1]);
  close(err[1]);
  follow(child, out[0], err[0], options, start, outcome);
  close(out[0]);
  close(err[0]);
  wait_for(child, outcome);
  outcome.seconds = seconds_since(start);
  return outcome;
}

Outcome run_on_terminal(const std::vector<std::string>& arguments, int columns) {
  Outcome outcome;
  int terminal = -1;
  const winsize size{24, static_cast<unsigned short>(columns), 0, 0};
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  REQUIRE(child >= 0);
  if (child == 0) become_program(arguments, {});
  char buffer[4096];
  for (ssize_t count; (count = read(terminal, buffer, sizeof buffer)) > 0;)
    outcome.out.append(buffer, static_cast<std::size_t>(count));
  close(terminal);
  wait_for(child, outcome);
  return outcome;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(at, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

bool failed_with(const Outcome& outcome, int code, const std::vector<std::string>& parts) {
  INFO("standard error: ", outcome.err);
  CHECK(outcome.code == code);
  CHECK(outcome.err.starts_with("reverie: "));
  CHECK(split(outcome.err, '\n').size() == 1);
  bool all = outcome.code == code && outcome.err.starts_with("reverie: ");
  for (const std::string& part : parts) {
    CHECK_MESSAGE(contains(outcome.err, part), part);
    all = all && contains(outcome.err, part);
  }
  return all;
}

std::vector<std::string> small_run(const std::string& folder, const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"train",
                                     "--config",
                                     "configs/toy-moons.toml",
                                     "--out",
                                     folder,
                                     "--set",
                                     "model.hidden=32",
                                     "--set",
                                     "train.batch_size=64",
                                     "--set",
                                     "train.shard_size=16",
                                     "--set",
                                     "train.steps=400",
                                     "--set",
                                     "train.validate_every=50",
                                     "--set",
                                     "train.checkpoint_every=20",
                                     "--set",
                                     "train.log_every=10",
                                     "--set",
                                     "train.preview_every=0",
                                     "--set",
                                     "train.preview_count=50"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

bool same_checkpoints(const std::string& a, const std::string& b) {
  const Checkpoint first = read_checkpoint(a), second = read_checkpoint(b);
  bool same = first.state.step == second.state.step && first.state.updates == second.state.updates &&
              first.state.tensors.size() == second.state.tensors.size() && !first.state.tensors.empty();
  for (const auto& [group, tensors] : first.state.tensors) {
    for (const auto& [name, tensor] : tensors) {
      const Tensor& other = second.state.tensors.at(group).at(name);
      const auto bytes = static_cast<std::size_t>(tensor.size()) * sizeof(real);
      same = same && tensor.shape() == other.shape() && std::memcmp(tensor.data(), other.data(), bytes) == 0;
    }
  }
  return same;
}

void write_images(const std::string& path, Index count, Index size) {
  ImageSet set;
  set.count = count;
  set.height = set.width = size;
  set.channels = 1;
  set.class_names = {"dark", "light"};
  for (Index i = 0; i < count; ++i) {
    set.labels.push_back(i % 2);
    const RandomKey key = RandomKey{.seed = 1, .stream = Stream::probe}.with_sample(i);
    for (Index pixel = 0; pixel < size * size; ++pixel)
      set.images.push_back(static_cast<std::uint8_t>(128 * (i % 2) + uniform_index(key, 128, pixel)));
  }
  set.save(path);
}

const std::string& unet_checkpoint() {
  static const TemporaryFolder folder;
  static const std::string path = [] {
    write_images(folder / "images.h5", 20, 8);
    write_text(folder / "unet.toml",
               concat("[data]\ntrain = '", folder / "images.h5",
                      "'\n[model]\nchannel_mult = [1, 2]\nnum_res_blocks = 1\nattention_resolutions = []\n"
                      "class_conditional = true\n[diffusion]\nsteps = 40\n"
                      "[train]\nsteps = 3\nbatch_size = 4\nlabel_dropout = 0.2\npreview_count = 4\n"
                      "ema_rates = [0.5]\n"));
    const Outcome outcome = run({"train", "--config", folder / "unet.toml", "--out", folder / "run"});
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    return folder / "run/checkpoint.h5";
  }();
  return path;
}

const std::string& unet_images() {
  static const std::string path = std::filesystem::path(unet_checkpoint()).parent_path().parent_path() / "images.h5";
  return path;
}

}  // namespace reverie::inline REVERIE_PRECISION
