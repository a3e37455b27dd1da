#pragma once
#include <cstdint>
#include <string>
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

/// Reads any PNG (palette, grey or colour, 1 to 16 bits) and blends transparent pixels with white. A grey file gives 1
/// channel, any other 3. Throws Error for a file that is missing, damaged or not a PNG.
Picture read_png(const std::string& path);

/// Writes a PNG atomically. Throws Error if the file can't be written, or if there are not 1 or 3 channels.
void write_png(const std::string& path, const Picture& picture);

/// Converts to 1 or 3 channels: grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), colour is grey three times.
Picture with_channels(const Picture& picture, Index channels);

}  // namespace reverie::inline REVERIE_PRECISION
