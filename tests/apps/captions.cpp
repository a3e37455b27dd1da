// Text to image as its users meet it: captioned data, training, prompts and what is wrong with them.
#include <doctest/doctest.h>

#include <algorithm>

#include "data/image_set.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

// A small model of scenes, hardly trained; the set lies beside its folder.
const std::string& captioned_checkpoint() {
  static const TemporaryFolder folder;
  static const std::string path = [] {
    const Outcome drawn = run({"data", "scenes", "--count", "60", "--out", folder / "scenes.h5"});
    INFO(drawn.err);
    REQUIRE(drawn.code == 0);
    std::vector<std::string> arguments = {"train", "--config", "configs/scenes.toml", "--out", folder / "run"};
    for (const char* setting :
         {"model.network=dit", "model.hidden=16", "model.depth=1", "model.patch_size=8", "model.text_width=8",
          "model.text_depth=1", "train.steps=4", "train.batch_size=8", "train.preview_every=2", "train.preview_count=4",
          "diffusion.steps=20", "sample.steps=3", "train.warmup_steps=1"}) {
      arguments.insert(arguments.end(), {"--set", setting});
    }
    arguments.insert(arguments.end(), {"--set", "data.train=" + (folder / "scenes.h5")});
    const Outcome trained = run(arguments);
    INFO(trained.err);
    REQUIRE(trained.code == 0);
    return folder / "run/checkpoint.h5";
  }();
  return path;
}

Outcome sample(const std::string& out, const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"sample", "--checkpoint", captioned_checkpoint(), "--count", "4", "--out", out};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run(arguments);
}

}  // namespace

TEST_CASE("samples take the prompts in turn and keep them as captions") {
  const TemporaryFolder folder;
  const std::string red = "a large red circle above a small blue square", blue = "A small blue square";
  REQUIRE(sample(folder / "x.h5", {"--prompt", red, "--prompt", blue, "--guidance", "2"}).code == 0);
  const ImageSet set = ImageSet::load(folder / "x.h5");
  CHECK(set.captions == std::vector<std::string>{red, blue, red, blue});
  write_text(folder / "prompts.txt", red + "\n\n" + blue + "\n");
  REQUIRE(sample(folder / "y.h5", {"--prompts", folder / "prompts.txt", "--guidance", "2"}).code == 0);
  CHECK(ImageSet::load(folder / "y.h5").images == set.images);
  REQUIRE(sample(folder / "z.h5", {"--prompt", red, "--prompt", blue, "--guidance", "2", "--negative-prompt", "yellow"})
              .code == 0);
  CHECK(ImageSet::load(folder / "z.h5").images != set.images);
  const std::string run_folder = std::filesystem::path(captioned_checkpoint()).parent_path();
  CHECK(std::filesystem::exists(run_folder + "/previews/step-000002.png"));
  CHECK(contains(run({"inspect", captioned_checkpoint()}).out, "(by caption)"));
}

TEST_CASE("prompts that can't be drawn: unknown words with their neighbours, none at all, too long, or without a use") {
  const TemporaryFolder folder;
  const std::string out = folder / "x.png";
  CHECK(failed_with(sample(out, {"--prompt", "a large gren circle"}), 2, {"the word \"gren\"", "are green, "}));
  CHECK(failed_with(sample(out, {}), 2, {"--prompt is missing", "a, above, below"}));
  CHECK(failed_with(sample(out, {"--prompt", "a a a a a a a a a a a a"}), 2, {"has 12 words", "at most 10"}));
  CHECK(failed_with(sample(out, {"--prompt", "a circle", "--guidance", "1", "--negative-prompt", "red"}), 2,
                    {"negative", "guidance"}));
  CHECK(failed_with(sample(out, {"--prompts", folder / "none.txt"}), 1, {"none.txt"}));
  write_text(folder / "empty.txt", "\n \n");
  CHECK(failed_with(sample(out, {"--prompts", folder / "empty.txt"}), 2, {"empty.txt", "one in each line"}));
  CHECK(failed_with(run({"sample", "--checkpoint", unet_checkpoint(), "--prompt", "a circle", "--out", out}), 2,
                    {"--prompt", "without captions"}));
  CHECK(!std::filesystem::exists(out));
}

TEST_CASE("captioned models are evaluated on captioned data alone, and resume with the same bits") {
  const std::string run_folder = std::filesystem::path(captioned_checkpoint()).parent_path();
  const std::string scenes = run_folder + "/../scenes.h5";
  CHECK(
      run({"evaluate", "--checkpoint", captioned_checkpoint(), "--data", scenes, "--count", "4", "--draw", "0"}).code ==
      0);
  const TemporaryFolder folder;
  ImageSet bare = ImageSet::load(scenes);
  bare.captions.clear();
  bare.save(folder / "bare.h5");
  CHECK(failed_with(run({"evaluate", "--checkpoint", captioned_checkpoint(), "--data", folder / "bare.h5"}), 2,
                    {"bare.h5", "no captions"}));
  std::filesystem::copy(run_folder, folder / "copy", std::filesystem::copy_options::recursive);
  CHECK(run({"train", "--out", folder / "copy", "--resume", "--set", "train.steps=6"}).code == 0);
  CHECK(failed_with(
      run({"train", "--config", "configs/digits.toml", "--out", folder / "new", "--set", "model.text_conditional=true",
           "--set", "model.class_conditional=false", "--set", "data.train=" + (folder / "bare.h5"), "--set",
           "data.validation=''", "--set", "model.attention_resolutions=[8]"}),
      2, {"model.text_conditional", "no captions"}));
}
