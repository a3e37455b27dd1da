// Strings of variable length lie in a part of an HDF5 file without checksums: a flipped bit there changed class names
// and the configuration in silence (patch_size 2 became 0), or crashed HDF5.
#include <doctest/doctest.h>
#include <hdf5.h>

#include "data/image_set.h"
#include "diffusion/model/checkpoint.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

Checkpoint small_checkpoint() {
  Checkpoint checkpoint;
  checkpoint.config.model.network = "mlp", checkpoint.config.model.hidden = 8;
  checkpoint.data = {{2}, {"lower", "upper"}};
  checkpoint.state.step = 7;
  checkpoint.state.tensors["weights"]["a"] = Tensor::full({3}, 0.5);
  return checkpoint;
}

ImageSet small_set() {
  ImageSet set;
  set.count = 3, set.height = set.width = 4, set.channels = 1;
  for (int i = 0; i < 48; ++i) set.images.push_back(static_cast<std::uint8_t>(5 * i));
  set.labels = {0, 1, 1}, set.class_names = {"cat", "größer"};
  set.captions = {"a cat", "", "two dogs"};
  set.name = "animals", set.source = "here", set.licence = "none";
  return set;
}

/// Flips one bit in each `stride`-th byte. Reading must give an error or the same as before, and never crash.
template <class Read>
void flip_bits(const std::string& path, std::size_t stride, Read&& read) {
  const std::string whole = read_text(path);
  Index refused = 0, flips = 0;
  for (std::size_t i = 0; i < whole.size(); i += stride) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i * 5 + i / 8) % 8));
    write_text(path, damaged);
    bool same = true;
    const std::string error = error_of([&] { same = read(); });
    CHECK_MESSAGE(same, "byte ", i);
    refused += error == "nothing" ? 0 : 1;
    ++flips;
  }
  CHECK(refused > flips / 10);
}

// A file as it was written before strings had a fixed length.
void write_variable_strings(const std::string& path) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  const hsize_t count = 3;
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const char* const strings[] = {"one", "two and more", ""};
  const hid_t dataset = H5Dcreate2(file, "strings", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, strings);
  const hid_t attribute = H5Acreate2(dataset, "names", type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, type, strings);
  H5Aclose(attribute);
  H5Dclose(dataset);
  H5Sclose(space);
  H5Tclose(type);
  H5Fclose(file);
}

}  // namespace

TEST_CASE("a flipped bit in a checkpoint is found, or changes nothing") {
  const TemporaryFolder folder;
  const std::string path = folder / "checkpoint.h5";
  const Checkpoint written = small_checkpoint();
  write_checkpoint(path, written);
  flip_bits(path, 3, [&] {
    const Checkpoint read = read_checkpoint(path);
    return config_text(read.config) == config_text(written.config) && read.state.step == 7 &&
           read.data.class_names == written.data.class_names && read.data.sample_shape == Shape{2} &&
           read.state.tensors.at("weights").at("a")[2] == real(0.5);
  });
}

TEST_CASE("a flipped bit in an image set is found, or changes nothing") {
  const TemporaryFolder folder;
  const std::string path = folder / "set.h5";
  const ImageSet written = small_set();
  written.save(path);
  flip_bits(path, 3, [&] {
    const ImageSet read = ImageSet::load(path);
    return read.images == written.images && read.labels == written.labels && read.class_names == written.class_names &&
           read.captions == written.captions && read.name == written.name && read.source == written.source &&
           read.licence == written.licence;
  });
}

TEST_CASE("a flipped bit in many class names, which HDF5 stores without a checksum, is found") {
  const TemporaryFolder folder;
  const std::string path = folder / "set.h5";
  ImageSet written = small_set();
  while (written.class_names.size() < 4000) written.class_names.push_back(concat("class ", written.class_names.size()));
  for (std::string& name : written.class_names) name.resize(20, '-');
  written.save(path);
  flip_bits(path, 1999, [&] { return ImageSet::load(path).class_names == written.class_names; });
}

TEST_CASE("the checksum of a checkpoint covers every attribute, also those that are added, and may be missing") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const auto write = [&](Index value, bool with_checksum) {
    Hdf5File file = Hdf5File::create(path);
    file.write_attribute("/", "name", "x");
    file.write_attribute("/", "list", std::vector<std::string>{"a", "bc"});
    file.write_attribute("/", "number", 4);
    if (with_checksum) file.write_checksum("/");
    file.write_attribute("/", "number", value);
    file.close();
    return error_of([&] { Hdf5File::open(path).require_checksum("/"); });
  };
  CHECK(write(4, true) == "nothing");
  CHECK(write(5, false) == "nothing");
  CHECK(contains(write(5, true), path + ": the attributes of `/` don't match their checksum"));
}

TEST_CASE("strings of variable length are still read, and their damage never crashes") {
  const TemporaryFolder folder;
  const std::string path = folder / "old.h5";
  write_variable_strings(path);
  const std::vector<std::string> strings{"one", "two and more", ""};
  CHECK(Hdf5File::open(path).read_strings("strings") == strings);
  CHECK(Hdf5File::open(path).read_strings_attribute("strings", "names") == strings);
  const std::string whole = read_text(path);
  const std::size_t heap = whole.find("GCOL");
  REQUIRE(heap != std::string::npos);
  for (std::size_t i = heap; i < heap + 120; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      write_text(path, damaged);
      error_of([&] { Hdf5File::open(path).read_strings("strings"); });
      error_of([&] { Hdf5File::open(path).read_strings_attribute("strings", "names"); });
    }
  }
  std::string large = whole;  // the size of the first string
  large[heap + 16 + 8 + 3] = 1;
  write_text(path, large);
  CHECK(contains(error_of([&] { Hdf5File::open(path).read_strings("strings"); }), path + ": is damaged where"));
}
