// The commands around training: help, data sets, samples, evaluation, and looking into files.
#include <doctest/doctest.h>

#include <csignal>

#include "data/image_set.h"
#include "data/png.h"
#include "data/point_set.h"
#include "diffusion/checkpoint.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

// A class-conditional unet for images of 8 x 8, hardly trained.
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

}  // namespace

TEST_CASE("every command has a help with an example") {
  const std::vector<std::vector<std::string>> commands{{},
                                                       {"train"},
                                                       {"sample"},
                                                       {"evaluate"},
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

TEST_CASE("samples: an image set that says how it was made; by class name or number; alike for any threads") {
  const TemporaryFolder folder;
  const auto sample = [&](const std::string& file, std::vector<std::string> more) {
    std::vector<std::string> arguments{"sample", "--checkpoint", unet_checkpoint(), "--out", folder / file};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run(arguments);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    return outcome;
  };
  const Outcome outcome =
      sample("a.h5", {"--count", "19", "--sampler", "ddim", "--steps", "5", "--seed", "4", "--threads", "1"});
  CHECK(contains(outcome.out, "mean brightness 0."));
  CHECK(!contains(outcome.out, "\r"));
  const ImageSet a = ImageSet::load(folder / "a.h5");
  CHECK(a.count == 19);
  CHECK(a.class_names == std::vector<std::string>{"dark", "light"});
  CHECK(a.labels[3] == 1);  // the classes in turn
  for (const std::string part : {"checkpoint.h5", "step 3", "ema:0.5", "ddim", "5 of 40 steps", "seed 4"})
    CHECK_MESSAGE(contains(a.source, part), a.source);
  sample("b.h5", {"--count", "19", "--sampler", "ddim", "--steps", "5", "--seed", "4", "--threads", "3"});
  CHECK(ImageSet::load(folder / "b.h5").images == a.images);

  sample("name.h5", {"--count", "3", "--class", "light", "--guidance", "2", "--weights", "raw"});
  sample("number.h5", {"--count", "3", "--class", "1", "--guidance", "2", "--weights", "raw"});
  const ImageSet by_name = ImageSet::load(folder / "name.h5");
  CHECK(by_name.labels == std::vector<Index>{1, 1, 1});
  CHECK(by_name.images == ImageSet::load(folder / "number.h5").images);
  CHECK(failed_with(run({"sample", "--checkpoint", unet_checkpoint(), "--class", "grey", "--out", folder / "x.h5"}), 2,
                    {"grey", "dark, light"}));
  CHECK(failed_with(run({"sample", "--checkpoint", unet_checkpoint(), "--class", "2", "--out", folder / "x.h5"}), 2,
                    {"--class 2", "dark, light"}));
  CHECK(!std::filesystem::exists(folder / "x.h5"));
}

TEST_CASE("Ctrl-C while sampling writes nothing") {
  const TemporaryFolder folder;
  const Outcome outcome =
      run({"sample", "--checkpoint", unet_checkpoint(), "--count", "100000", "--out", folder / "x.png"},
          {.signal = SIGINT, .after = 1});
  CHECK(outcome.code == 130);
  CHECK(contains(outcome.out, "nothing was written"));
  CHECK(folder.files() == 0);
}

TEST_CASE("evaluation: the three parts add up, the table has a line a step, threads change nothing") {
  const TemporaryFolder folder;
  const std::string images = std::filesystem::path(unet_checkpoint()).parent_path().parent_path() / "images.h5";
  const auto evaluate = [&](const char* threads) {
    const Outcome outcome = run({"evaluate", "--checkpoint", unet_checkpoint(), "--data", images, "--count", "11",
                                 "--threads", threads, "--out", folder / threads});
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
  const std::string table = read_text(folder / "1");
  CHECK(table.starts_with("t,vb,mse,x0_mse\n0,"));
  CHECK(split(table, '\n').size() == 1 + 40);
  evaluate("3");
  CHECK(read_text(folder / "3") == table);

  CHECK(failed_with(run({"evaluate", "--checkpoint", unet_checkpoint(), "--data", "data/sets/digits-test.h5"}), 2,
                    {"digits-test.h5", "[28,28,1]", "[8,8,1]"}));
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
