#include "data/hdf5_pieces.h"

#include <doctest/doctest.h>

#include "tensor/random.h"
#include "tests/helpers.h"

using namespace reverie;

TEST_CASE("an HDF5 file written piece by piece reads as one that was written whole") {
  const TemporaryFolder folder;
  const std::string path = folder / "x.h5";
  const Tensor a = normal({.seed = 1}, {30, 4, 2}), b = normal({.seed = 2}, {7});
  {
    const Hdf5Pieces pieces(path, {{"a", a.shape()}, {"b", b.shape()}, {"zero", {100}}}, [](Hdf5File& file) {
      file.write_attribute("/", "name", std::string_view("pieces"));
      file.write_doubles("few", {2}, {1.5, -2});
    });
    for (Index row = 29; row >= 0; --row) pieces.write("a", 8 * row, a.rows(row, row + 1));
    pieces.write("b", 3, b.rows(3, 7));
    pieces.write("b", 0, b.rows(0, 3));
    CHECK(pieces.bytes() > double(sizeof(real)) * (240 + 7 + 100));
    CHECK(contains(error_of([&] { pieces.write("b", 4, b); }), "elements 4 to 10"));
    CHECK(contains(error_of([&] { pieces.write("c", 0, b); }), "`c`"));
  }
  const Hdf5File file = Hdf5File::open(path);
  CHECK(file.list() == std::vector<std::string>{"a", "b", "few", "zero"});
  CHECK(file.shape("a") == a.shape());
  const auto same = [](const Tensor& x, const Tensor& y) {
    return std::equal(x.values().begin(), x.values().end(), y.values().begin(), y.values().end());
  };
  CHECK(same(file.read_tensor("a"), a));
  CHECK(same(file.read_tensor("b"), b));
  CHECK(same(file.read_tensor("zero"), Tensor::zeros({100})));
  CHECK(file.read_doubles("few") == std::vector<double>{1.5, -2});
  CHECK(file.read_string_attribute("/", "name") == "pieces");
}

TEST_CASE("an HDF5 file in pieces: no room on the disk, no folder") {
  const TemporaryFolder folder;
  const auto nothing = [](Hdf5File&) {};
  CHECK(contains(error_of([&] {
                   Hdf5Pieces(folder / "no/x.h5", {{"a", {4}}}, nothing);
                 }),
                 "no/x.h5: can't be written"));
  const std::string huge = error_of([&] { Hdf5Pieces(folder / "x.h5", {{"a", {Index{1} << 46}}}, nothing); });
  CHECK(contains(huge, "x.h5: can't be written"));
  CHECK(contains(huge, "MB"));
}
