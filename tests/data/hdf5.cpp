#include "data/hdf5.h"

#include <doctest/doctest.h>
#include <hdf5.h>

#include "tests/helpers.h"

using namespace reverie;

namespace {

std::string source_root() {
  const char* root = std::getenv("REVERIE_SOURCE_ROOT");
  return root ? root : ".";
}

}  // namespace

TEST_CASE("HDF5: reading returns what was written, in groups created on demand") {
  const TemporaryFolder folder;
  const std::string path = folder / "all.h5";
  std::vector<std::uint8_t> bytes(20 * 300);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = i * 7;
  std::vector<Index> many(5000, -3);
  {
    Hdf5File file = Hdf5File::create(path);
    file.write_tensor("weights/input_blocks.0.0.weight", Tensor::from({2, 3}, {1, -2, 3, 0.5, 5, 6}));
    file.write_tensor("weights/deep/er/scalar", Tensor::scalar(4));
    file.write_tensor("empty", Tensor::zeros({0, 3}));
    file.write_doubles("doubles", {3}, {0.1, 1e300, -1});
    file.write_int64("many", {5000}, many);
    file.write_uint8("bytes", {20, 15, 20}, bytes);
    file.write_strings("captions", {"a seven", "", "größer ☃"});
    file.write_attribute("/", "name", "a set");
    file.write_attribute("/", "name", "renamed");
    file.write_attribute("params", "steps", 1000);
    file.write_attribute("params", "rate", 0.25);
    file.write_attribute("many", "class_names", std::vector<std::string>{"zero", "one"});
    file.close();
  }
  const Hdf5File file = Hdf5File::open(path);
  CHECK(file.list() == std::vector<std::string>{"bytes", "captions", "doubles", "empty", "many", "params", "weights"});
  CHECK(file.datasets("weights") == std::vector<std::string>{"deep/er/scalar", "input_blocks.0.0.weight"});
  CHECK(file.has("weights/deep/er"));
  CHECK_FALSE(file.has("weights/deeper/er"));
  CHECK(file.has("/"));
  const Tensor weight = file.read_tensor("weights/input_blocks.0.0.weight");
  CHECK(weight.shape() == Shape{2, 3});
  CHECK(weight[3] == 0.5);
  CHECK(file.type("weights/input_blocks.0.0.weight") == real_name);
  CHECK(file.read_tensor("weights/deep/er/scalar").item() == 4);
  CHECK(file.shape("empty") == Shape{0, 3});
  CHECK(file.read_tensor("empty").size() == 0);
  CHECK(file.read_doubles("doubles") == std::vector<double>{0.1, 1e300, -1});
  CHECK(file.type("doubles") == "float64");
  CHECK(file.read_int64("many") == many);
  CHECK(file.type("many") == "int64");
  CHECK(file.read_tensor("many")[4999] == -3);
  CHECK(file.read_uint8("bytes") == bytes);
  CHECK(file.read_uint8("bytes", 3, 5) == std::vector<std::uint8_t>(bytes.begin() + 900, bytes.begin() + 1500));
  CHECK(file.type("bytes") == "uint8");
  CHECK(file.read_strings("captions") == std::vector<std::string>{"a seven", "", "größer ☃"});
  CHECK(file.type("captions") == "string");
  CHECK(file.read_string_attribute("/", "name") == "renamed");
  CHECK(file.attributes("params") == std::vector<std::string>{"rate", "steps"});
  CHECK(file.read_int_attribute("params", "steps") == 1000);
  CHECK(file.read_double_attribute("params", "steps") == 1000);
  CHECK(file.read_double_attribute("params", "rate") == 0.25);
  CHECK(file.has_attribute("params", "rate"));
  CHECK_FALSE(file.has_attribute("params", "rates"));
  CHECK(file.read_strings_attribute("many", "class_names") == std::vector<std::string>{"zero", "one"});
}

TEST_CASE("HDF5: reads fixed-length strings, as in the reference cases") {
  const Hdf5File file = Hdf5File::open(source_root() + "/benchmarks/reference/cases/op_conv2d_1x1.h5");
  CHECK(file.read_string_attribute("/", "kind") == "op/conv2d");
  CHECK(file.read_string_attribute("/", "dtype") == "float64");
  CHECK(file.read_double_attribute("/", "atol") == 1e-11);
  CHECK(file.read_int_attribute("params", "stride") == 1);
  CHECK(file.shape("inputs/bias") == Shape{4});
}

TEST_CASE("HDF5: equal content gives equal files") {
  const TemporaryFolder folder;
  for (const char* name : {"a.h5", "b.h5"}) {
    Hdf5File file = Hdf5File::create(folder / name);
    file.write_tensor("group/values", Tensor::full({100}, 3));
    file.write_attribute("group", "name", "value");
    file.close();
  }
  CHECK(read_text(folder / "a.h5") == read_text(folder / "b.h5"));
}

TEST_CASE("HDF5: an error names the file, the object and the cause") {
  const TemporaryFolder folder;
  const std::string path = folder / "some.h5";
  {
    Hdf5File file = Hdf5File::create(path);
    file.write_doubles("group/doubles", {2, 2}, {1, 2, 3, 4});
    CHECK(contains(error_of([&] { file.write_doubles("group/doubles", {1}, {1}); }), "`group/doubles` exists already"));
    CHECK(contains(error_of([&] { file.write_doubles("wrong", {3}, {1}); }), "of shape [3] expects 3 values, got 1"));
    CHECK(contains(error_of([&] { file.write_doubles("group/doubles/below", {1}, {1}); }), "`group/doubles/below`"));
    file.close();
  }
  const Hdf5File file = Hdf5File::open(path);
  const auto says = [&](auto&& action, const std::string& what) {
    const std::string error = error_of(action);
    CHECK_MESSAGE(contains(error, path), error);
    CHECK_MESSAGE(contains(error, what), error);
    CHECK_MESSAGE(!contains(error, "\n"), error);
  };
  says([&] { file.read_tensor("group/reals"); }, "`group/reals` is missing");
  says([&] { file.read_tensor("group"); }, "`group` is a group, not a dataset");
  says([&] { file.list("group/doubles"); }, "`group/doubles` is a dataset, not a group");
  says([&] { file.read_int64("group/doubles"); }, "is float64, expected integers");
  says([&] { file.read_uint8("group/doubles"); }, "is float64, expected uint8");
  says([&] { file.read_strings("group/doubles"); }, "is float64, expected strings");
  says([&] { file.read_int_attribute("group", "steps"); }, "`group` has no attribute `steps`");
  says([&] { Hdf5File::open(folder / "some.h5x"); }, "can't be read: No such file or directory");
  says([&] { Hdf5File::open(path + "/"); }, "can't be read");
  CHECK(contains(error_of([&] { Hdf5File::open(folder.path()); }), "is a folder"));
  CHECK(contains(error_of([&] { Hdf5File::create(folder / "no/such/folder.h5"); }), "can't be written: No such file"));
}

TEST_CASE("HDF5: files that are not HDF5, truncated or damaged") {
  const TemporaryFolder folder;
  const std::string path = folder / "bad.h5";
  write_text(path, "plain text");
  CHECK(error_of([&] { Hdf5File::open(path); }) == path + ": is not an HDF5 file");
  write_text(path, "");
  CHECK(error_of([&] { Hdf5File::open(path); }) == path + ": is not an HDF5 file");

  Hdf5File file = Hdf5File::create(path);
  std::vector<std::uint8_t> noise(100'000);
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = i * i * 2654435761u >> 13;
  file.write_uint8("bytes", {100, 1000}, noise);
  file.close();
  const std::string whole = read_text(path);
  for (const std::size_t length : {whole.size() - 1, whole.size() / 2, std::size_t{600}}) {
    write_text(path, whole.substr(0, length));
    const std::string error = error_of([&] { Hdf5File::open(path); });
    CHECK(error.starts_with(path + ": is an HDF5 file that can't be opened: the file is truncated or damaged"));
  }
  std::string damaged = whole;
  damaged.replace(whole.size() / 2, 1000, std::string(1000, 'x'));
  write_text(path, damaged);
  CHECK(contains(error_of([&] { Hdf5File::open(path).read_uint8("bytes"); }), "`bytes` can't be read"));
}

TEST_CASE("HDF5: a full disk is an error") {
  if (!std::filesystem::exists("/dev/full")) return;
  Hdf5File file = Hdf5File::create("/dev/full");
  file.write_tensor("values", Tensor::zeros({100'000}));
  CHECK(error_of([&] { file.close(); }) == "/dev/full: can't be written: No space left on device");
}

TEST_CASE("HDF5: the error for a dataset of impossible size names it") {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::vector<hsize_t>& extents) {
    const std::string path = folder / "huge.h5";
    const std::vector<hsize_t> chunk(extents.size(), 16);  // unwritten chunks take no space
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(extents.size(), extents.data(), nullptr);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, chunk.size(), chunk.data());
    H5Dclose(H5Dcreate2(file, "w", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
    H5Fclose(file);
    return error_of([&] { Hdf5File::open(path).read_stored("w"); });
  };
  CHECK(refusal({16, 16}) == "nothing");
  CHECK(contains(refusal({hsize_t{1} << 40, hsize_t{1} << 40}), "huge.h5: `w` is damaged"));
  CHECK(contains(refusal({hsize_t{1} << 46}), "huge.h5: `w` would have 281474976710656 bytes"));
}

TEST_CASE("HDF5: reading a file with any damage gives what was written, or an error") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  Tensor small = Tensor::uninitialized({5}), large = Tensor::uninitialized({300, 7});
  for (Index i = 0; i < small.size(); ++i) small[i] = i;
  for (Index i = 0; i < large.size(); ++i) large[i] = real(i % 97) / 8;
  {
    Hdf5File file = Hdf5File::create(path);
    file.write_tensor("weights/small", small);
    file.write_tensor("weights/large", large);
    for (int i = 0; i < 20; ++i) file.write_tensor(concat("weights/more/", i), small);
    file.write_attribute("/", "step", 7);
    file.close();
  }
  const auto equal = [](const Tensor& a, const Tensor& b) {
    return a.shape() == b.shape() && std::equal(a.values().begin(), a.values().end(), b.values().begin());
  };
  const std::string whole = read_text(path);
  int found = 0;
  for (std::size_t i = 0; i < whole.size(); i += 11) {
    std::string damaged = whole;
    damaged[i] ^= 1 << (i % 8);
    write_text(path, damaged);
    bool same = true;
    const std::string error = error_of([&] {
      const Hdf5File file = Hdf5File::open(path);
      const Index step = file.read_int_attribute("/", "step");
      const std::size_t count = file.datasets("weights").size();
      const Tensor a = file.read_tensor("weights/small"), b = file.read_tensor("weights/large"),
                   c = file.read_tensor("weights/more/19");
      same = step == 7 && count == 22 && equal(a, small) && equal(b, large) && equal(c, small);
    });
    CHECK(H5Fget_obj_count(static_cast<hid_t>(H5F_OBJ_ALL), H5F_OBJ_ALL) == 0);  // nothing stays open
    CHECK_MESSAGE(same, "byte ", i);
    CHECK((error == "nothing" || error.starts_with(path)));
    found += error == "nothing" ? 0 : 1;
  }
  CHECK(found > 200);
}
