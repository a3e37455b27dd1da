// Under a limit on its address space (`ulimit -v`, as clusters set it) the program hung for ever: OpenBLAS keeps trying
// to get memory, and waits for its threads at the end. Out of memory, `data info` spoke of training's settings.
#include <doctest/doctest.h>

#include "data/image_set.h"
#include "tensor/tensor.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;  // sanitizers reserve terabytes of address space
#else
constexpr bool sanitized = false;
#endif

// Whether a run under a limit ended by itself, well or with one line; the line of the dynamic loader, which can't map
// the libraries under the smallest limits, counts too.
bool ends(const Outcome& outcome, const std::string& command, Index megabytes) {
  CAPTURE(command);
  CAPTURE(megabytes);
  CAPTURE(outcome.err);
  CHECK(outcome.signal == 0);
  if (outcome.code == 0) return true;
  std::vector<std::string> lines = split(outcome.err, '\n');
  std::erase_if(lines, [](const std::string& line) { return line.starts_with("warning: "); });
  const bool by_loader = outcome.code == 127 && contains(outcome.err, "error while loading shared libraries");
  CHECK((by_loader || (outcome.code == 1 && outcome.err.starts_with("reverie: "))));
  CHECK(lines.size() == 1);
  return false;
}

}  // namespace

TEST_CASE("under any limit on its address space, the program ends: well, or with one line" * doctest::skip(sanitized)) {
  const TemporaryFolder folder;
  const std::string checkpoint = unet_checkpoint(), images = unet_images();
  const std::vector<std::vector<std::string>> commands = {
      small_run(folder / "run", {"--threads", "4", "--set", "train.steps=2"}),
      {"sample", "--checkpoint", checkpoint, "--count", "4", "--steps", "2", "--out", folder / "x.png", "--threads",
       "4"},
      {"evaluate", "--checkpoint", checkpoint, "--data", images, "--count", "4", "--threads", "4"},
      {"data", "info", images}};
  for (const auto& command : commands) {
    bool ended_well = false;
    for (const Index megabytes : {50, 100, 150, 200, 250, 300, 400, 600, 800, 1000, 2000}) {
      for (const char* output : {"run", "x.png"}) std::filesystem::remove_all(folder / output);
      const Outcome outcome = run(command, {.address_space = megabytes * 1'000'000, .alarm = 60});
      const bool well = ends(outcome, command[0], megabytes);
      CHECK((well || !ended_well));  // more room is never worse
      ended_well = well;
      if (!well)
        CHECK((!std::filesystem::exists(folder / "x.png") && !std::filesystem::exists(folder / "run/checkpoint.h5")));
    }
    CHECK(ended_well);
  }
}

TEST_CASE("threads that can't be had, and memory for BLAS, are one line that says what to change" *
          doctest::skip(sanitized)) {
  const TemporaryFolder folder;
  const auto limited = [&](const char* threads, long megabytes) {
    return run(small_run(folder / "run", {"--threads", threads}),
               {.address_space = megabytes * 1'000'000, .alarm = 60});
  };
  CHECK(failed_with(limited("1024", 2000), 1, {"can't start 1024 threads", "try fewer threads"}));
  CHECK(failed_with(limited("8", 1000), 1, {"OpenBLAS needs", "8 threads", "ulimit -v", "try fewer threads"}));
  CHECK(!std::filesystem::exists(folder / "run"));
  const Outcome many = run(small_run(folder / "run", {"--threads", "200", "--set", "train.steps=2"}), {.alarm = 60});
  CHECK(many.code == 0);
  CHECK(!contains(many.err, "OpenBLAS"));  // which fails with many more buffers than it was built for
}

TEST_CASE("out of memory: what needs it, how much, and a hint only where it helps" * doctest::skip(sanitized)) {
  const TemporaryFolder folder;
  ImageSet set;
  set.count = 3000, set.height = set.width = 256, set.channels = 1;
  set.images.resize(set.count * 256 * 256);
  set.save(folder / "large.h5");
  const Outcome info = run({"data", "info", folder / "large.h5"}, {.address_space = 200'000'000, .alarm = 60});
  CHECK(failed_with(info, 1, {folder / "large.h5", "[3000,256,256,1]", "needs 197 MB"}));
  CHECK(!contains(info.err, "shard_size"));
  const Outcome train = run(small_run(folder / "run", {"--set", "model.hidden=8192", "--threads", "1"}),
                            {.address_space = 600'000'000, .alarm = 60});
  CHECK(failed_with(train, 1, {"out of memory: a tensor of shape [8192,8192] needs 269 MB", "train.shard_size"}));
  CHECK(error_of([] {
          Tensor::uninitialized({Index{1} << 23, Index{1} << 23});
        }) == "out of memory: a tensor of shape [8388608,8388608] needs 281474977 MB");
}
