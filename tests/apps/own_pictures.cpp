// `train --data`: from a folder of pictures or a set of one's own to a model, and on from another model's weights.
#include <doctest/doctest.h>

#include "data/image_set.h"
#include "data/png.h"
#include "data/point_set.h"
#include "diffusion/model/checkpoint.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

// Writes pictures of two classes, `count` in all.
void write_photos(const std::string& folder, int count, Index height, Index width) {
  for (const char* of_class : {"/cats", "/dogs"}) std::filesystem::create_directories(folder + of_class);
  for (int i = 0; i < count; ++i) {
    Picture picture(height, width, 3, static_cast<std::uint8_t>(8 * i));
    picture.at(0, 0)[0] = 255;
    write_png(concat(folder, i % 2 ? "/dogs/" : "/cats/", 1000 + i, ".png"), picture);
  }
}

// The arguments of a training of a few steps.
std::vector<std::string> few_steps(std::vector<std::string> arguments, int steps = 2) {
  const std::vector<std::string> more = {"--set", concat("train.steps=", steps), "--set", "train.batch_size=4",
                                         "--set", "train.preview_count=2",       "--set", "sample.steps=2"};
  arguments.insert(arguments.begin(), "train");
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

TEST_CASE("a folder of pictures becomes a model: imported, split, configured with reasons, trained, resumable") {
  const TemporaryFolder folder;
  write_photos(folder / "photos", 30, 8, 12);
  const Outcome first = run(few_steps({"--data", folder / "photos", "--out", folder / "run"}));
  INFO(first.err);
  REQUIRE(first.code == 0);
  CHECK(contains(first.out, "photos: 30 pictures of 8x12 (their own size) in 2 classes; 3 are held out"));
  CHECK(contains(first.out, "class_conditional = true"));
  CHECK(contains(first.out, "# the set has 2 classes: samples can be drawn by class"));
  CHECK(contains(first.out, "# as set"));
  CHECK(contains(first.out, "for 2 steps of "));
  const ImageSet data = ImageSet::load(folder / "run/data.h5"), held_out = ImageSet::load(folder / "run/validation.h5");
  CHECK(data.count == 27);
  CHECK(held_out.count == 3);
  CHECK(data.class_names == std::vector<std::string>{"cats", "dogs"});
  CHECK(held_out.class_names == data.class_names);
  CHECK(data.name == "photos");
  for (Index i = 0; i < data.count; ++i) CHECK(data.images[12 * 8 * 3 * i + 5] / 8 % 2 == data.labels[i]);
  const Checkpoint checkpoint = read_checkpoint(folder / "run/checkpoint.h5");
  CHECK(checkpoint.config.data.train == folder / "run/data.h5");
  CHECK(checkpoint.data.sample_shape == Shape{8, 12, 3});
  CHECK(checkpoint.config.model.class_conditional);
  CHECK(contains(read_text(folder / "run/metrics.jsonl"), "validation_loss"));

  std::filesystem::remove_all(folder / "photos");
  const Outcome second = run({"train", "--out", folder / "run", "--resume", "--set", "train.steps=4"});
  INFO(second.err);
  CHECK(second.code == 0);
  CHECK(run({"sample", "--checkpoint", folder / "run/checkpoint.h5", "--class", "dogs", "--count", "1", "--out",
             folder / "dog.png"})
            .code == 0);
}

TEST_CASE("a run on one's own pictures that is stopped and resumed has the bits of one that was not") {
  const TemporaryFolder folder;
  write_photos(folder / "photos", 30, 8, 8);
  const auto train = [&](const std::string& name, std::vector<std::string> more) {
    std::vector<std::string> arguments = {"--data", folder / "photos", "--out", folder / name};
    arguments.insert(arguments.end(), {"--set", "train.decay=constant"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(few_steps(arguments, 4)).code;
  };
  CHECK(train("whole", {"--threads", "1"}) == 0);
  std::vector<std::string> half =
      few_steps({"--data", folder / "photos", "--out", folder / "half", "--set", "train.decay=constant", "--set",
                 "train.warmup_steps=1", "--set", "train.ema_rates=[0.9]"},
                2);
  CHECK(run(half).code == 0);
  std::filesystem::remove_all(folder / "photos");
  CHECK(run({"train", "--out", folder / "half", "--resume", "--set", "train.steps=4"}).code == 0);
  CHECK(read_checkpoint(folder / "half/checkpoint.h5").state.step == 4);
  CHECK(same_checkpoints(folder / "half/checkpoint.h5", folder / "whole/checkpoint.h5"));
}

TEST_CASE("large pictures are brought to 32x32, or to --size; twelve of them are warned of, and none is held out") {
  const TemporaryFolder folder;
  write_photos(folder / "photos", 12, 70, 90);
  const Outcome outcome = run({"train", "--data", folder / "photos", "--print-config", "--set", "model.channels=32"});
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.out, "12 pictures of 32x32 (cropped and resampled from 70x90; --size 64x64 shows more"));
  CHECK(!contains(outcome.out, "validation ="));
  const Outcome sized = run(few_steps({"--data", folder / "photos", "--size", "8x16", "--out", folder / "run"}, 40));
  CHECK(sized.code == 0);
  CHECK(!contains(sized.err, "images are few"));
  CHECK(read_checkpoint(folder / "run/checkpoint.h5").data.sample_shape == Shape{8, 16, 3});
  CHECK(!std::filesystem::exists(folder / "run/validation.h5"));
  const Outcome often = run(few_steps({"--data", folder / "photos", "--size", "2x2", "--out", folder / "often"}, 300));
  CHECK(contains(often.err, "warning: 12 images are few, and each is seen about 100 times: the model will copy them"));
}

TEST_CASE("--print-config prints a configuration that reads back, with reasons and the time, and writes nothing") {
  const TemporaryFolder folder;
  write_images(folder / "set.h5", 40, 8);
  const Outcome printed = run({"train", "--data", folder / "set.h5", "--out", folder / "run", "--print-config"});
  CHECK(printed.code == 0);
  CHECK(contains(printed.out, "# about "));
  CHECK(folder.files() == 1);
  write_text(folder / "chosen.toml", printed.out);
  const Config config = load_config(folder / "chosen.toml");
  CHECK(config.data.train == folder / "run/data.h5");
  CHECK(config.model.class_conditional);
  const Outcome trained =
      run(few_steps({"--config", folder / "chosen.toml", "--data", folder / "set.h5", "--out", folder / "run"}));
  INFO(trained.err);
  CHECK(trained.code == 0);
  CHECK(ImageSet::load(folder / "run/data.h5").count == 36);
}

TEST_CASE("--data takes the place of a configuration's data, with and without a held-out set of one's own") {
  const TemporaryFolder folder;
  write_images(folder / "set.h5", 40, 8);
  write_images(folder / "held-out.h5", 4, 8);
  write_text(folder / "unet.toml",
             "[data]\ntrain = 'nowhere.h5'\nvalidation = 'nowhere.h5'\n"
             "[model]\nchannel_mult = [1]\nnum_res_blocks = 1\nattention_resolutions = []\n");
  const auto train = [&](const std::string& name, std::vector<std::string> more) {
    more.insert(more.begin(), {"--config", folder / "unet.toml", "--data", folder / "set.h5", "--out", folder / name});
    const Outcome outcome = run(few_steps(more));
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    return read_checkpoint(folder / (name + "/checkpoint.h5")).config.data;
  };
  const Config::Data split = train("split", {});
  CHECK(split.train == folder / "split/data.h5");
  CHECK(split.validation == folder / "split/validation.h5");
  const Config::Data own = train("own", {"--set", "data.validation=" + folder / "held-out.h5"});
  CHECK(own.train == folder / "set.h5");
  CHECK(own.validation == folder / "held-out.h5");
  CHECK(!std::filesystem::exists(folder / "own/data.h5"));
}

TEST_CASE("points and toy distributions are data too") {
  const TemporaryFolder folder;
  CHECK(run({"data", "toy", "swiss_roll", "--count", "60", "--out", folder / "roll.h5"}).code == 0);
  const Outcome file = run(few_steps({"--data", folder / "roll.h5", "--out", folder / "a"}));
  INFO(file.err);
  CHECK(file.code == 0);
  CHECK(PointSet::load(folder / "a/validation.h5").size() == 6);
  CHECK(run(few_steps({"--data", "toy:two_moons", "--out", folder / "b"})).code == 0);
  CHECK(read_checkpoint(folder / "b/checkpoint.h5").config.data.train == "toy:two_moons");
}

TEST_CASE("words and classes that only one picture has are not held out") {
  const TemporaryFolder folder;
  write_images(folder / "set.h5", 40, 8);
  ImageSet set = ImageSet::load(folder / "set.h5");
  set.labels.clear(), set.class_names.clear();
  for (Index i = 0; i < 40; ++i) set.captions.push_back(i < 30 ? concat("picture word", i) : "a picture");
  set.save(folder / "captions.h5");
  const Outcome outcome = run(few_steps({"--data", folder / "captions.h5", "--out", folder / "run"}));
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  const ImageSet held_out = ImageSet::load(folder / "run/validation.h5");
  CHECK(held_out.captions == std::vector<std::string>(4, "a picture"));
  CHECK(read_checkpoint(folder / "run/checkpoint.h5").config.model.text_conditional);
}

TEST_CASE("--init-from starts from another model's weights, for other classes and sizes, and says what it kept") {
  const TemporaryFolder folder;
  write_photos(folder / "photos", 24, 70, 70);
  const std::string& start = unet_checkpoint();  // images of 8x8 in the classes dark and light
  const Outcome outcome = run(few_steps({"--data", folder / "photos", "--init-from", start, "--out", folder / "run"}));
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(contains(outcome.out, "24 pictures of 8x8 (as in the checkpoint; --size chooses another)"));
  CHECK(contains(outcome.out, "# as in the checkpoint"));
  CHECK(contains(outcome.out, "starting from the averaged (EMA) weights of " + start + " after 3 steps: kept "));
  CHECK(contains(outcome.out, "classes: no class is known, 2 new (cats, dogs), 2 dropped (dark, light)"));
  CHECK(contains(outcome.out, "new, for another number of channels: input_blocks.0.0.weight"));
  const Config config = read_checkpoint(folder / "run/checkpoint.h5").config;
  CHECK(config.model.channel_mult == std::vector<double>{1, 2});
  CHECK(config.diffusion.prediction == "eps");
  CHECK(config.diffusion.steps == 40);

  write_images(folder / "set.h5", 24, 16);
  write_text(folder / "data.toml", concat("[data]\ntrain = '", folder / "set.h5", "'\n[model]\nchannels = 64\n",
                                          "class_conditional = true\n[train]\nlabel_dropout = 0.1\n"));
  const Outcome configured = run(few_steps(
      {"--config", folder / "data.toml", "--init-from", start, "--weights", "raw", "--out", folder / "configured"}));
  INFO(configured.err);
  CHECK(configured.code == 0);
  CHECK(contains(configured.out, "starting from the raw weights of "));
  CHECK(contains(configured.out, "classes: 2 kept (dark, light)"));
  CHECK(read_checkpoint(folder / "configured/checkpoint.h5").config.model.channels == 32);
  CHECK(run({"train", "--out", folder / "configured", "--resume"}).code == 0);
  CHECK(failed_with(run(few_steps({"--data", folder / "set.h5", "--init-from", start, "--out", folder / "wide", "--set",
                                   "model.channels=64"})),
                    2, {"--init-from", "`model.channels` is 64, there it is 32"}));
  CHECK(!std::filesystem::exists(folder / "wide"));
}

TEST_CASE("a set larger than its memory trains from its file: any threads, resumed or not, and is evaluated") {
  const TemporaryFolder folder;
  write_images(folder / "set.h5", 20'000, 8);  // 1.28 MB
  write_text(folder / "unet.toml",
             concat("[data]\ntrain = '", folder / "set.h5", "'\nvalidation = '", folder / "set.h5",
                    "'\nmemory_mb = 1\n[model]\nchannel_mult = [1]\nnum_res_blocks = 1\nattention_resolutions = []\n"
                    "[diffusion]\nsteps = 20\n[train]\nsteps = 4\nbatch_size = 16\npreview_count = 2\n"
                    "validation_count = 32\nlog_every = 1\n"));
  const auto train = [&](const std::string& name, std::vector<std::string> more) {
    std::vector<std::string> arguments{"train", "--out", folder / name};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run(arguments);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
  };
  train("one", {"--config", folder / "unet.toml", "--threads", "1"});
  train("halves", {"--config", folder / "unet.toml", "--threads", "3", "--set", "train.steps=2"});
  train("halves", {"--resume", "--set", "train.steps=4"});
  CHECK(same_checkpoints(folder / "one/checkpoint.h5", folder / "halves/checkpoint.h5"));
  train("all", {"--config", folder / "unet.toml", "--set", "data.memory_mb=0"});
  CHECK(!same_checkpoints(folder / "one/checkpoint.h5", folder / "all/checkpoint.h5"));  // another order
  CHECK(read_checkpoint(folder / "one/checkpoint.h5").state.data ==
        read_checkpoint(folder / "all/checkpoint.h5").state.data);
  const Outcome own =
      run(few_steps({"--data", folder / "set.h5", "--out", folder / "own", "--set", "data.memory_mb=1"}));
  INFO(own.err);
  CHECK(own.code == 0);
  CHECK(contains(own.out, "20000 samples, more than data.memory_mb, so it stays in its file and none are held out"));
  CHECK(read_checkpoint(folder / "own/checkpoint.h5").config.data.train == folder / "set.h5");
  const auto bits = [&](const std::string& name) {
    return run(
        {"evaluate", "--checkpoint", folder / (name + "/checkpoint.h5"), "--data", folder / "set.h5", "--count", "4"});
  };
  CHECK(bits("one").code == 0);
  CHECK(failed_with(run({"train", "--out", folder / "one", "--resume", "--set", "data.memory_mb=2"}), 2,
                    {"data.memory_mb"}));
}

TEST_CASE("what --data, --size and --init-from can't take is said before anything is written") {
  const TemporaryFolder folder;
  write_images(folder / "set.h5", 40, 8);
  write_text(folder / "text.txt", "no picture");
  std::filesystem::create_directory(folder / "empty");
  const std::string set = folder / "set.h5", out = folder / "run";
  const auto fails = [&](std::vector<std::string> arguments, int code, std::vector<std::string> parts) {
    arguments.insert(arguments.begin(), "train");
    CHECK(failed_with(run(arguments), code, parts));
  };
  fails({"--data", folder / "none", "--out", out}, 2, {"--data", "none: doesn't exist"});
  fails({"--data", folder / "text.txt", "--out", out}, 2,
        {"expects a folder of pictures, an image set or a point set"});
  fails({"--data", folder / "empty", "--out", out}, 1, {"has no PNG or JPEG files"});
  fails({"--data", set}, 2, {"--out is missing"});
  fails({"--data", set, "--out", out, "--size", "32"}, 2, {"--size 32: expects HxW, e.g. 32x32"});
  fails({"--config", "configs/digits.toml", "--out", out, "--size", "32x32"}, 2, {"--size", "without --data"});
  fails({"--data", set, "--out", out, "--set", "data.train=a.h5"}, 2, {"--data names the data already"});
  fails({"--data", "toy:moon", "--out", out}, 2, {"moon", "two_moons"});
  fails({"--data", "toy:two_moons", "--out", out, "--size", "8x8"}, 2, {"--size: has no effect"});
  fails({"--data", set, "--out", out, "--init-from", set}, 1, {"is not a reverie checkpoint"});
  fails({"--data", set, "--out", out, "--weights", "raw"}, 2, {"--weights", "without --init-from"});
  fails({"--init-from", unet_checkpoint(), "--out", out}, 2, {"--config or --data is missing"});
  fails({"--data", set, "--out", out, "--init-from", unet_checkpoint(), "--weights", "best"}, 2, {"\"best\""});
  fails({"--data", set, "--out", out, "--set", "model.attention_resolutions=[7]"}, 2, {"choose among them, e.g. [8]"});
  fails({"--data", folder / "set.h5", "--out", folder / "run", "--size", "101x103"}, 2, {"101x103", "would fit"});
  CHECK(!std::filesystem::exists(out));
  const std::string run_folder = std::filesystem::path(unet_checkpoint()).parent_path();
  fails({"--data", set, "--out", run_folder, "--resume"}, 2, {"--data", "with --resume"});
}
