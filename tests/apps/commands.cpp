// The commands around training: help, data sets, and looking into files.
#include <doctest/doctest.h>

#include <csignal>

#include "data/image_set.h"
#include "data/png.h"
#include "data/point_set.h"
#include "diffusion/checkpoint.h"
#include "tests/apps/program.h"

using namespace reverie;

TEST_CASE("every command has a help with an example") {
  const std::vector<std::vector<std::string>> commands{{},
                                                       {"train"},
                                                       {"sample"},
                                                       {"evaluate"},
                                                       {"classifier"},
                                                       {"data"},
                                                       {"data", "import"},
                                                       {"data", "import", "idx"},
                                                       {"data", "import", "png"},
                                                       {"data", "toy"},
                                                       {"data", "info"},
                                                       {"inspect"}};
  for (std::vector<std::string> command : commands) {
    command.push_back("--help");
    const Outcome outcome = run(command);
    INFO(outcome.out);
    CHECK(outcome.code == 0);
    CHECK(outcome.err == "");
    CHECK(contains(outcome.out, "example: reverie "));
    for (const std::string& line : split(outcome.out, '\n'))
      CHECK_MESSAGE((line.size() <= 80 || line.starts_with("Usage: ")), line);
    const bool works = command.size() > 1 && !(command.size() == 2 && command[0] == "data") &&
                       !(command.size() == 3 && command[1] == "import");
    CHECK(contains(outcome.out, "--threads N") == works);
  }
  CHECK(run({"--version"}).out.starts_with("reverie "));
}

TEST_CASE("toy points: made, looked at, drawn") {
  const TemporaryFolder folder;
  const std::string file = folder / "moons.h5";
  CHECK(run({"data", "toy", "two_moons", "--count", "500", "--seed", "3", "--out", file}).code == 0);
  CHECK(PointSet::load(file).size() == 500);
  const Outcome info = run({"data", "info", file, "--grid", folder / "moons.png"});
  CHECK(info.code == 0);
  CHECK(contains(info.out, "500 points"));
  CHECK(contains(info.out, "upper ("));
  CHECK(read_png(folder / "moons.png").width == 512);
  CHECK(run({"inspect", file}).out == run({"data", "info", file}).out);
}

TEST_CASE("the digits that ship, looked at") {
  const TemporaryFolder folder;
  const Outcome info = run({"data", "info", "data/sets/digits-test.h5", "--grid", folder / "digits.png"});
  CHECK(info.code == 0);
  CHECK(contains(info.out, "2000 images of 28x28, 1 channel"));
  CHECK(contains(info.out, "10: 0 ("));
  CHECK(contains(info.out, "from 0 to 255; mean brightness 0.1"));
  CHECK(read_png(folder / "digits.png").width > 8 * 28);
}

TEST_CASE("a folder of PNG files becomes an image set, sub-folders classes") {
  const TemporaryFolder folder;
  for (const char* name : {"cats", "dogs"}) {
    std::filesystem::create_directories(folder / (std::string("pets/") + name));
    for (int i = 0; i < 3; ++i) write_png(folder / concat("pets/", name, "/", i, ".png"), Picture(6, 8, 3, 200));
  }
  CHECK(run({"data", "import", "png", "--folder", folder / "pets", "--size", "4x4", "--channels", "1", "--name", "pets",
             "--source", "a test", "--licence", "MIT", "--out", folder / "pets.h5"})
            .code == 0);
  const ImageSet set = ImageSet::load(folder / "pets.h5");
  CHECK(set.sample_shape() == Shape{4, 4, 1});
  CHECK(set.class_names == std::vector<std::string>{"cats", "dogs"});
  CHECK(set.licence == "MIT");
  CHECK(
      failed_with(run({"data", "import", "png", "--folder", folder / "pets", "--size", "4", "--out", folder / "x.h5"}),
                  2, {"--size 4", "HxW"}));
}

TEST_CASE("IDX files become an image set") {
  const TemporaryFolder folder;
  const std::string header{"\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02", 16}, label_header{"\0\0\x08\x01\0\0\0\x02", 8};
  write_text(folder / "images", header + "abcdefgh");
  write_text(folder / "labels", label_header + std::string("\1\0", 2));
  CHECK(run({"data", "import", "idx", "--images", folder / "images", "--labels", folder / "labels", "--class-names",
             "no,yes", "--out", folder / "set.h5"})
            .code == 0);
  const ImageSet set = ImageSet::load(folder / "set.h5");
  CHECK(set.count == 2);
  CHECK(set.labels == std::vector<Index>{1, 0});
  CHECK(set.class_names == std::vector<std::string>{"no", "yes"});
}

TEST_CASE("inspect tells what is in a checkpoint, and refuses what it doesn't know") {
  const Outcome outcome = run({"inspect", unet_checkpoint(), "--all"});
  CHECK(outcome.code == 0);
  for (const std::string part : {"after step 3 of 3", "unet (by class)", "ema/0.5", "optimizer/m",
                                 "weights/input_blocks.0.0.weight  [32,1,3,3]", "batch_size = 4"})
    CHECK_MESSAGE(contains(outcome.out, part), part);
  CHECK(!contains(run({"inspect", unet_checkpoint()}).out, "input_blocks.0.0.weight"));
  CHECK(failed_with(run({"inspect", "meson.build"}), 1, {"meson.build"}));
}
