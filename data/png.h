#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// A picture of 8-bit pixels, [H,W,C], with 1 (grey) or 3 (red, green, blue) channels.
struct Picture {
  Index height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;

  Picture() = default;
  Picture(Index height, Index width, Index channels, std::uint8_t value = 0);
  std::uint8_t* at(Index y, Index x) { return pixels.data() + (y * width + x) * channels; }
  const std::uint8_t* at(Index y, Index x) const { return pixels.data() + (y * width + x) * channels; }
};

/// The values of a 16-bit file that become black and white; values between are spread evenly, values outside clipped.
struct SampleRange {
  Index low = 0, high = 65535;
};

/// A PNG that was read, and what reading it changed.
struct PngFile {
  Picture picture;
  int bits = 8;             ///< per sample, in the file
  Index low = 0, high = 0;  ///< the extreme samples of a 16-bit file
  Index outside = 0;        ///< samples outside the range, which were clipped
  bool blended = false;     ///< some pixels are transparent
  bool gamma = false;       ///< the file names another gamma than sRGB's; its pixels were converted
  bool profile = false;     ///< the file has a colour profile other than sRGB; it was ignored
  bool animated = false;    ///< the file has several pictures; this is the first
};

/// Whether a file begins like a PNG.
bool is_png(std::string_view bytes);
/// All bytes of a file of at most 2 GiB.
std::string picture_bytes(const std::string& path);

/// Decodes any PNG (palette, grey or colour, 1 to 16 bits) that `path` holds, and blends transparent pixels with white.
/// A grey file gives 1 channel, any other 3. 16-bit samples are divided by 257 and rounded, or mapped from the range if
/// there is one, without regard to the file's gamma. Throws Error for a file that is damaged or not a PNG, or claims
/// more pixels than its bytes can hold; UsageError for a range with a file of fewer bits.
PngFile decode_png(const std::string& bytes, const std::string& path, const std::optional<SampleRange>& range = {});
/// Reads a PNG from a file, which may be missing.
inline PngFile read_png_file(const std::string& path, const std::optional<SampleRange>& range = {}) {
  return decode_png(picture_bytes(path), path, range);
}
inline Picture read_png(const std::string& path) { return read_png_file(path).picture; }

/// Writes a PNG atomically. Throws Error if the file can't be written, or if there are not 1 or 3 channels.
void write_png(const std::string& path, const Picture& picture);

/// Converts to 1 or 3 channels: grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), colour is grey three times.
Picture with_channels(const Picture& picture, Index channels);

}  // namespace reverie::inline REVERIE_PRECISION
