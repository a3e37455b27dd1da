#include "data/npy.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/helpers.h"

using namespace reverie;
using namespace std::string_literals;

namespace {

// A file of an array: numpy.org/doc/stable/reference/generated/numpy.lib.format.html
std::string npy(const std::string& header, const std::string& values, char version = 1) {
  std::string length{char(header.size()), char(header.size() >> 8)};
  if (version > 1) length += "\0\0"s;
  return "\x93NUMPY"s + version + '\0' + length + header + values;
}

std::string header_of(const std::string& type, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }   \n";
}

template <class Value>
std::string bytes_of(const std::vector<Value>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Value)};
}

std::string reversed(std::string text) { return {text.rbegin(), text.rend()}; }

}  // namespace

TEST_CASE(".npy: types, byte orders and versions") {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& content) {
    write_text(folder / "a.npy", content);
    return read_npy(folder / "a.npy");
  };
  const auto values = [](const NpyArray& array) {
    std::vector<double> all;
    for (Index i = 0; i < array.count(); ++i) all.push_back(array.value(i));
    return all;
  };
  for (const char version : {1, 2, 3}) {
    const NpyArray array = read(npy(header_of("|u1", "(2, 3)"), "\0\1\2\3\4\xff"s, version));
    CHECK(array.type == "u1");
    CHECK(array.extents == std::vector<Index>{2, 3});
    CHECK(values(array) == std::vector<double>{0, 1, 2, 3, 4, 255});
  }
  CHECK(values(read(npy(header_of("<i4", "(2,)"), bytes_of<std::int32_t>({-5, 70000})))) == std::vector{-5.0, 70000.0});
  CHECK(values(read(npy(header_of(">f8", "()"), reversed(bytes_of<double>({0.1}))))) == std::vector{0.1});
  CHECK(values(read(npy(header_of("<f4", "(1,)"), bytes_of<float>({0.5F})))) == std::vector{0.5});
  CHECK(values(read(npy(header_of("|b1", "(2,)"), "\1\0"s))) == std::vector{1.0, 0.0});
}

TEST_CASE(".npy: damaged files, other types and false claims are errors that name the file") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.npy";
  const auto error = [&](const std::string& content) {
    write_text(path, content);
    const std::string text = error_of([&] { read_npy(path); });
    CHECK_MESSAGE(text.starts_with(path + ": "), text);
    return text;
  };
  const std::string whole = npy(header_of("<f4", "(2, 2)"), std::string(16, '\0'));
  for (std::size_t length = 0; length < whole.size(); ++length) error(whole.substr(0, length));
  CHECK(contains(error("text, not an array"), "is not a .npy file"));
  CHECK(contains(error(npy(header_of("<f4", "(2,)"), "12345678", 4)), "has version 4"));
  CHECK(contains(error(npy(header_of("<c8", "(1,)"), "12345678")), "values of type <c8"));
  CHECK(contains(error(npy(header_of("|O", "(1,)"), "12345678")), "values of type |O"));
  CHECK(contains(error(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "1234")),
                 "a structure"));
  CHECK(contains(error(npy(header_of("<f4", "(2, 1)", "True"), "12345678")), "Fortran's order"));
  CHECK(contains(error(npy(header_of("<f4", "(3,)"), "12345678")), "its values take 12 bytes, there are 8"));
  CHECK(contains(error(npy(header_of("<f4", "(1,)"), "12345678")), "its values take 4 bytes, there are 8"));
  CHECK(contains(error(npy(header_of("<f4", "(-1,)"), "1234")), "its shape is no list of numbers"));
  CHECK(contains(error(npy(header_of("<f4", "(9999999999999999999,)"), "1234")), "damaged"));
  CHECK(
      contains(error(npy(header_of("<f4", "(99999999999999, 99999999999999, 0)"), "1")), "take 0 bytes, there are 1"));
  CHECK(contains(error(npy("{'descr': '<f4'}", "1234")), "has no `fortran_order`"));
}

TEST_CASE(".npz: what was written is read again; the same arrays make the same bytes") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.npz";
  const std::map<std::string, NpyArray> arrays{
      {"images", NpyArray::of({2, 1, 1, 3}, std::vector<std::uint8_t>{1, 2, 3, 4, 5, 255})},
      {"labels", NpyArray::of({2}, std::vector<Index>{0, -7})},
      {"noise", NpyArray::of(Tensor::from({2, 2}, {0.5, -1, 2, 3}))}};
  write_npz(path, arrays);
  const auto back = read_npz(path);
  REQUIRE(back.size() == 3);
  for (const auto& [name, array] : arrays) {
    CHECK(back.at(name).type == array.type);
    CHECK(back.at(name).extents == array.extents);
    CHECK(back.at(name).bytes == array.bytes);
  }
  write_npz(folder / "b.npz", arrays);
  CHECK(read_text(path) == read_text(folder / "b.npz"));
  CHECK(folder.files() == 2);

  const std::string whole = read_text(path);
  for (std::size_t length = 0; length < whole.size(); length += 7) {
    write_text(path, whole.substr(0, length));
    const std::string error = error_of([&] { read_npz(path); });
    CHECK_MESSAGE(error.starts_with(path + ": "), length, error);
  }
  for (std::size_t at = 0; at < whole.size(); at += 5) {  // a CRC-32 over each array
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x21);
    write_text(path, damaged);
    const std::string error = error_of([&] {
      for (const auto& [name, array] : read_npz(path))
        if (arrays.contains(name)) CHECK(array.bytes == arrays.at(name).bytes);
    });
    CHECK_MESSAGE((error == "nothing" || error.starts_with(path + ": ")), error);
  }
}

TEST_CASE("arrays become image sets: layouts, ranges, labels, and errors") {
  const NpyArray grey = NpyArray::of({2, 1, 2}, std::vector<std::uint8_t>{0, 10, 20, 255});
  const NpyArray labels = NpyArray::of({2}, std::vector<Index>{2, 0});
  const ImageSet set = images_from(grey, &labels, {}, "a");
  CHECK(set.sample_shape() == Shape{1, 2, 1});
  CHECK(set.images == std::vector<std::uint8_t>{0, 10, 20, 255});
  CHECK(set.class_names == std::vector<std::string>{"0", "1", "2"});
  CHECK(set.labels == std::vector<Index>{2, 0});
  const NpyArray planes = NpyArray::of({1, 3, 1, 2}, std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6});
  const ImageSet colour = images_from(planes, nullptr, {.channels_first = true}, "a");
  CHECK(colour.sample_shape() == Shape{1, 2, 3});
  CHECK(colour.images == std::vector<std::uint8_t>{1, 3, 5, 2, 4, 6});
  const NpyArray reals = NpyArray::of(Tensor::from({1, 2, 2}, {-1, 0, 1, 3}));
  CHECK(images_from(reals, nullptr, {.range = {-1, 1}}, "a").images == std::vector<std::uint8_t>{0, 128, 255, 255});

  const auto error = [](const NpyArray& images, const NpyArray* of, const NpyImageOptions& options) {
    return error_of([&] { images_from(images, of, options, "file"); });
  };
  CHECK(contains(error(reals, nullptr, {}), "file: image 0 has the value -1; expects whole numbers from 0 to 255"));
  const NpyArray bad = NpyArray::of(Tensor::from({1, 1, 2}, {0, NAN}));
  CHECK(contains(error(bad, nullptr, {.range = {0, 1}}), "image 0 has the value nan; expects finite numbers"));
  CHECK(contains(error(bad, nullptr, {}), "has the value nan"));
  CHECK(contains(error(labels, nullptr, {}), "the images have 1 axes, expected [N,H,W] or [N,H,W,C]"));
  CHECK(contains(error(NpyArray::of({0, 99, 99}, std::vector<std::uint8_t>()), nullptr, {}), "has no images"));
  CHECK(contains(error(grey, &grey, {}), "the labels have shape [2,1,2], expected [2]"));
  CHECK(
      contains(error(grey, &labels, {.class_names = {"x", "y"}}), "label 0 is 2, expected a whole number from 0 to 1"));
  const NpyArray negative = NpyArray::of({2}, std::vector<Index>{0, -1});
  CHECK(contains(error(grey, &negative, {}), "label 1 is -1"));
  CHECK_THROWS_AS(images_from(grey, nullptr, {.class_names = {"x"}}, "a"), UsageError);
  CHECK_THROWS_AS(images_from(grey, nullptr, {.range = {1, 1}}, "a"), UsageError);
}
