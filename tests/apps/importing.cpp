// reverie data import, as its users run it.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "data/image_set.h"
#include "data/npy.h"
#include "data/png.h"
#include "tests/apps/program.h"

using namespace reverie;

namespace {

using Words = std::vector<std::string>;

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Ten patients with four pictures each, p0/a-0.png to p9/b-3.png, in two classes; a pixel names the patient.
struct Patients {
  Patients() {
    for (int patient = 0; patient < 10; ++patient) {
      std::filesystem::create_directory(folder / concat("p", patient));
      for (int i = 0; i < 4; ++i)
        write_png(folder / concat("p", patient, i % 2 == 0 ? "/a-" : "/b-", i, ".png"),
                  Picture(2, 2, 1, static_cast<std::uint8_t>(20 * patient + i)));
    }
  }
  Words import(const Words& more) const {
    return Words{"data", "import", "images", "--folder", folder.path(), "--class-pattern", "^([ab])-"} + more;
  }
  TemporaryFolder folder, out;
};

std::vector<std::uint8_t> sorted(std::vector<std::uint8_t> values) {
  std::sort(values.begin(), values.end());
  return values;
}

}  // namespace

TEST_CASE("--validation holds out whole groups, in a set beside, with the same classes") {
  const Patients patients;
  const std::string file = patients.out / "set.h5";
  const Words import =
      patients.import({"--group-pattern", "(p[0-9])/", "--validation", "0.2", "--name", "patients", "--out", file});
  const Outcome outcome = run(import);
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.out, "held out 8 of 40 images; the 10 groups stayed whole"));
  const ImageSet train = ImageSet::load(file), held_out = ImageSet::load(patients.out / "set-validation.h5");
  CHECK(train.count == 32);
  CHECK(held_out.count == 8);
  CHECK(held_out.class_names == train.class_names);
  CHECK(held_out.name == "patients-validation");
  std::set<int> in_train, in_held_out;
  for (Index i = 0; i < train.count; ++i) in_train.insert(train.images[4 * i] / 20);
  for (Index i = 0; i < held_out.count; ++i) in_held_out.insert(held_out.images[4 * i] / 20);
  CHECK(in_train.size() == 8);
  CHECK(in_held_out.size() == 2);
  for (const int patient : in_held_out) CHECK(!in_train.contains(patient));
  run(import);
  CHECK(ImageSet::load(patients.out / "set-validation.h5").images == held_out.images);
}

TEST_CASE("images are shuffled by default, and the seed decides the order") {
  const Patients patients;
  const auto import = [&](const Words& more) {
    const std::string file = patients.out / "set.h5";
    CHECK(run(patients.import(more + Words{"--out", file})).code == 0);
    return ImageSet::load(file);
  };
  const ImageSet in_order = import({"--no-shuffle"}), shuffled = import({}), other = import({"--seed", "1"});
  CHECK(in_order.images[0] == 0);
  CHECK(in_order.images.back() == 20 * 9 + 3);
  CHECK(shuffled.images != in_order.images);
  CHECK(other.images != shuffled.images);
  CHECK(import({"--shuffle"}).images == shuffled.images);
  CHECK(sorted(shuffled.images) == sorted(in_order.images));
  for (Index i = 0; i < shuffled.count; ++i) CHECK(shuffled.labels[i] == shuffled.images[4 * i] % 20 % 2);
}

TEST_CASE("a class without held-out images is named") {
  const TemporaryFolder folder;
  for (const char* name : {"in", "in/rare", "in/common"}) std::filesystem::create_directory(folder / name);
  write_png(folder / "in/rare/a.png", Picture(2, 2, 1));
  for (int i = 0; i < 9; ++i) write_png(folder / concat("in/common/", i, ".png"), Picture(2, 2, 1));
  const Outcome outcome = run({"data", "import", "images", "--folder", folder / "in", "--validation", "0.3",
                               "--validation-out", folder / "v.h5", "--out", folder / "t.h5"});
  CHECK(outcome.code == 0);
  const ImageSet train = ImageSet::load(folder / "t.h5"), held_out = ImageSet::load(folder / "v.h5");
  CHECK(train.count == 7);
  CHECK(held_out.count == 3);
  CHECK(contains(outcome.err, "v.h5: has no images of 1 of 2 classes: rare"));
}

TEST_CASE("importing: options that don't fit are refused before anything is read") {
  const Patients patients;
  const std::string out = patients.out / "set.h5";
  const auto refused = [&](const Words& more, const std::vector<std::string>& parts) {
    const Outcome outcome = run(patients.import(more + Words{"--out", out}));
    CHECK_MESSAGE(failed_with(outcome, 2, parts), outcome.err);
    CHECK(patients.out.files() == 0);
  };
  for (const char* share : {"0", "1", "1.5", "-0.1", "nan", "x"}) refused({"--validation", share}, {"--validation"});
  refused({"--validation-out", patients.out / "v.h5"}, {"--validation-out: has no effect without --validation"});
  refused({"--validation", "0.1", "--validation-out", out}, {"is the file that --out writes"});
  refused({"--validation", "0.1", "--validation-out", patients.out / "v.png"}, {"expects a name that ends in .h5"});
  refused({"--no-shuffle", "--seed", "1"}, {"--seed: has no effect with --no-shuffle"});
  refused({"--group-pattern", "(p[0-9])"}, {"--group-pattern: has no effect without --validation"});
  refused({"--no-classes"}, {"--no-classes: has no effect with --class-pattern"});
  refused({"--group-pattern", "(", "--validation", "0.1"}, {"is not a regular expression"});
  refused({"--group-pattern", "(p)", "--validation", "0.1"}, {"all images are of one group"});
}

TEST_CASE("NumPy's arrays become an image set") {
  const TemporaryFolder folder;
  write_npz(folder / "a.npz", {{"images", NpyArray::of({2, 1, 2}, std::vector<std::uint8_t>{1, 2, 3, 4})},
                               {"labels", NpyArray::of({2}, std::vector<Index>{1, 0})},
                               {"more", NpyArray::of({1}, std::vector<Index>{5})}});
  const Outcome outcome = run({"data", "import", "npy", "--images", folder / "a.npz", "--class-names", "no,yes",
                               "--no-shuffle", "--out", folder / "a.h5"});
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "warning: left out: the array `more`\n");
  const ImageSet set = ImageSet::load(folder / "a.h5");
  CHECK(set.images == std::vector<std::uint8_t>{1, 2, 3, 4});
  CHECK(set.labels == std::vector<Index>{1, 0});
  CHECK(set.class_names == Words{"no", "yes"});
  CHECK(failed_with(run({"data", "import", "npy", "--images", folder / "a.npz", "--labels", folder / "a.npz", "--out",
                         folder / "b.h5"}),
                    2, {"--labels: has no effect with X.npz"}));
}
