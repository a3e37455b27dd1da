#include "data/jpeg.h"

#include <doctest/doctest.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "data/picture_reader.h"
#include "tests/helpers.h"

using namespace reverie;
using namespace std::string_literals;

namespace {

std::string jpeg(const std::vector<std::uint8_t>& pixels, int height, int width, int format, int subsampling,
                 int flags = 0) {
  const tjhandle encoder = tjInitCompress();
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  REQUIRE(tjCompress2(encoder, pixels.data(), width, 0, height, format, &bytes, &size, subsampling, 100, flags) == 0);
  std::string text(reinterpret_cast<const char*>(bytes), size);
  tjFree(bytes);
  tjDestroy(encoder);
  return text;
}

// Four quarters of 16 x 24 pixels: 50 and 100 above, 150 and 200 below.
constexpr int height = 32, width = 48;
std::string quarters(int flags = 0) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) pixels.push_back(50 + 100 * (y >= height / 2) + 50 * (x >= width / 2));
  return jpeg(pixels, height, width, TJPF_GRAY, TJSAMP_GRAY, flags);
}

std::string segment(char marker, const std::string& data) {
  const std::size_t length = data.size() + 2;
  return "\xff"s + marker + char(length >> 8) + char(length) + data;
}

// EXIF's data: a TIFF header, and a directory with one entry.
std::string exif(int orientation, bool little = true) {
  const auto number = [&](unsigned value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += char(value >> 8 * (little ? i : bytes - 1 - i));
    return text;
  };
  return "Exif\0\0"s + (little ? "II" : "MM") + number(42, 2) + number(8, 4) + number(1, 2) + number(0x0112, 2) +
         number(3, 2) + number(1, 4) + number(static_cast<unsigned>(orientation), 2) + number(0, 2) + number(0, 4);
}

std::string with_segment(const std::string& file, const std::string& added) {
  return file.substr(0, 2) + added + file.substr(2);
}

// The values in the centres of the four quarters, row by row, rounded to multiples of 50.
std::vector<int> corners(const Picture& picture) {
  std::vector<int> values;
  for (const Index y : {picture.height / 4, 3 * picture.height / 4})
    for (const Index x : {picture.width / 4, 3 * picture.width / 4})
      values.push_back(static_cast<int>(std::lround(*picture.at(y, x) / 50.0)) * 50);
  return values;
}

}  // namespace

TEST_CASE("JPEG: grey and colour, baseline and progressive") {
  for (const int flags : {0, TJFLAG_PROGRESSIVE}) {
    const Picture grey = decode_jpeg(quarters(flags), "a.jpg").picture;
    CHECK(grey.channels == 1);
    CHECK(grey.height == height);
    CHECK(grey.width == width);
    CHECK(corners(grey) == std::vector{50, 100, 150, 200});
    std::vector<std::uint8_t> pixels;
    for (int i = 0; i < 20 * 30; ++i) pixels.insert(pixels.end(), {200, 100, 50});
    for (const int subsampling : {TJSAMP_444, TJSAMP_420, TJSAMP_411}) {
      const Picture colour = decode_jpeg(jpeg(pixels, 20, 30, TJPF_RGB, subsampling, flags), "a.jpg").picture;
      CHECK(colour.channels == 3);
      CHECK(std::abs(colour.at(10, 15)[0] - 200) <= 2);
      CHECK(std::abs(colour.at(10, 15)[1] - 100) <= 2);
      CHECK(std::abs(colour.at(10, 15)[2] - 50) <= 2);
    }
  }
}

TEST_CASE("JPEG: the eight orientations of EXIF, in either byte order") {
  // What a viewer shows of the quarters a b / c d that are stored: exif.org, "Orientation", tag 274.
  const std::vector<std::vector<int>> shown{{50, 100, 150, 200}, {100, 50, 200, 150}, {200, 150, 100, 50},
                                            {150, 200, 50, 100}, {50, 150, 100, 200}, {150, 50, 200, 100},
                                            {200, 100, 150, 50}, {100, 200, 50, 150}};
  for (const bool little : {true, false}) {
    for (int orientation = 1; orientation <= 8; ++orientation) {
      const JpegFile file = decode_jpeg(with_segment(quarters(), segment('\xe1', exif(orientation, little))), "a.jpg");
      CHECK(corners(file.picture) == shown[static_cast<std::size_t>(orientation - 1)]);
      CHECK(file.picture.height == (orientation >= 5 ? width : height));
      CHECK(file.turned == (orientation != 1));
    }
  }
  for (const int wrong : {0, 9, 65535})
    CHECK(!decode_jpeg(with_segment(quarters(), segment('\xe1', exif(wrong))), "a.jpg").turned);
  const std::string whole = exif(6);
  for (std::size_t length = 0; length < whole.size() - 8; ++length)  // a cut directory says nothing
    CHECK(!decode_jpeg(with_segment(quarters(), segment('\xe1', whole.substr(0, length))), "a.jpg").turned);
  std::string far = whole;
  far.replace(10, 4, "\xff\xff\xff\x7f");
  CHECK(!decode_jpeg(with_segment(quarters(), segment('\xe1', far)), "a.jpg").turned);
}

TEST_CASE("JPEG: printing colours are converted, colour profiles are ignored, and both are told") {
  std::vector<std::uint8_t> inks;
  for (int i = 0; i < 16 * 16; ++i) inks.insert(inks.end(), {255, 128, 0, 200});  // inverted: 255 is no ink
  const JpegFile file = decode_jpeg(jpeg(inks, 16, 16, TJPF_CMYK, TJSAMP_444), "a.jpg");
  CHECK(file.cmyk);
  CHECK(file.picture.channels == 3);
  CHECK(std::abs(file.picture.at(8, 8)[0] - 200) <= 3);
  CHECK(std::abs(file.picture.at(8, 8)[1] - 100) <= 3);
  CHECK(std::abs(file.picture.at(8, 8)[2] - 0) <= 3);
  CHECK(decode_jpeg(with_segment(quarters(), segment('\xe2', "ICC_PROFILE\0\1\1Adobe RGB"s)), "a.jpg").profile);
  CHECK(!decode_jpeg(with_segment(quarters(), segment('\xe2', "ICC_PROFILE\0\1\1sRGB IEC"s)), "a.jpg").profile);

  const TemporaryFolder folder;
  write_text(folder / "a.jpg", with_segment(quarters(), segment('\xe1', exif(6))));
  write_text(folder / "b.png", jpeg(inks, 16, 16, TJPF_CMYK, TJSAMP_444));  // a JPEG, whatever its name
  PictureReader reader;
  reader.read(folder / "a.jpg", "a.jpg");
  reader.read(folder / "b.png", "b.png");
  std::string notes;
  reader.tell([&](const std::string& text) { notes += text; });
  CHECK(contains(notes, "1 turned upright, as EXIF says (first: a.jpg)"));
  CHECK(contains(notes, "1 in printing colours (CMYK), converted without a colour profile (first: b.png)"));
  CHECK_THROWS_AS(PictureReader(SampleRange{0, 9}).read(folder / "a.jpg", "a.jpg"), UsageError);
  write_text(folder / "c.jpg", "text");
  CHECK(error_of([&] { reader.read(folder / "c.jpg", ""); }) ==
        (folder / "c.jpg") + ": is damaged or neither PNG nor JPEG");
}

TEST_CASE("JPEG: truncated and damaged files are errors that name the file") {
  const std::string whole = quarters();
  for (std::size_t length = 0; length < whole.size(); length += length < 40 ? 1 : 17) {
    const std::string error = error_of([&] { decode_jpeg(whole.substr(0, length), "some/a.jpg"); });
    CHECK_MESSAGE(error.starts_with("some/a.jpg: is "), length, ": ", error);
  }
  // Damage anywhere gives a picture or an error; JPEG has no checksums.
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    const std::string error = error_of([&] { decode_jpeg(damaged, "a.jpg"); });
    CHECK_MESSAGE((error == "nothing" || error.starts_with("a.jpg: ")), error);
  }
}

TEST_CASE("JPEG: a small file can't claim many pixels") {
  std::string file = quarters();
  const std::size_t frame = file.find("\xff\xc0");
  REQUIRE(frame != file.npos);
  for (const char high : {'\x40', '\xff'}) {
    file[frame + 5] = file[frame + 7] = high;  // height and width: big-endian, after length and precision
    const std::string error = error_of([&] { decode_jpeg(file, "a.jpg"); });
    CHECK_MESSAGE(contains(error, "a.jpg: claims "), error);
    CHECK_MESSAGE(contains(error, "too many"), error);
  }
}
