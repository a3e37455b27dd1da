#include "data/jpeg.h"

#include <turbojpeg.h>

#include <algorithm>
#include <memory>

#include "data/input_file.h"
#include "data/room.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The fields of the markers before the image that matter here.
struct Markers {
  int orientation = 1;  ///< as in EXIF, 1 to 8: 1 is upright
  bool adobe = false;   ///< written by Adobe's software, which stores CMYK inverted
  bool profile = false;
};

unsigned number(std::string_view bytes, std::size_t at, int length, bool little) {
  unsigned value = 0;
  for (int i = 0; i < length; ++i)
    value |= unsigned{static_cast<unsigned char>(bytes[at + i])} << 8 * (little ? i : length - 1 - i);
  return value;
}

// The orientation in the first directory of EXIF's data, which are laid out as in a TIFF file; 1 if it has none, or is
// damaged: the picture itself is whole.
int orientation_of(std::string_view tiff) {
  constexpr unsigned orientation_tag = 0x0112, short_type = 3;
  if (tiff.size() < 8) return 1;
  const bool little = tiff.starts_with("II");
  const std::size_t directory = number(tiff, 4, 4, little);
  if (directory > tiff.size() - 2) return 1;
  const unsigned entries = number(tiff, directory, 2, little);
  for (unsigned i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + std::size_t{12} * i;
    if (entry + 12 > tiff.size()) break;
    if (number(tiff, entry, 2, little) != orientation_tag || number(tiff, entry + 2, 2, little) != short_type) continue;
    const int value = static_cast<int>(number(tiff, entry + 8, 2, little));
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

// Walks over the segments before the image: FF, marker, length of two bytes that counts itself, data.
Markers markers_of(std::string_view bytes) {
  using namespace std::string_view_literals;
  Markers markers;
  std::size_t at = 2;
  while (at + 4 <= bytes.size() && bytes[at] == '\xff') {
    const unsigned char marker = bytes[at + 1];
    if (marker == 0xff) {  // padding
      ++at;
      continue;
    }
    const std::size_t length = number(bytes, at + 2, 2, false);
    if (marker == 0xda || length < 2 || length > bytes.size() - at - 2) break;  // 0xda: the image begins
    const std::string_view data = bytes.substr(at + 4, length - 2);
    if (marker == 0xe1 && data.starts_with("Exif\0\0"sv)) markers.orientation = orientation_of(data.substr(6));
    if (marker == 0xe2 && data.starts_with("ICC_PROFILE\0"sv))
      markers.profile = markers.profile || data.find("sRGB") == data.npos;
    if (marker == 0xee && data.starts_with("Adobe"sv)) markers.adobe = true;
    at += 2 + length;
  }
  return markers;
}

// The picture that a stored one shows: orientations 5 to 8 exchange rows and columns, then some are mirrored.
Picture upright(const Picture& stored, int orientation) {
  const bool exchanged = orientation >= 5;
  const bool flipped_y = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool flipped_x = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  Picture out(exchanged ? stored.width : stored.height, exchanged ? stored.height : stored.width, stored.channels);
  for (Index y = 0; y < out.height; ++y) {
    for (Index x = 0; x < out.width; ++x) {
      const Index from_y = flipped_y ? out.height - 1 - y : y, from_x = flipped_x ? out.width - 1 - x : x;
      const std::uint8_t* from = exchanged ? stored.at(from_x, from_y) : stored.at(from_y, from_x);
      std::copy_n(from, stored.channels, out.at(y, x));
    }
  }
  return out;
}

Picture from_cmyk(const Picture& cmyk, bool inverted) {
  Picture out(cmyk.height, cmyk.width, 3);
  for (std::size_t i = 0; i < cmyk.pixels.size() / 4; ++i) {
    const std::uint8_t* ink = cmyk.pixels.data() + 4 * i;
    const auto light = [&](int c) { return inverted ? ink[c] : 255 - ink[c]; };
    for (int c = 0; c < 3; ++c) out.pixels[3 * i + c] = static_cast<std::uint8_t>((light(c) * light(3) + 127) / 255);
  }
  return out;
}

}  // namespace

bool is_jpeg(std::string_view bytes) { return bytes.starts_with("\xff\xd8\xff"); }

JpegFile decode_jpeg(const std::string& bytes, const std::string& path) {
  constexpr Index max_pixels = 1 << 28;
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  if (!decoder) throw Error(path, ": can't be decoded: ", tjGetErrorStr2(nullptr));
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0, height = 0, subsampling = 0, space = 0;
  if (!is_jpeg(bytes) ||
      tjDecompressHeader3(decoder.get(), data, bytes.size(), &width, &height, &subsampling, &space) != 0) {
    throw Error(path, ": is damaged or not a JPEG", is_jpeg(bytes) ? ": " : "",
                is_jpeg(bytes) ? tjGetErrorStr2(decoder.get()) : "");
  }
  const bool cmyk = space == TJCS_CMYK || space == TJCS_YCCK;
  const Index channels = cmyk ? 4 : space == TJCS_GRAY ? 1 : 3;
  const bool too_many = Index{width} * height > max_pixels;
  if (too_many || !believable(double(width) * height * static_cast<double>(channels), double(bytes.size()))) {
    throw Error(path, ": claims ", width, " x ", height, " pixels, too many",
                too_many ? "" : concat(" for a file of ", bytes.size(), " bytes"));
  }
  JpegFile file;
  Picture stored;
  stored.height = height;
  stored.width = width;
  stored.channels = channels;
  stored.pixels = room_for<std::uint8_t>(static_cast<std::size_t>(height * channels * width), path + ": the picture");
  const int format = cmyk ? TJPF_CMYK : channels == 1 ? TJPF_GRAY : TJPF_RGB;
  // libjpeg fills what is missing with grey and warns. Here a warning is an error.
  if (tjDecompress2(decoder.get(), data, bytes.size(), stored.pixels.data(), width, 0, height, format,
                    TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT) != 0) {
    throw Error(path, ": is a damaged JPEG: ", tjGetErrorStr2(decoder.get()));
  }
  const Markers markers = markers_of(bytes);
  if (cmyk) stored = from_cmyk(stored, markers.adobe);
  file.picture = markers.orientation == 1 ? std::move(stored) : upright(stored, markers.orientation);
  file.turned = markers.orientation != 1;
  file.cmyk = cmyk;
  file.profile = markers.profile;
  return file;
}

}  // namespace reverie::inline REVERIE_PRECISION
