// Small files asked for gigabytes of memory or minutes of time: sparse datasets, strings that share their bytes, deep
// or cyclic groups, JSON and TOML nested thousands deep, images of a few packed bytes.
#include <doctest/doctest.h>
#include <hdf5.h>
#include <sys/resource.h>
#include <zlib.h>

#include <chrono>

#include "data/hdf5.h"
#include "data/idx.h"
#include "data/png.h"
#include "data/safetensors.h"
#include "diffusion/model/config.h"
#include "tests/helpers.h"

using namespace reverie;
using namespace std::string_literals;

namespace {

/// Runs an action that must fail within a second and without much memory; returns its error.
template <class Action>
std::string quick_error(Action&& action) {
  const auto peak = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;  // KiB
  };
  const auto start = std::chrono::steady_clock::now();
  const long before = peak();
  std::string error = error_of(action);
  CHECK(peak() - before < 200 * 1024);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  return error;
}

struct NewHdf5 {
  TemporaryFolder folder;
  std::string path = folder / "a.h5";
  hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);

  void dataset(const std::string& name, std::vector<hsize_t> extents, std::vector<hsize_t> chunk, bool packed = false) {
    const std::vector<hsize_t> most(extents.size(), H5S_UNLIMITED);
    const hid_t space = H5Screate_simple(static_cast<int>(extents.size()), extents.data(), most.data());
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
    if (packed) H5Pset_deflate(creation, 9);
    const hid_t made = H5Dcreate2(file, name.c_str(), H5T_NATIVE_UINT8, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (packed) {
      const std::vector<std::uint8_t> zeros(extents[0]);
      H5Dwrite(made, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros.data());
    }
    H5Dclose(made);
    H5Pclose(creation);
    H5Sclose(space);
  }
  template <class Action>
  std::string error(Action&& action) {
    if (file >= 0) H5Fclose(file);
    file = -1;
    return quick_error([&] { action(Hdf5File::open(path)); });
  }
};

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::uint32_t>(data.size())) + body + big_endian(static_cast<std::uint32_t>(sum));
}

std::string safetensors(const std::string& header) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(header.size() >> shift);
  return bytes + header;
}

}  // namespace

TEST_CASE("HDF5: a dataset may be as large as its stored bytes allow, chunks that were never written count nothing") {
  const auto read = [](const Hdf5File& file) { file.read_uint8("w"); };
  NewHdf5 sparse, chunked, honest;
  sparse.dataset("w", {hsize_t{1} << 33}, {1024});
  CHECK(contains(sparse.error(read), "`w` would have 8589934592 bytes, but the file has only 0"));
  CHECK(contains(sparse.error([](const Hdf5File& file) { file.read_uint8("w", 0, 1); }), "`w` would have"));
  chunked.dataset("w", {10}, {hsize_t{1} << 31});
  CHECK(contains(chunked.error(read), "`w` would have 2147483648 bytes"));
  honest.dataset("w", {hsize_t{1} << 26}, {hsize_t{1} << 20}, true);
  CHECK(honest.error(read) == "nothing");
}

TEST_CASE("HDF5: many datasets may not claim more in all than the file can hold") {
  NewHdf5 many;
  many.dataset("0", {15'000'000}, {1024});
  for (int i = 1; i < 1000; ++i) H5Lcreate_hard(many.file, "0", many.file, std::to_string(i).c_str(), 0, 0);
  CHECK(contains(many.error([](const Hdf5File& file) { file.datasets(); }), "more bytes than a file of this size"));
}

TEST_CASE("HDF5: groups with many paths to one object, and groups nested too deeply, are errors and take no time") {
  NewHdf5 paths, deep, deep_enough;
  for (int i = 0; i < 40; ++i)
    H5Gclose(H5Gcreate2(paths.file, concat("g", i).c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  for (int i = 0; i < 39; ++i)
    for (const char* name : {"/a", "/b"})
      H5Lcreate_hard(paths.file, concat("g", i + 1).c_str(), paths.file, concat("g", i, name).c_str(), 0, 0);
  const auto list = [](const Hdf5File& file) { file.datasets(); };
  CHECK(contains(paths.error(list), "is a group that has another name too"));
  for (const auto& [file, depth] : {std::pair{&deep, 600}, std::pair{&deep_enough, 60}}) {
    std::string path = "g";
    for (int i = 0; i < depth; ++i, path += "/g")
      H5Gclose(H5Gcreate2(file->file, path.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  }
  CHECK(contains(deep.error(list), "is a group inside 64 others, the maximum"));
  CHECK(deep_enough.error(list) == "nothing");
}

TEST_CASE("HDF5: strings of variable length that share their bytes get no more memory than the file has") {
  NewHdf5 shared;
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  const hsize_t count = 3000;
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t dataset = H5Dcreate2(shared.file, "w", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const std::string text(1'000'000, 'x');
  std::vector<const char*> texts(count, "");
  texts[0] = text.c_str();
  H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts.data());
  const haddr_t at = H5Dget_offset(dataset);
  H5Dclose(dataset);
  H5Sclose(space);
  H5Tclose(type);
  H5Fclose(shared.file);
  shared.file = -1;
  std::string bytes = read_text(shared.path);
  const std::string reference = bytes.substr(at, 16);  // length, address and index of the first string
  for (hsize_t i = 1; i < count; ++i) bytes.replace(at + 16 * i, 16, reference);
  write_text(shared.path, bytes);
  CHECK(contains(shared.error([](const Hdf5File& file) { file.read_strings("w"); }), "`w` can't be read"));
}

TEST_CASE("HDF5: a file that says to be part of a set is refused, whatever its description of the set claims") {
  NewHdf5 set;
  H5Fclose(set.file);
  set.file = -1;
  const std::string whole = read_text(set.path);
  for (const std::size_t length : {whole.size(), std::size_t{70}}) {
    std::string bytes = whole.substr(0, length);
    bytes.replace(48, 8, std::string("\x60\0\0\0\0\0\0\0", 8));  // the address of the driver's information
    bytes.resize(std::max<std::size_t>(bytes.size(), 97));
    bytes.replace(96, 8, std::string("\0\0\0\0\0\0\0\xc0", 8));  // version 0, and its size
    write_text(set.path, bytes);
    CHECK(contains(set.error([](const Hdf5File&) {}), "is part of a set of HDF5 files, or damaged"));
  }
}

TEST_CASE("safetensors: a header takes little more memory than its text") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.safetensors";
  const auto refusal = [&](const std::string& header) {
    write_text(path, safetensors(header));
    return quick_error([&] { read_safetensors(path); });
  };
  const std::size_t many = 20'000'000;
  CHECK(contains(refusal(std::string(many, '[')), "not a JSON object"));
  CHECK(contains(refusal("{\"a\":" + std::string(many, '[')), "nested more than 3 deep"));
  std::string list = "{\"a\":{\"shape\":[1", wide = "{\"__metadata__\":{";
  while (list.size() < many) list += ",1";
  CHECK(contains(refusal(list + "]}}"), "`a` has more than 100000 parts"));
  for (int i = 0; wide.size() < many / 4; ++i) wide += concat("\"", i, "\":\"\",");
  CHECK(contains(refusal(wide + "\"a\":\"\"}}"), "`__metadata__` has more than 100000 parts"));
}

TEST_CASE("PNG: the pixels may be as many as the file can hold") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.png";
  for (const std::uint32_t size : {20'000u, 16'000u, 2'000'000'000u}) {
    write_text(path, "\x89PNG\r\n\x1a\n" + chunk("IHDR", big_endian(size) + big_endian(size) + "\x01\x03\0\0\0"s) +
                         chunk("PLTE", "abcdef") + chunk("IDAT", "x\x9c\x03") + chunk("IEND", ""));
    const std::string error = quick_error([&] { read_png(path); });
    CHECK(contains(error, path));
    CHECK_MESSAGE((contains(error, "too many") || contains(error, "PNG")), error);
  }
}

TEST_CASE("IDX: the header may announce as many bytes as the file can hold") {
  const TemporaryFolder folder;
  const std::string path = folder / "images";
  write_text(path, "\0\0\x08\x03"s + big_endian(60'000) + big_endian(1'000) + big_endian(1'000) + "x");
  CHECK(contains(quick_error([&] { read_idx(path); }), "the header announces 6e+10 bytes, the file has 17"));
  write_text(path, "\0\0\x08\x03"s + big_endian(0xfffffffe) + big_endian(0xffbfffff) + big_endian(0));
  CHECK(contains(quick_error([&] { read_idx(path); }), "has no images: an extent is 0"));
}

TEST_CASE("TOML: deep nesting is an error, not a stack overflow; so is a large file") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.toml";
  std::string dots;
  for (int i = 0; i < 200'000; ++i) dots += "a.";
  for (const std::string& text : {dots + "a = 1", "[" + dots + "a]\nb = 1", "a = {" + dots + "a = 1}"}) {
    CHECK(contains(quick_error([&] { parse_config(text, "x"); }), "x:1: has more than 1000 dots"));
  }
  for (const std::string& nest : {"["s, "{a="s}) {
    std::string text = "a = ";
    for (int i = 0; i < 100'000; ++i) text += nest;
    CHECK(contains(quick_error([&] { parse_config(text, "x"); }), "x:1: "));
  }
  write_text(path, std::string(std::size_t{2} << 20, '#'));
  CHECK(contains(quick_error([&] { load_config(path); }), "has 2097152 bytes, the maximum is 1048576"));
}
