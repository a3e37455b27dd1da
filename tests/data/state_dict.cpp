#include "data/state_dict.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "data/hdf5.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

template <class T>
StoredTensor stored(Dtype dtype, const std::vector<T>& values) {
  StoredTensor tensor{dtype, {std::ssize(values)}, std::vector<char>(values.size() * sizeof(T))};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

// All types with all bytes: numbers, NaNs and infinities.
StateDict of_every_type() {
  StateDict dict;
  for (const DtypeInfo& type : dtypes()) {
    StoredTensor tensor{type.dtype, {4, 64}, {}};
    for (Index i = 0; i < 256 * type.bytes; ++i)
      tensor.bytes.push_back(type.dtype == Dtype::boolean ? i % 2 : i * 37 + i / 256);
    dict.tensors[std::string("layers.0.") + type.name] = tensor;
    dict.tensors[std::string("scalar/") + type.name] = {
        type.dtype, {}, {tensor.bytes.begin(), tensor.bytes.begin() + type.bytes}};
    dict.tensors[std::string("empty.") + type.name] = {type.dtype, {0, 3}, {}};
  }
  dict.metadata = {{"format", "pt"}, {"über", "ein Satz ☃"}};
  return dict;
}

}  // namespace

TEST_CASE("state dicts: every type is preserved to the bit by safetensors, by HDF5, and by converting between them") {
  const TemporaryFolder folder;
  const StateDict dict = of_every_type();
  for (const std::string name : {"a.safetensors", "a.h5", "a.hdf5"}) {
    write_state_dict(folder / name, dict);
    CHECK_MESSAGE(read_state_dict(folder / name) == dict, name);
  }
  write_state_dict(folder / "b.h5", read_state_dict(folder / "a.safetensors"));
  write_state_dict(folder / "b.safetensors", read_state_dict(folder / "b.h5"));
  CHECK(read_text(folder / "b.safetensors") == read_text(folder / "a.safetensors"));
  CHECK(contains(error_of([&] { write_state_dict(folder / "a.pt", dict); }), "must end in .safetensors, .h5 or .hdf5"));
}

TEST_CASE("HDF5 state dicts have types that other programs know; the error for anything but numbers names it") {
  const TemporaryFolder folder;
  write_state_dict(folder / "a.h5", of_every_type());
  const Hdf5File file = Hdf5File::open(folder / "a.h5");
  CHECK(file.type("layers.0.float16") == "float16");
  CHECK(file.type("layers.0.float32") == "float32");
  CHECK(file.type("layers.0.uint8") == "uint8");
  CHECK(file.type("scalar/int64") == "int64");
  {
    Hdf5File bad = Hdf5File::create(folder / "bad.h5");
    bad.write_strings("names", {"a", "b"});
    bad.close();
  }
  CHECK(contains(error_of([&] { read_state_dict(folder / "bad.h5"); }), "bad.h5: `names` is string"));
}

TEST_CASE("HDF5 names that would mean another object are refused") {
  const TemporaryFolder folder;
  for (const std::string& name : {std::string(), std::string("."), std::string("a/./b"), std::string("/a"),
                                  std::string("a/"), std::string("a//b"), std::string("a\0b", 3)}) {
    StateDict dict;
    dict.tensors[name] = to_stored(Tensor::scalar(1));
    CHECK_MESSAGE(contains(error_of([&] { write_state_dict(folder / "x.h5", dict); }), "can't be called"), name);
  }
}

TEST_CASE("numbers of every type are converted to reals exactly") {
  CHECK(to_tensor(stored<std::uint8_t>(Dtype::boolean, {0, 1}), "b")[1] == 1);
  CHECK(to_tensor(stored<std::int8_t>(Dtype::int8, {-128}), "b")[0] == -128);
  CHECK(to_tensor(stored<std::uint16_t>(Dtype::uint16, {65535}), "b")[0] == 65535);
  CHECK(to_tensor(stored<std::int64_t>(Dtype::int64, {-16777216}), "b")[0] == -16777216);
  CHECK(to_tensor(stored<std::uint64_t>(Dtype::uint64, {1ull << 63}), "b")[0] == real(9223372036854775808.0));
  CHECK(to_tensor(stored<double>(Dtype::float64, {0.5, -INFINITY}), "b")[1] == -INFINITY);
  CHECK(std::isnan(to_tensor(stored<double>(Dtype::float64, {NAN}), "b")[0]));
  // IEEE half precision: 1, -2, the largest, the smallest normal, the smallest, infinity, minus zero.
  const Tensor half = to_tensor(
      stored<std::uint16_t>(Dtype::float16, {0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x7c00, 0x8000, 0x7e00}), "h");
  const double want[] = {1, -2, 65504, 0x1p-14, 0x1p-24, INFINITY, -0.0};
  for (Index i = 0; i < 7; ++i) CHECK(half[i] == want[i]);
  CHECK(std::signbit(half[6]));
  CHECK(std::isnan(half[7]));
  // The upper half of a float: 1, -2, 3.140625, the largest.
  const Tensor bfloat = to_tensor(stored<std::uint16_t>(Dtype::bfloat16, {0x3f80, 0xc000, 0x4049, 0x7f7f}), "b");
  CHECK(bfloat[0] == 1);
  CHECK(bfloat[1] == -2);
  CHECK(bfloat[2] == real(3.140625));
  CHECK(bfloat[3] == real(3.38953138925153547590e38));
}

TEST_CASE("a number that can't be represented is refused, or rounded if allowed") {
  const StoredTensor large = stored<std::int64_t>(Dtype::int64, {1, (Index{1} << 62) + 1});
  CHECK(contains(error_of([&] { to_tensor(large, "n"); }),
                 "`n` is int64, and its value 4611686018427387905 can't be represented as float"));
  CHECK(to_tensor(large, "n", Rounding::allow)[1] == real(4611686018427387904.0));
  const StoredTensor fine = stored<double>(Dtype::float64, {0.5, 0.1, 1e300});
  if (sizeof(real) == 4) {
    CHECK(contains(error_of([&] { to_tensor(fine, "w"); }), "`w` is float64, and its value 0.1"));
    CHECK(to_tensor(fine, "w", Rounding::allow)[1] == real(0.1f));
  } else {
    CHECK(to_tensor(fine, "w")[2] == real(1e300));
  }
}

TEST_CASE("a PyTorch pickle is recognised") {
  const TemporaryFolder folder;
  for (const std::string start : {"PK\x03\x04", "\x80\x02"}) {
    write_text(folder / "model.pt", start + std::string(100, 'x'));
    CHECK(contains(error_of([&] { read_state_dict(folder / "model.pt"); }), "docs/pytorch.md"));
  }
}
