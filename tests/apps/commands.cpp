// The commands around training: help, data sets, and looking into files.
#include <doctest/doctest.h>

#include <csignal>

#include "data/image_set.h"
#include "data/png.h"
#include "data/point_set.h"
#include "data/state_dict.h"
#include "diffusion/model/checkpoint.h"
#include "tests/apps/program.h"

using namespace reverie;

TEST_CASE("every command has a help with an example") {
  const std::vector<std::vector<std::string>> commands{{},
                                                       {"train"},
                                                       {"sample"},
                                                       {"augment"},
                                                       {"evaluate"},
                                                       {"classifier"},
                                                       {"data"},
                                                       {"data", "import"},
                                                       {"data", "import", "idx"},
                                                       {"data", "import", "images"},
                                                       {"data", "import", "crops"},
                                                       {"data", "import", "nifti"},
                                                       {"data", "import", "json"},
                                                       {"data", "import", "npy"},
                                                       {"data", "toy"},
                                                       {"data", "info"},
                                                       {"explain"},
                                                       {"convert"},
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
  CHECK(run({"data", "import", "images", "--folder", folder / "pets", "--size", "4x4", "--channels", "1", "--name",
             "pets", "--source", "a test", "--licence", "MIT", "--out", folder / "pets.h5"})
            .code == 0);
  const ImageSet set = ImageSet::load(folder / "pets.h5");
  CHECK(set.sample_shape() == Shape{4, 4, 1});
  CHECK(set.class_names == std::vector<std::string>{"cats", "dogs"});
  CHECK(set.licence == "MIT");
  CHECK(failed_with(
      run({"data", "import", "images", "--folder", folder / "pets", "--size", "4", "--out", folder / "x.h5"}), 2,
      {"--size 4", "HxW"}));
}

TEST_CASE("IDX files become an image set") {
  const TemporaryFolder folder;
  const std::string header{"\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02", 16}, label_header{"\0\0\x08\x01\0\0\0\x02", 8};
  write_text(folder / "images", header + "abcdefgh");
  write_text(folder / "labels", label_header + std::string("\1\0", 2));
  CHECK(run({"data", "import", "idx", "--images", folder / "images", "--labels", folder / "labels", "--class-names",
             "no,yes", "--no-shuffle", "--out", folder / "set.h5"})
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

TEST_CASE("explain: every operation of a shard, their sums, a graph; no wider than a terminal") {
  const TemporaryFolder folder;
  const std::string graph = folder / "tape.dot";
  const Outcome outcome = run({"explain", "--config", "configs/mnist.toml", "--shape", "28x28x1", "--set",
                               "train.shard_size=1", "--dot", graph});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  for (const std::string part : {"1743170 parameters", "[28,28,1]", "[1,14,14,64]", "\ninput_blocks.4\n", " 1.qkv\n",
                                 "conv2d", "a step of 64 shards: 122 GFLOP"})
    CHECK_MESSAGE(contains(outcome.out, part), part);
  for (const std::string& line : split(outcome.out, '\n')) CHECK_MESSAGE(line.size() <= 80, line);
  const std::string dot = read_text(graph);
  CHECK(dot.starts_with("digraph tape {"));
  CHECK(dot.ends_with("}\n"));
  CHECK(contains(dot, "input_blocks.4.1.qkv.weight\\n[192,64,1]"));
  CHECK(contains(dot, "attention_qkv\\n[1,196,64]"));
  CHECK(contains(dot, " -> n"));
}

TEST_CASE("explain --time: forward and backward of every kind, the slowest first") {
  const Outcome outcome = run({"explain", "--config", "configs/toy-moons.toml", "--time", "--runs", "2"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  for (const std::string part : {"linear", "silu", "GFLOP/s", "100.0%", "the shard ", "a whole step ", "1 thread"})
    CHECK_MESSAGE(contains(outcome.out, part), part);
  double last = 100;
  for (const std::string& line : split(outcome.out, '\n')) CHECK_MESSAGE(line.size() <= 80, line);
  for (const std::string& line : split(outcome.out, '\n')) {
    if (contains(line, "all others") || contains(line, "not recorded")) break;  // the rest, of any size
    if (line.find("% ") != 5) continue;
    CHECK(std::stod(line) <= last);
    last = std::stod(line);
  }
  CHECK(last < 100);
}

TEST_CASE("explain says what it can't explain") {
  const TemporaryFolder folder;
  const std::string config = "configs/mnist.toml";
  const auto explain = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"explain", "--config", config};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  CHECK(failed_with(explain({"--set", "data.train='none.h5'"}), 1, {"none.h5", "--shape HxWxC"}));
  CHECK(failed_with(explain({"--shape", "28x28"}), 2, {"--shape 28x28", "28x28x1"}));
  CHECK(failed_with(explain({"--classes", "3"}), 2, {"--classes", "--shape"}));
  CHECK(failed_with(explain({"--shape", "30x28x1"}), 2, {"30x28"}));
  CHECK(failed_with(explain({"--shape", "28x28x1", "--dot", folder / "none/x.dot"}), 1, {"none"}));
  CHECK(failed_with(explain({"--shape", "28x28x1", "--set", "model.class_conditional=true"}), 2, {"no labels"}));
}

TEST_CASE("convert: a checkpoint's weights to safetensors and back, to the bit, and samples from what comes back") {
  const TemporaryFolder folder;
  const std::string config = std::filesystem::path(unet_checkpoint()).parent_path() / "config.toml";
  const Outcome out = run({"convert", unet_checkpoint(), "--out", folder / "a.safetensors"});
  INFO(out.err);
  REQUIRE(out.code == 0);
  CHECK(contains(out.out, " float32), "));
  CHECK(run({"convert", folder / "a.safetensors", "--out", folder / "b.h5"}).code == 0);
  CHECK(run({"convert", folder / "b.h5", "--config", config, "--out", folder / "c.h5"}).code == 0);
  CHECK(run({"convert", folder / "b.h5", "--config", config, "--shape", "8x8x1", "--classes", "2", "--out",
             folder / "d.h5"})
            .code == 0);
  CHECK(run({"convert", folder / "d.h5", "--weights", "raw", "--out", folder / "d.safetensors"}).code == 0);
  CHECK(read_state_dict(folder / "d.safetensors").tensors == read_state_dict(folder / "a.safetensors").tensors);
  const TensorMap ema = read_checkpoint(unet_checkpoint()).state.tensors.at("ema/0.5");
  const TensorMap back = read_checkpoint(folder / "c.h5").state.tensors.at("weights");
  REQUIRE(back.size() == ema.size());
  for (const auto& [name, tensor] : ema)
    CHECK(std::equal(tensor.values().begin(), tensor.values().end(), back.at(name).values().begin()));

  const auto sample = [&](const std::string& checkpoint, const std::string& file) {
    CHECK(run({"sample", "--checkpoint", checkpoint, "--count", "3", "--out", folder / file}).code == 0);
    return ImageSet::load(folder / file).images;
  };
  CHECK(sample(folder / "c.h5", "c-samples.h5") == sample(unet_checkpoint(), "samples.h5"));

  for (const std::string file : {"a.safetensors", "b.h5"}) {
    const Outcome inspected = run({"inspect", folder / file, "--all"});
    CHECK(inspected.code == 0);
    CHECK(contains(inspected.out, "input_blocks.0.0.weight  float32 [32,1,3,3]"));
    CHECK(contains(inspected.out, "format"));
  }
}

TEST_CASE("convert says what it can't convert, and leaves nothing behind") {
  const TemporaryFolder folder;
  const std::string config = std::filesystem::path(unet_checkpoint()).parent_path() / "config.toml";
  REQUIRE(run({"convert", unet_checkpoint(), "--out", folder / "a.safetensors"}).code == 0);
  const auto convert = [&](const std::string& from, std::vector<std::string> more) {
    std::vector<std::string> arguments{"convert", from};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  const std::string a = folder / "a.safetensors", x = folder / "x.h5";
  CHECK(failed_with(convert(folder / "none", {"--out", x}), 1, {"none", "No such file"}));
  CHECK(failed_with(convert("meson.build", {"--out", x}), 1, {"meson.build", "not a safetensors file"}));
  CHECK(failed_with(convert(a, {"--out", folder / "x.pt"}), 2, {"x.pt", ".safetensors, .h5"}));
  CHECK(failed_with(convert(a, {"--config", config, "--out", folder / "x.safetensors"}), 2, {"expects", ".h5"}));
  CHECK(failed_with(convert(a, {"--out", unet_checkpoint()}), 2, {"is a checkpoint already"}));
  CHECK(failed_with(convert(a, {"--weights", "raw", "--out", x}), 2, {"--weights raw", "not a checkpoint"}));
  CHECK(failed_with(convert(a, {"--round", "--out", x}), 2, {"--round", "--config is missing"}));
  CHECK(failed_with(convert(a, {"--prefix", "module.", "--out", x}), 2, {"no name begins with `module.`"}));
  CHECK(failed_with(convert(a, {"--config", config, "--set", "model.num_res_blocks=2", "--out", x}), 1,
                    {"a.safetensors", "lacks", "another network"}));
  CHECK(failed_with(convert(unet_checkpoint(), {"--weights", "ema:0.7", "--out", x}), 2, {"ema/0.7"}));
  for (const std::string name : {"x.h5", "x.safetensors"})  // a full disk
    CHECK(failed_with(run({"convert", a, "--out", folder / name}, {.largest_file = 100000}), 1, {name}));
  CHECK(folder.files() == 1);
}
