#include "data/png.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>

#include "data/grid.h"
#include "data/resample.h"
#include "data/scatter.h"
#include "tests/helpers.h"

using namespace reverie;
using namespace std::string_literals;

namespace {

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += char(value >> shift);
  return bytes;
}

std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
  return big_endian(data.size()) + body + big_endian(sum);
}

// A PNG of one row, built by hand: https://www.w3.org/TR/png/ sec. 5
std::string one_row_png(int width, char depth, char colour_type, const std::string& row,
                        const std::string& chunks = "") {
  const std::string raw = "\0"s + row;
  uLongf size = compressBound(raw.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(raw.data()), raw.size());
  packed.resize(size);
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", big_endian(width) + big_endian(1) + depth + colour_type + "\0\0\0"s) +
         chunks + chunk("IDAT", packed) + chunk("IEND", "");
}

Picture read(const TemporaryFolder& folder, const std::string& content) {
  write_text(folder / "a.png", content);
  return read_png(folder / "a.png");
}

Picture gradient(Index height, Index width, Index channels) {
  Picture picture(height, width, channels);
  for (std::size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = 7 * i;
  return picture;
}

}  // namespace

TEST_CASE("PNG: reading returns the grey and colour pictures that were written") {
  const TemporaryFolder folder;
  for (const Index channels : {1, 3}) {
    const Picture picture = gradient(5, 4, channels);
    write_png(folder / "a.png", picture);
    const Picture back = read_png(folder / "a.png");
    CHECK(back.height == 5);
    CHECK(back.width == 4);
    CHECK(back.channels == channels);
    CHECK(back.pixels == picture.pixels);
  }
  CHECK(folder.files() == 1);
}

TEST_CASE("PNG: every kind of pixel") {
  using Bytes = std::vector<std::uint8_t>;
  const TemporaryFolder folder;
  const char grey = 0, rgb = 2, palette = 3, grey_alpha = 4, rgb_alpha = 6;
  CHECK(read(folder, one_row_png(4, 1, grey, "\x50")).pixels == Bytes{0, 255, 0, 255});
  CHECK(read(folder, one_row_png(2, 4, grey, "\x1f")).pixels == Bytes{17, 255});
  CHECK(read(folder, one_row_png(2, 16, grey, "\x12\x12\xff\xff")).pixels == Bytes{0x12, 255});
  CHECK(read(folder, one_row_png(1, 16, rgb, "\x10\x10\x20\x20\x30\x30")).pixels == Bytes{16, 32, 48});
  // Half transparent black on white is half grey: 255 - 128 = 127.
  CHECK(read(folder, one_row_png(3, 8, grey_alpha, "\0\x80\0\0\x40\xff"s)).pixels == Bytes{127, 255, 64});
  CHECK(read(folder, one_row_png(2, 8, rgb_alpha, "\1\2\3\xff\1\2\3\0"s)).pixels == Bytes{1, 2, 3, 255, 255, 255});
  const Picture indexed =
      read(folder, one_row_png(3, 8, palette, "\2\0\1"s, chunk("PLTE", "abcdefghi") + chunk("tRNS", "\xff\0"s)));
  CHECK(indexed.channels == 3);
  CHECK(std::string(indexed.pixels.begin(), indexed.pixels.end()) == "ghiabc\xff\xff\xff");
}

TEST_CASE("PNG: files that are missing, not PNG, truncated, damaged or not writable") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.png";
  CHECK(error_of([&] { read_png(path); }) == path + ": can't be read: No such file or directory");
  write_png(path, gradient(40, 50, 3));
  const std::string whole = read_text(path);
  std::string damaged = whole;
  damaged[whole.size() / 2] ^= 0x55;
  for (const std::string& bad : {""s, "text"s, whole.substr(0, 20), whole.substr(0, whole.size() / 2), damaged}) {
    const std::string error = error_of([&] { read(folder, bad); });
    CHECK_MESSAGE(contains(error, path), error);
    CHECK_MESSAGE(contains(error, "PNG"), error);
  }
  CHECK(contains(error_of([&] { write_png(folder / "no/a.png", gradient(2, 2, 1)); }), "there is no folder"));
  CHECK(contains(error_of([&] { write_png(path, gradient(2, 2, 2)); }), "expects a picture of 1 or 3 channels"));
}

TEST_CASE("grey and colour: luma of ITU-R BT.601") {
  Picture red(1, 1, 3);
  red.pixels = {255, 0, 0};
  CHECK(with_channels(red, 1).pixels == std::vector<std::uint8_t>{76});  // 0.299 * 255
  CHECK(with_channels(with_channels(red, 1), 3).pixels == std::vector<std::uint8_t>{76, 76, 76});
}

TEST_CASE("crop_and_resample: the same size changes nothing, half the size averages 2x2 pixels") {
  const Picture picture = gradient(4, 6, 3);
  CHECK(crop_and_resample(picture, 4, 6).pixels == picture.pixels);
  const Picture half = crop_and_resample(picture, 2, 3);
  for (Index y = 0; y < 2; ++y) {
    for (Index x = 0; x < 3; ++x) {
      for (Index c = 0; c < 3; ++c) {
        const int sum = picture.at(2 * y, 2 * x)[c] + picture.at(2 * y, 2 * x + 1)[c] +
                        picture.at(2 * y + 1, 2 * x)[c] + picture.at(2 * y + 1, 2 * x + 1)[c];
        CHECK(std::abs(half.at(y, x)[c] - sum / 4.0) <= 0.5);
      }
    }
  }
  const Picture square = crop_and_resample(picture, 4, 4);  // columns 1 to 4 are the centre
  CHECK(std::equal(square.pixels.begin(), square.pixels.begin() + 12, picture.at(0, 1)));
  const Picture odd = crop_and_resample(Picture(7, 5, 1, 93), 3, 3);  // constant pictures stay constant
  CHECK(odd.pixels == std::vector<std::uint8_t>(9, 93));
}

TEST_CASE("grid: images in rows, enlarged, with borders of 4 pixels") {
  Tensor images = Tensor::full({3, 2, 2, 1}, -1);
  images[4] = 1;  // the top left pixel of the second image
  const Picture picture = grid(images, 2, 3);
  CHECK(picture.height == 2 * 6 + 3 * 4);
  CHECK(picture.width == 2 * 6 + 3 * 4);
  CHECK(*picture.at(0, 0) == 96);
  CHECK(*picture.at(4, 4) == 0);
  CHECK(*picture.at(4, 14) == 255);
  CHECK(*picture.at(6, 16) == 255);
  CHECK(*picture.at(6, 17) == 0);
  CHECK(*picture.at(14, 14) == 96);  // there is no fourth image
  CHECK(grid(Tensor::zeros({64, 28, 28, 3})).width == 8 * (4 * 28 + 4) + 4);
  CHECK_THROWS_AS(grid(Tensor::zeros({3, 2, 2, 2})), ShapeError);
  CHECK_THROWS_AS(grid(Tensor::zeros({3, 2})), ShapeError);
}

TEST_CASE("scatter: draws points with y upwards, leaves out those outside, and refuses NaN") {
  const Picture picture = scatter(Tensor::from({2, 2}, {1.5, 1.5, 99, 0}), 3, 64);
  CHECK(picture.at(16, 48)[0] < 255);
  CHECK(picture.at(48, 16)[0] == 255);
  Index inked = 0;
  for (Index i = 0; i < 64 * 64; ++i) inked += picture.pixels[3 * i] < 255;
  CHECK(inked == 9);
  CHECK(contains(error_of([] { scatter(Tensor::from({1, 2}, {0, NAN})); }), "value 1 of [1,2] is nan"));
  CHECK_THROWS_AS(scatter(Tensor::zeros({3, 3})), ShapeError);
}
