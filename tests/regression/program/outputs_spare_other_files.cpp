// --out replaced what a command reads, checkpoints, devices and links: `--out /dev/null` made it a regular file.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>

#include "data/atomic_file.h"
#include "data/image_set.h"
#include "data/png.h"
#include "tests/apps/program.h"

using namespace reverie;
namespace fs = std::filesystem;

TEST_CASE("no command overwrites what it reads, under any name") {
  const TemporaryFolder folder;
  const std::string a = folder / "a.h5", checkpoint = folder / "checkpoint.h5", photo = folder / "photos/cat/1.png";
  write_images(a, 20, 8);
  fs::copy(unet_checkpoint(), checkpoint);
  fs::create_directories(folder / "photos/cat");
  write_png(photo, Picture(8, 8, 1, 200));
  write_text(folder / "config.toml", "[data]\ntrain = '" + a + "'\n[model]\nattention_resolutions = []\n");
  fs::create_symlink(a, folder / "link.h5");
  fs::create_hard_link(a, folder / "hard.h5");
  fs::create_hard_link(photo, folder / "hard-photo.h5");
  fs::create_hard_link(a, folder / "hard.png");
  fs::create_hard_link(folder / "config.toml", folder / "config.dot");
  fs::create_hard_link(a, folder / "hard.csv");
  const std::string images = read_text(a), pixels = read_text(photo), config = read_text(folder / "config.toml");

  const auto refused = [](const std::vector<std::string>& arguments) {
    const Outcome outcome = run(arguments);
    INFO(outcome.err << outcome.out);
    CHECK(failed_with(outcome, 2, {"overwrit", "choose another name"}));
  };
  for (const char* name : {"a.h5", "link.h5", "hard.h5", "photos/../a.h5"}) {
    CAPTURE(name);
    refused({"classifier", "--data", a, "--out", folder / name});
    refused({"sample", "--checkpoint", checkpoint, "--encode", a, "--out", folder / name});
    refused({"sample", "--checkpoint", checkpoint, "--encode", a, "--out", folder / "x.h5", "--noise", folder / name});
  }
  refused({"sample", "--checkpoint", checkpoint, "--out", checkpoint});
  refused({"sample", "--checkpoint", checkpoint, "--out", unet_images()});  // its training data
  refused({"evaluate", "--checkpoint", checkpoint, "--data", a, "--out", folder / "hard.csv"});
  refused({"data", "info", a, "--grid", folder / "hard.png"});
  refused({"data", "import", "images", "--folder", folder / "photos", "--out", folder / "hard-photo.h5"});
  refused({"convert", checkpoint, "--out", checkpoint});
  refused({"explain", "--config", folder / "config.toml", "--dot", folder / "config.dot"});
  fs::create_directory(folder / "run");
  fs::rename(folder / "config.toml", folder / "run/config.toml");
  refused({"train", "--config", folder / "run/config.toml", "--out", folder / "run"});
  for (const std::vector<std::string>& command : {std::vector<std::string>{"data", "toy", "two_moons"},
                                                  {"data", "import", "images", "--folder", folder / "photos"},
                                                  {"classifier", "--data", a},
                                                  {"convert", a}}) {
    std::vector<std::string> arguments = command;
    arguments.insert(arguments.end(), {"--out", checkpoint});
    refused(arguments);
  }
  CHECK(failed_with(run({"sample", "--checkpoint", checkpoint, "--encode", a, "--out", folder / "x.h5", "--noise",
                         folder / "photos/../x.h5"}),
                    2, {"--noise", "--out"}));
  CHECK(read_text(a) == images);
  CHECK(read_text(photo) == pixels);
  CHECK(read_text(folder / "run/config.toml") == config);
  CHECK(read_text(checkpoint) == read_text(unet_checkpoint()));
}

TEST_CASE("a command replaces its own output") {
  const TemporaryFolder folder;
  for (const char* seed : {"1", "2"})
    CHECK(run({"data", "toy", "two_moons", "--count", "10", "--seed", seed, "--out", folder / "x.h5"}).code == 0);
  CHECK(folder.files() == 1);
}

TEST_CASE("devices, pipes and links stay what they are; a link's target is written") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe.h5").c_str(), 0600) == 0);
  fs::create_symlink("/dev/null", folder / "null.h5");
  fs::create_symlink("loop.h5", folder / "loop.h5");
  fs::create_symlink("gone/x.h5", folder / "lost.h5");
  fs::create_directory(folder / "folder.h5");
  const auto toy = [&](const std::string& out) {
    return run({"data", "toy", "two_moons", "--count", "9", "--out", out});
  };
  for (const char* name : {"pipe.h5", "null.h5", "folder.h5", "loop.h5", "lost.h5"}) {
    CAPTURE(name);
    const Outcome outcome = toy(folder / name);
    INFO(outcome.err);
    CHECK(failed_with(outcome, 1, {name}));
    CHECK(outcome.seconds < 5);
  }
  CHECK(fs::is_fifo(folder / "pipe.h5"));
  CHECK_THROWS_WITH(write_atomically("/dev/null", [](const std::string&) {}), doctest::Contains("is a device"));
  CHECK(fs::is_character_file("/dev/null"));

  fs::create_directory(folder / "elsewhere");
  fs::create_symlink("elsewhere/y.h5", folder / "link.h5");
  for (int i = 0; i < 2; ++i) {  // the target doesn't exist at first, then it does
    CHECK(toy(folder / "link.h5").code == 0);
    CHECK(fs::is_symlink(folder / "link.h5"));
    CHECK(fs::is_regular_file(folder / "elsewhere/y.h5"));
  }
}

TEST_CASE("names of outputs end in what is written") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& suffix) {
    CHECK(failed_with(run(arguments), 2, {arguments.back(), "ends in", suffix}));
  };
  const std::string checkpoint = unet_checkpoint(), images = unet_images();
  refused({"sample", "--checkpoint", checkpoint, "--out", folder / "x.txt"}, ".png, .h5, .npz or /");
  refused({"sample", "--checkpoint", checkpoint, "--encode", images, "--out", folder / "x.h5", "--noise", folder / "n"},
          ".h5");
  refused({"evaluate", "--checkpoint", checkpoint, "--data", images, "--out", folder / "x.png"}, ".csv");
  refused({"classifier", "--data", images, "--out", folder / "x.pt"}, ".h5");
  refused({"data", "toy", "two_moons", "--out", folder / "x.png"}, ".h5");
  refused({"data", "info", images, "--grid", folder / "x.h5"}, ".png");
  refused({"convert", checkpoint, "--out", folder / "x.pt"}, ".safetensors, .h5 or .hdf5");
  refused({"convert", checkpoint, "--config", "configs/digits.toml", "--out", folder / "x.safetensors"},
          ".h5 or .hdf5");
  refused({"explain", "--config", "configs/toy-moons.toml", "--dot", folder / "x.h5"}, ".dot");
  CHECK(folder.files() == 0);
}
