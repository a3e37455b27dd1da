// Samples made from pictures: image to image, inpainting, interpolation, given noise; film strips and folders.
#include <doctest/doctest.h>

#include <algorithm>

#include "data/hdf5.h"
#include "data/image_set.h"
#include "data/npy.h"
#include "data/png.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

std::string write_picture(const std::string& path, Index side, Index channels, int from = 0) {
  Picture picture(side, side, channels);
  for (std::size_t i = 0; i < picture.pixels.size(); ++i)
    picture.pixels[i] = static_cast<std::uint8_t>(from + 3 * static_cast<int>(i) % 200);
  write_png(path, picture);
  return path;
}

// A mask that is white in its right half.
std::string write_mask(const std::string& path, Index side) {
  Picture picture(side, side, 1);
  for (Index i = 0; i < side * side; ++i) picture.pixels[i] = i % side >= side / 2 ? 255 : 0;
  write_png(path, picture);
  return path;
}

Outcome sample(const std::string& out, std::vector<std::string> more, const std::string& from = unet_checkpoint()) {
  std::vector<std::string> arguments{"sample", "--checkpoint", from, "--out", out};
  if (std::find(more.begin(), more.end(), "--steps") == more.end()) more.insert(more.end(), {"--steps", "5"});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run(arguments);
}

ImageSet sampled(const std::string& out, const std::vector<std::string>& more) {
  const Outcome outcome = sample(out, more);
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  return ImageSet::load(out);
}

// The mean difference of pixels.
double distance(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  REQUIRE(a.size() == b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(int(a[i]) - int(b[i])) / double(a.size());
  return sum;
}

const std::string& point_checkpoint() {
  static const TemporaryFolder folder;
  static const std::string path = [] {
    REQUIRE(run(small_run(folder / "run", {"--set", "train.steps=2"})).code == 0);
    return folder / "run/checkpoint.h5";
  }();
  return path;
}

}  // namespace

TEST_CASE("image to image: the lower the strength, the nearer to the picture; each picture of a set keeps its class") {
  const TemporaryFolder folder;
  const std::string a = write_picture(folder / "a.png", 8, 1);
  const std::vector<std::uint8_t> pixels = read_png(a).pixels;
  double before = -1;
  for (const char* strength : {"0.1", "0.5", "1"}) {
    const ImageSet set = sampled(folder / "x.h5", {"--from", a, "--strength", strength, "--steps", "40", "--count", "2",
                                                   "--class", "light", "--sampler", "ddpm"});
    CHECK(set.labels == std::vector<Index>{1, 1});
    CHECK(contains(set.source, std::string("strength ") + strength));
    const double now = distance({set.images.begin(), set.images.begin() + 64}, pixels);
    CHECK(now > before);
    before = now;
    CHECK(distance({set.images.begin(), set.images.begin() + 64}, {set.images.begin() + 64, set.images.end()}) > 0);
  }
  const ImageSet of_set = sampled(folder / "y.h5", {"--from", unet_images()});
  CHECK(of_set.labels == ImageSet::load(unet_images()).labels);
  CHECK(sample(folder / "x.png", {"--from", a, "--count", "3"}).code == 0);

  for (const char* strength : {"0", "-0.2", "1.01"})
    CHECK(failed_with(sample(folder / "no.h5", {"--from", a, "--strength", strength}), 2, {"--strength", "above 0"}));
  CHECK(failed_with(sample(folder / "no.h5", {"--strength", "0.5"}), 2, {"--strength", "without --from"}));
  CHECK(failed_with(sample(folder / "no.h5", {"--from", folder / "none.png"}), 1, {"none.png"}));
  CHECK(failed_with(sample(folder / "no.h5", {"--from", write_picture(folder / "b.png", 9, 1)}), 2,
                    {"b.png", "[9,9,1]", "[8,8,1]"}));
  CHECK(failed_with(sample(folder / "no.h5", {"--from", write_picture(folder / "c.png", 8, 3)}), 2,
                    {"c.png", "[8,8,3]", "[8,8,1]"}));
  CHECK(failed_with(sample(folder / "no.h5", {"--from", unet_images(), "--count", "21"}), 2, {"--count 21", "20"}));
  CHECK(failed_with(sample(folder / "no.h5", {"--from", unet_images(), "--encode", unet_images()}), 2,
                    {"--from", "--encode", "contradict"}));
  CHECK(failed_with(sample(a, {"--from", a}), 2, {"--from", "overwrite"}));
  CHECK(!std::filesystem::exists(folder / "no.h5"));
}

TEST_CASE("inpainting: known pixels stay exactly, by both methods, for a picture and for a set with its own masks") {
  const TemporaryFolder folder;
  const std::string a = write_picture(folder / "a.png", 8, 1), mask = write_mask(folder / "m.png", 8);
  const std::vector<std::uint8_t> pixels = read_png(a).pixels;
  for (const char* method : {"repaint", "masked"}) {
    const ImageSet set = sampled(
        folder / "x.h5", {"--inpaint", a, "--mask", mask, "--inpaint-method", method, "--count", "3", "--seed", "2"});
    CHECK(contains(set.source, method));
    Index drawn = 0;
    for (std::size_t i = 0; i < set.images.size(); ++i) {
      if (i % 8 < 4) CHECK(set.images[i] == pixels[i % 64]);
      if (i % 8 >= 4) drawn += set.images[i] != pixels[i % 64] ? 1 : 0;
    }
    CHECK(drawn > 60);
  }
  const Outcome few = sample(folder / "x.h5", {"--inpaint", a, "--mask", mask, "--repaint-jumps", "3",
                                               "--repaint-length", "2", "--count", "1"});
  CHECK(contains(few.out, "11 evaluations"));  // 2 + 3 (5 - 2)

  ImageSet own = ImageSet::load(unet_images());
  own.masks.assign(own.images.size(), 0);
  for (std::size_t i = 0; i < 64; ++i) own.masks[i] = i < 32 ? 1 : 0;  // of the first image, its upper half
  own.save(folder / "own.h5");
  const ImageSet set = sampled(folder / "y.h5", {"--inpaint", folder / "own.h5"});
  CHECK(std::equal(set.images.begin() + 32, set.images.end(), own.images.begin() + 32));
  CHECK(distance({set.images.begin(), set.images.begin() + 32}, {own.images.begin(), own.images.begin() + 32}) > 1);

  const auto refused = [&](std::vector<std::string> more, const std::vector<std::string>& parts, int code = 2) {
    CHECK(failed_with(sample(folder / "no.h5", std::move(more)), code, parts));
  };
  refused({"--inpaint", a}, {"--inpaint", "--mask"});
  refused({"--inpaint", unet_images()}, {"has no masks", "--mask"});
  refused({"--mask", mask}, {"--mask", "without --inpaint"});
  refused({"--inpaint-method", "masked"}, {"--inpaint-method", "without --inpaint"});
  refused({"--inpaint", a, "--mask", mask, "--inpaint-method", "brush"}, {"brush", "repaint, masked"});
  refused({"--inpaint", a, "--mask", mask, "--inpaint-method", "masked", "--repaint-jumps", "3"},
          {"--repaint-jumps", "masked"});
  refused({"--inpaint", a, "--mask", mask, "--repaint-length", "6"}, {"parts of 6", "1 to 5"});
  refused({"--inpaint", a, "--mask", write_mask(folder / "m9.png", 9)}, {"m9.png", "9x9", "8x8"});
  refused({"--inpaint", a, "--mask", folder / "none.png"}, {"none.png"}, 1);
  write_png(folder / "black.png", Picture(8, 8, 1, 0));
  write_png(folder / "white.png", Picture(8, 8, 1, 255));
  refused({"--inpaint", a, "--mask", folder / "black.png"}, {"black.png", "black all over"});
  refused({"--inpaint", a, "--mask", folder / "white.png"}, {"white.png", "white all over"});
  refused({"--inpaint", a, "--mask", mask, "--from", a}, {"--from", "--inpaint", "contradict"});
  CHECK(!std::filesystem::exists(folder / "no.h5"));
}

TEST_CASE("interpolation: from one picture's reconstruction to the other's") {
  const TemporaryFolder folder;
  const std::string a = write_picture(folder / "a.png", 8, 1), b = write_picture(folder / "b.png", 8, 1, 50);
  const std::vector<std::string> both{"--interpolate", a, b, "--class", "dark,light"};
  const ImageSet set = sampled(folder / "x.h5", both);
  CHECK(set.count == 8);
  CHECK(set.labels == std::vector<Index>{0, 0, 0, 0, 1, 1, 1, 1});
  CHECK(sample(folder / "x.png", both).code == 0);
  const Picture strip = read_png(folder / "x.png");
  CHECK(strip.width > 8 * strip.height);
  const auto refused = [&](std::vector<std::string> more, const std::vector<std::string>& parts) {
    CHECK(failed_with(sample(folder / "no.h5", std::move(more)), 2, parts));
  };
  refused({"--interpolate", a, b}, {"--interpolate", "--class"});
  refused({"--interpolate", a, b, "--class", "0,1,0"}, {"--interpolate", "--class"});
  refused({"--interpolate", a, b, "--class", "0", "--count", "1"}, {"--count 1", "at least 2"});
  refused({"--interpolate", a, write_picture(folder / "c.png", 8, 3), "--class", "0"}, {"c.png", "[8,8,3]"});
  refused({"--interpolate", a}, {"--interpolate"});
  refused({"--interpolate", a, b, "--start", a}, {"--interpolate", "--start", "contradict"});
  CHECK(failed_with(sample(folder / "no.h5", {"--interpolate", a, b}, point_checkpoint()), 2,
                    {"--interpolate", "points"}));
}

TEST_CASE("a film strip: a row for each sample, a column for each step shown") {
  const TemporaryFolder folder;
  const auto strip = [&](const std::string& file, std::vector<std::string> more) {
    more.insert(more.end(), {"--count", "2", "--filmstrip", folder / file});
    const Outcome outcome = sample(folder / "x.png", more);
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    CHECK(contains(outcome.out, file));
    return read_png(folder / file);
  };
  const Picture x_t = strip("a.png", {}), x_0 = strip("b.png", {"--filmstrip-shows", "x_0"});
  CHECK(x_t.width == x_0.width);
  CHECK(x_t.width > 2 * x_t.height);  // five columns, two rows
  CHECK(x_t.pixels != x_0.pixels);
  strip("c.png", {"--from", unet_images(), "--strength", "0.4"});
  CHECK(failed_with(sample(folder / "no.png", {"--filmstrip-shows", "x_0"}), 2, {"--filmstrip-shows", "--filmstrip"}));
  CHECK(failed_with(sample(folder / "no.png", {"--filmstrip", folder / "f.h5"}), 2, {"--filmstrip", ".png"}));
  CHECK(failed_with(sample(folder / "no.png", {"--filmstrip", folder / "no.png"}), 2, {"--filmstrip", "--out"}));
  REQUIRE(sample(folder / "p.png", {"--filmstrip", folder / "f.png"}, point_checkpoint()).code == 0);
  const Picture panels = read_png(folder / "f.png");
  CHECK(panels.width > 4 * panels.height);  // of points, a panel for each of the five steps
}

TEST_CASE("several classes in turn; noise from a file; pictures in a folder") {
  const TemporaryFolder folder;
  CHECK(sampled(folder / "x.h5", {"--class", "light,dark,light", "--count", "5"}).labels ==
        std::vector<Index>{1, 0, 1, 1, 0});
  CHECK(failed_with(sample(folder / "no.h5", {"--class", "0,"}), 2, {"--class 0,", "empty"}));
  CHECK(failed_with(sample(folder / "no.h5", {"--class", "0,grey"}), 2, {"grey", "dark, light"}));

  const Outcome encoded = sample(folder / "back.h5", {"--encode", unet_images(), "--noise", folder / "noise.h5"});
  REQUIRE(encoded.code == 0);
  const ImageSet again = sampled(folder / "again.h5", {"--start", folder / "noise.h5"});
  CHECK(again.count == 20);
  CHECK(again.images == ImageSet::load(folder / "back.h5").images);  // its classes are in turn, as the set's are
  CHECK(sampled(folder / "some.h5", {"--start", folder / "noise.h5", "--count", "3"}).count == 3);
  CHECK(failed_with(sample(folder / "no.h5", {"--start", folder / "noise.h5", "--count", "21"}), 2,
                    {"--count 21", "20 samples"}));
  CHECK(failed_with(sample(folder / "no.h5", {"--start", folder / "none.h5"}), 1, {"none.h5"}));
  CHECK(failed_with(sample(folder / "no.h5", {"--start", unet_images()}), 1, {"images.h5", "x_T"}));
  CHECK(failed_with(sample(folder / "no.h5", {"--start", folder / "noise.h5"}, point_checkpoint()), 2,
                    {"noise.h5", "[20,8,8,1]", "[2]"}));
  {
    Hdf5File file = Hdf5File::create(folder / "nan.h5");
    file.write_tensor("x_T", Tensor::full({2, 8, 8, 1}, static_cast<real>(NAN)));
    file.close();
  }
  CHECK(failed_with(sample(folder / "no.h5", {"--start", folder / "nan.h5"}), 1, {"nan"}));

  REQUIRE(sample(folder / "set.npz", {"--count", "5", "--class", "0,1"}).code == 0);
  const auto arrays = read_npz(folder / "set.npz");
  CHECK(arrays.at("images").extents == std::vector<Index>{5, 8, 8, 1});
  CHECK(arrays.at("labels").value(3) == 1);
  REQUIRE(run({"data", "import", "npy", "--images", folder / "set.npz", "--no-shuffle", "--out", folder / "back.h5"})
              .code == 0);
  CHECK(ImageSet::load(folder / "back.h5").images ==
        sampled(folder / "same.h5", {"--count", "5", "--class", "0,1"}).images);
  REQUIRE(sample(folder / "points.npz", {"--count", "5"}, point_checkpoint()).code == 0);
  CHECK(read_npz(folder / "points.npz").at("points").extents == std::vector<Index>{5, 2});

  const std::string single = folder / "single/";
  CHECK(sample(single, {"--count", "12", "--seed", "3"}).code == 0);
  const ImageSet set = sampled(folder / "set.h5", {"--count", "12", "--seed", "3"});
  CHECK(std::distance(std::filesystem::directory_iterator(single), {}) == 12);
  CHECK(read_png(single + "0012.png").pixels ==
        std::vector<std::uint8_t>(set.images.begin() + 11 * 64, set.images.end()));
  CHECK(failed_with(sample(single, {"--count", "2"}), 2, {"single/", "new or empty"}));
  std::filesystem::create_directory(folder / "empty");
  CHECK(sample(folder / "empty/", {"--count", "2"}).code == 0);
  CHECK(failed_with(sample(folder / "no/where/", {"--count", "2"}), 1, {"no folder"}));
  CHECK(failed_with(sample(folder / "set.h5/", {"--count", "2"}), 1, {"is a file"}));
  CHECK(failed_with(sample(folder / "points/", {}, point_checkpoint()), 2, {"points/", "points"}));
  CHECK(!std::filesystem::exists(folder / "points"));
}

TEST_CASE("a memory limit changes no sample, and is an error if one doesn't fit") {
  const TemporaryFolder folder;
  const ImageSet free = sampled(folder / "a.h5", {"--count", "40"});
  CHECK(sampled(folder / "b.h5", {"--count", "40", "--memory", "1G"}).images == free.images);
  CHECK(failed_with(sample(folder / "no.h5", {"--memory", "10M"}), 2, {"not even one sample"}));
  for (const char* size : {"2", "G", "-1G", "2T", "0M", "nan"})
    CHECK(failed_with(sample(folder / "no.h5", {"--memory", size}), 2, {"--memory", "like 2G"}));
  CHECK(!std::filesystem::exists(folder / "no.h5"));
}

TEST_CASE("super-resolution: trained from an ordinary set, sampled from small pictures, evaluated given them") {
  const TemporaryFolder folder;
  write_images(folder / "images.h5", 12, 8);
  write_images(folder / "small.h5", 5, 4);
  write_text(
      folder / "enlarge.toml",
      concat("[data]\ntrain = '", folder / "images.h5",
             "'\n[model]\nlow_resolution = 2\nchannel_mult = [1]\nnum_res_blocks = 1\nattention_resolutions = []\n"
             "[diffusion]\nsteps = 20\n[train]\nsteps = 3\nbatch_size = 4\npreview_every = 2\npreview_count = 2\n"));
  const Outcome trained = run({"train", "--config", folder / "enlarge.toml", "--out", folder / "run"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK(std::filesystem::exists(folder / "run/previews/step-000002.png"));
  const std::string checkpoint = folder / "run/checkpoint.h5";
  CHECK(contains(run({"inspect", checkpoint}).out, "enlarges pictures by a factor of 2"));
  CHECK(run({"explain", "--config", folder / "enlarge.toml"}).code == 0);
  CHECK(run({"evaluate", "--checkpoint", checkpoint, "--data", folder / "images.h5", "--count", "2"}).code == 0);
  const auto upscale = [&](const std::string& from, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--upscale", from});
    return sample(folder / "x.h5", more, checkpoint);
  };
  REQUIRE(upscale(folder / "small.h5").code == 0);
  CHECK(ImageSet::load(folder / "x.h5").count == 5);
  CHECK(ImageSet::load(folder / "x.h5").height == 8);
  CHECK(upscale(folder / "images.h5", {"--count", "2"}).code == 0);
  CHECK(upscale(write_picture(folder / "a.png", 4, 1), {"--count", "3"}).code == 0);
  CHECK(ImageSet::load(folder / "x.h5").count == 3);
  CHECK(sample(folder / "x.png", {"--upscale", folder / "a.png", "--count", "3"}, checkpoint).code == 0);

  const auto refused = [&](const Outcome& outcome, const std::vector<std::string>& parts, int code = 2) {
    CHECK(failed_with(outcome, code, parts));
  };
  const std::string no = folder / "no.h5";
  refused(sample(no, {}, checkpoint), {"--upscale is missing", "2"});
  refused(sample(no, {"--from", folder / "images.h5"}, checkpoint), {"--upscale is missing"});
  refused(sample(no, {"--upscale", folder / "a.png"}), {"--upscale", "wasn't trained"});
  refused(sample(no, {"--upscale", folder / "a.png", "--from", folder / "a.png"}, checkpoint), {"contradict"});
  refused(sample(no, {"--upscale", write_picture(folder / "b.png", 5, 1)}, checkpoint),
          {"b.png", "[5,5,1]", "[8,8,1] or [4,4,1]"});
  refused(sample(no, {"--upscale", write_picture(folder / "c.png", 4, 3)}, checkpoint), {"c.png", "[4,4,3]"});
  refused(sample(no, {"--upscale", folder / "none.png"}, checkpoint), {"none.png"}, 1);
  refused(sample(no, {"--upscale", folder / "small.h5", "--count", "6"}, checkpoint), {"--count 6", "5 samples"});
  refused(sample(no, {"--upscale", folder / "a.png"}, point_checkpoint()), {"--upscale", "points"});
  refused(
      run({"train", "--config", folder / "enlarge.toml", "--out", folder / "other", "--set", "model.low_resolution=3"}),
      {"model.low_resolution", "1, 2, 4, 8"});
  CHECK(!std::filesystem::exists(no));
}
