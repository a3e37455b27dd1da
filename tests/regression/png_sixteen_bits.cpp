// 12-bit values in 16-bit PNG files became 17 levels without a word, and interlaced 16-bit files were read half wrong
// by libpng's simplified interface.
#include <doctest/doctest.h>
#include <zlib.h>

#include "data/image_folder.h"
#include "tests/helpers.h"

using namespace reverie;
using namespace std::string_literals;

namespace {

std::string big_endian(std::uint32_t value, int bytes = 4) {
  std::string text;
  for (int i = bytes; i-- > 0;) text += static_cast<char>(value >> 8 * i);
  return text;
}

std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::uint32_t>(data.size())) + body + big_endian(static_cast<std::uint32_t>(sum));
}

struct Kind {
  int depth, colour_type, channels;
  bool interlaced = false;
  std::string chunks = "";
};

constexpr int size = 9;

// A picture of size x size pixels whose samples are given by a function of row, column and channel; interlaced by
// Adam7: https://www.w3.org/TR/png/ sec. 8
template <class Sample>
std::string png(const Kind& kind, Sample&& sample) {
  struct Pass {
    int y, x, down, right;
  };
  const std::vector<Pass> adam7{{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
                                {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}};
  std::string raw;
  for (const Pass& pass : kind.interlaced ? adam7 : std::vector<Pass>{{0, 0, 1, 1}}) {
    for (int y = pass.y; y < size; y += pass.down) {
      std::string bits;
      for (int x = pass.x; x < size; x += pass.right)
        for (int c = 0; c < kind.channels; ++c)
          for (int bit = kind.depth; bit-- > 0;) bits += static_cast<char>('0' + (sample(y, x, c) >> bit & 1));
      bits.resize((bits.size() + 7) / 8 * 8, '0');
      raw += '\0';
      for (std::size_t i = 0; i < bits.size(); i += 8)
        raw += static_cast<char>(std::stoi(bits.substr(i, 8), nullptr, 2));
    }
  }
  uLongf length = compressBound(raw.size());
  std::string packed(length, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &length, reinterpret_cast<const Bytef*>(raw.data()), raw.size());
  packed.resize(length);
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR", big_endian(size) + big_endian(size) + static_cast<char>(kind.depth) +
                           static_cast<char>(kind.colour_type) + "\0\0"s + static_cast<char>(kind.interlaced)) +
         kind.chunks + chunk("IDAT", packed) + chunk("IEND", "");
}

struct Import {
  TemporaryFolder folder;
  std::vector<std::string> notes;

  ImageSet operator()(const std::string& content, const std::optional<SampleRange>& range = {}) {
    write_text(folder / "a.png", content);
    notes.clear();
    ImageFolderOptions options;
    options.range = range;
    options.note = [this](const std::string& text) { notes.push_back(text); };
    return read_image_folder(folder.path(), options).set;
  }
};

const auto varied = [](int y, int x, int c) { return (y * 7919 + x * 523 + c * 99) * 131 & 0xffff; };

}  // namespace

TEST_CASE("PNG: every kind of pixel is the same interlaced and not") {
  const std::string palette = chunk("PLTE", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV");
  const TemporaryFolder folder;
  for (const Kind& kind :
       {Kind{1, 0, 1}, Kind{2, 0, 1}, Kind{4, 0, 1}, Kind{8, 0, 1}, Kind{16, 0, 1}, Kind{8, 2, 3}, Kind{16, 2, 3},
        Kind{4, 3, 1, false, palette}, Kind{2, 3, 1, false, palette + chunk("tRNS", "\x10\x80")}, Kind{8, 4, 2},
        Kind{16, 4, 2}, Kind{8, 6, 4}, Kind{16, 6, 4}, Kind{16, 0, 1, false, chunk("tRNS", "\0\0"s)}}) {
    const auto sample = [&](int y, int x, int c) { return varied(y, x, c) >> (16 - kind.depth); };
    Kind interlaced = kind;
    interlaced.interlaced = true;
    write_text(folder / "a.png", png(kind, sample));
    write_text(folder / "b.png", png(interlaced, sample));
    const Picture a = read_png(folder / "a.png"), b = read_png(folder / "b.png");
    CHECK(a.pixels == b.pixels);
    CHECK(a.channels == (kind.colour_type & 2 ? 3 : 1));
    if (kind.colour_type != 0 || !kind.chunks.empty()) continue;
    const int most = (1 << kind.depth) - 1;
    for (int y = 0; y < size; ++y)
      for (int x = 0; x < size; ++x) CHECK(std::abs(*a.at(y, x) - 255.0 * sample(y, x, 0) / most) <= 0.5);
  }
}

TEST_CASE("PNG: 12-bit values in 16-bit files are told, and a range spreads them") {
  const auto twelve = [](int y, int x, int) { return 4095 * (y * size + x) / (size * size - 1); };
  Import import;
  const std::string file = png({16, 0, 1}, twelve);
  CHECK(import(file).images.back() == 16);
  REQUIRE(import.notes.size() == 2);
  CHECK(import.notes[0] == "converted: 1 of 16 bits, reduced to 8 (first: a.png)");
  CHECK(contains(import.notes[1], "from 0 to 4095 of 65535, which is at most 17 of 256 levels"));
  CHECK(contains(import.notes[1], "--range 0 4095"));
  const ImageSet spread = import(file, SampleRange{0, 4095});
  CHECK(import.notes.size() == 1);
  for (int i = 0; i < size * size; ++i)
    CHECK(std::abs(spread.images[static_cast<std::size_t>(i)] - 255.0 * i / (size * size - 1)) <= 0.6);
  CHECK(import(file, SampleRange{1000, 2000}).images.back() == 255);
  CHECK(contains(import.notes.at(0), "1 with samples outside the range, which are clipped (first: a.png)"));
  import(png({16, 0, 1}, varied));
  CHECK(import.notes.size() == 1);
  import(png({8, 0, 1}, [](int y, int, int) { return y;
}));
CHECK(import.notes.empty());
CHECK(contains(error_of([&] { import(png({8, 0, 1}, varied), SampleRange{0, 4095}); }), "has 8 bits per sample"));
CHECK_THROWS_AS(import(file, SampleRange{5, 5}), UsageError);
}

TEST_CASE("PNG: other conversions are told: transparency, gamma, profiles, animations") {
  Import import;
  const auto sample = [](int y, int x, int) { return 20 * y + x; };
  import(png({8, 4, 2}, sample));
  CHECK(import.notes.at(0) == "converted: 1 with transparent pixels, blended with white (first: a.png)");
  const ImageSet linear = import(png({8, 0, 1, false, chunk("gAMA", big_endian(100'000))}, sample));
  CHECK(contains(import.notes.at(0), "1 with another gamma, converted to sRGB's"));
  CHECK(linear.images[4 * size] > 120);  // 80/255 of linear light
  import(png({8, 0, 1, false, chunk("gAMA", big_endian(45'455))}, sample));
  CHECK(import.notes.empty());
  import(png({8, 0, 1, false, chunk("acTL", big_endian(2) + big_endian(0))}, sample));
  CHECK(contains(import.notes.at(0), "1 animated; the first picture is taken"));
}
