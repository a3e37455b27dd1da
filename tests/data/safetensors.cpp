#include "data/safetensors.h"

#include <doctest/doctest.h>

#include <cstring>

#include "tests/helpers.h"

using namespace reverie;

namespace {

std::string with_length(const std::string& header, const std::string& data) {
  std::string length(8, '\0');
  const std::uint64_t bytes = header.size();
  std::memcpy(length.data(), &bytes, 8);
  return length + header + data;
}

// Reads a file of this content and returns the error.
std::string refusal(const std::string& content) {
  const TemporaryFolder folder;
  write_text(folder / "x.safetensors", content);
  const std::string error = error_of([&] { read_safetensors(folder / "x.safetensors"); });
  CHECK(error.find('\n') == std::string::npos);
  if (error != "nothing") CHECK(contains(error, "x.safetensors: "));
  return error;
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"("dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets;
}

// A file with one tensor `w`.
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets, std::size_t bytes) {
  return with_length(R"({"w":{)" + entry(dtype, shape, offsets) + "}}", std::string(bytes, 'x'));
}

std::vector<char> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

TEST_CASE("safetensors: the bytes of a small file, written by hand, are read and written") {
  // 1.0f = 00 00 80 3f, -2.0f = 00 00 00 c0; the header is padded with spaces to a multiple of 8.
  const std::string header = R"({"w":{"data_offsets":[0,8],"dtype":"F32","shape":[2,1]}})";
  const std::string content = std::string("\x38\0\0\0\0\0\0\0", 8) + header + std::string("\0\0\x80\x3f\0\0\0\xc0", 8);
  CHECK(header.size() == 0x38);
  const TemporaryFolder folder;
  write_text(folder / "a.safetensors", content);
  const StateDict dict = read_safetensors(folder / "a.safetensors");
  REQUIRE(dict.tensors.size() == 1);
  const StoredTensor& w = dict.tensors.at("w");
  CHECK(w.dtype == Dtype::float32);
  CHECK(w.shape == Shape{2, 1});
  const Tensor values = to_tensor(w, "w");
  CHECK(values[0] == 1);
  CHECK(values[1] == -2);
  write_safetensors(folder / "b.safetensors", dict);
  CHECK(read_text(folder / "b.safetensors") == content);
}

TEST_CASE("safetensors: metadata, scalars, empty tensors, spaces after the header, tensors in any order") {
  const std::string header = R"({"__metadata__":{"format":"pt"},"b":{)" + entry("U8", "[]", "[2,3]") + R"(},"a":{)" +
                             entry("I16", "[1]", "[0,2]") + R"(},"none":{)" + entry("F64", "[0,3]", "[2,2]") + "}}   ";
  const TemporaryFolder folder;
  write_text(folder / "x.safetensors", with_length(header, "abc"));
  const StateDict dict = read_safetensors(folder / "x.safetensors");
  CHECK(dict.metadata == std::map<std::string, std::string>{{"format", "pt"}});
  CHECK(dict.tensors.at("b").bytes == bytes_of("c"));
  CHECK(dict.tensors.at("b").shape.rank() == 0);
  CHECK(dict.tensors.at("a").bytes == bytes_of("ab"));
  CHECK(dict.tensors.at("none").shape == Shape{0, 3});
}

TEST_CASE("safetensors: tensors are aligned to their elements, and the data to eight bytes") {
  StateDict dict;
  dict.tensors["a"] = {Dtype::uint8, {3}, bytes_of("abc")};
  dict.tensors["b"] = {Dtype::float64, {1}, std::vector<char>(8, 'd')};
  dict.tensors["c"] = {Dtype::float16, {1}, bytes_of("hh")};
  const TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors", dict);
  const std::string content = read_text(folder / "x.safetensors");
  CHECK(content.ends_with("ddddddddhhabc"));
  CHECK((content.size() - 13) % 8 == 0);
  CHECK(read_safetensors(folder / "x.safetensors") == dict);
}

TEST_CASE("safetensors: everything in the header is checked") {
  CHECK(refusal(one("F32", "[2]", "[0,8]", 8)) == "nothing");
  CHECK(contains(refusal(""), "0 bytes"));
  CHECK(contains(refusal("1234567"), "7 bytes"));
  CHECK(contains(refusal(std::string(8, '\xff')), "truncated"));
  CHECK(contains(refusal(with_length("{}", "").substr(0, 9)), "truncated"));
  CHECK(contains(refusal(with_length("{}", "")), "nothing"));
  CHECK(contains(refusal(with_length("", "")), "not a JSON object"));
  CHECK(contains(refusal(with_length("[]", "")), "not a JSON object"));
  CHECK(contains(refusal(with_length("{\"w\":", "")), "not a JSON object"));
  CHECK(contains(refusal(with_length("{\"\xff\":{}}", "")), "not a JSON object"));
  CHECK(contains(refusal(with_length(std::string(100000, '['), "")), "not a JSON object"));
  CHECK(contains(refusal(with_length(R"({"w":3})", "")), "`w` is not a JSON object"));
  CHECK(contains(refusal(with_length(R"({"__metadata__":[]})", "")), "`__metadata__` is not a JSON object"));
  CHECK(contains(refusal(with_length(R"({"__metadata__":{"a":1}})", "")), "`a` is not a string"));
  CHECK(contains(refusal(with_length(R"({"a\nb":3})", "")), "control characters"));
  const std::string w = R"("w":{)" + entry("U8", "[1]", "[0,1]") + "}";
  CHECK(contains(refusal(with_length("{" + w + "," + w + "}", "x")), "`w` twice"));
}

TEST_CASE("safetensors: errors name impossible types, shapes and offsets") {
  CHECK(contains(refusal(one("F8_E4M3", "[8]", "[0,8]", 8)), "the unknown type F8_E4M3; expected one of BOOL, U8"));
  CHECK(contains(refusal(one("F32", "[-2]", "[0,8]", 8)), "`w` has no list of whole numbers `shape`"));
  CHECK(contains(refusal(one("F32", "[2.0]", "[0,8]", 8)), "`shape`"));
  CHECK(contains(refusal(one("F32", "2", "[0,8]", 8)), "`shape`"));
  CHECK(contains(refusal(one("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]", 8)), "9 axes, the maximum is 8"));
  CHECK(contains(refusal(one("F32", "[3]", "[0,8]", 8)), "larger than the file"));
  CHECK(contains(refusal(one("F32", "[1]", "[0,8]", 8)), "8 bytes, but its type and shape need 4"));
  // A product that overflows to a size that would fit: 2^62 floats are 2^64 bytes.
  CHECK(contains(refusal(one("F32", "[4611686018427387904]", "[0,0]", 0)), "larger than the file"));
  CHECK(contains(refusal(one("U8", "[4294967296,4294967296]", "[0,0]", 0)), "larger than the file"));
  CHECK(contains(refusal(one("U8", "[18446744073709551615,0]", "[0,0]", 0)), "an extent of 18446744073709551615"));
  CHECK(contains(refusal(one("F32", "[2]", "[8,0]", 8)), "expects `data_offsets` [BEGIN, END]"));
  CHECK(contains(refusal(one("F32", "[2]", "[0]", 8)), "expects `data_offsets` [BEGIN, END]"));
  CHECK(contains(refusal(one("F32", "[2]", "[0,-8]", 8)), "`data_offsets`"));
  CHECK(contains(refusal(one("F32", "[2]", "[4,12]", 8)), "ends at byte 12 of the data, which has 8"));
  CHECK(contains(refusal(one("F32", "[2]", "[0,8]", 7)), "truncated"));
  CHECK(contains(refusal(with_length(R"({"w":{"shape":[1],"data_offsets":[0,1]}})", "x")), "no string `dtype`"));
}

TEST_CASE("safetensors: tensors that overlap, gaps between them, bytes that belong to no tensor") {
  const auto two = [](const std::string& a, const std::string& b, std::size_t bytes) {
    return refusal(with_length(R"({"a":{)" + entry("U8", "[4]", a) + R"(},"b":{)" + entry("U8", "[4]", b) + "}}",
                               std::string(bytes, 'x')));
  };
  CHECK(two("[0,4]", "[4,8]", 8) == "nothing");
  CHECK(contains(two("[0,4]", "[2,6]", 8), "`b` overlaps"));
  CHECK(contains(two("[0,4]", "[0,4]", 4), "`b` overlaps"));
  CHECK(contains(two("[0,4]", "[6,10]", 10), "a gap of 2 bytes before `b`"));
  CHECK(contains(two("[1,5]", "[5,9]", 9), "a gap of 1 bytes before `a`"));
  CHECK(contains(two("[0,4]", "[4,8]", 11), "3 bytes at the end belong to no tensor"));
}

TEST_CASE("safetensors: every truncation of a good file is refused") {
  StateDict dict;
  dict.tensors["a.weight"] = to_stored(Tensor::from({2, 3}, {1, 2, 3, 4, 5, 6}));
  dict.tensors["a.bias"] = to_stored(Tensor::from({2}, {1, 2}));
  const TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors", dict);
  const std::string content = read_text(folder / "x.safetensors");
  for (std::size_t length = 0; length < content.size(); ++length)
    CHECK_MESSAGE(refusal(content.substr(0, length)) != "nothing", length);
}

TEST_CASE("safetensors: files that are missing or can't be written, names that are not allowed") {
  const TemporaryFolder folder;
  CHECK(contains(error_of([&] { read_safetensors(folder / "none"); }), "No such file"));
  CHECK(contains(error_of([&] { read_safetensors(folder.path()); }), "is a folder"));
  StateDict dict;
  dict.tensors["__metadata__"] = to_stored(Tensor::scalar(1));
  CHECK(contains(error_of([&] { write_safetensors(folder / "x", dict); }), "__metadata__"));
  dict = {};
  dict.tensors["\xff"] = to_stored(Tensor::scalar(1));
  CHECK(contains(error_of([&] { write_safetensors(folder / "x", dict); }), "UTF-8"));
  dict = {};
  dict.tensors["w"] = {Dtype::float32, {3}, std::vector<char>(8)};
  CHECK(contains(error_of([&] { write_safetensors(folder / "x", dict); }), "8 bytes for the shape [3]"));
}
