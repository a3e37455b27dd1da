#include "data/png.h"

#include <png.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "data/atomic_file.h"
#include "data/room.h"
#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// libpng's "simplified" interface. It reports failures as messages; the older one would longjmp over destructors.
struct Image : png_image {
  Image() : png_image{} { version = PNG_IMAGE_VERSION; }
  Image(const Image&) = delete;
  ~Image() { png_image_free(this); }
};

}  // namespace

Picture::Picture(Index height, Index width, Index channels, std::uint8_t value)
    : height(height), width(width), channels(channels), pixels(height * width * channels, value) {}

Picture read_png(const std::string& path) {
  if (!std::filesystem::exists(path)) throw Error(path, ": no such file");
  Image image;
  if (!png_image_begin_read_from_file(&image, path.c_str()))
    throw Error(path, ": is damaged or not a PNG: ", image.message);
  const bool colour = image.format & PNG_FORMAT_FLAG_COLOR;
  constexpr double max_pixels = 1 << 28;
  if (double(image.width) * image.height > max_pixels) {
    throw Error(path, ": has ", image.width, " x ", image.height, " pixels, too many");
  }
  image.format = PNG_FORMAT_RGBA;
  image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // 16-bit files are sRGB like 8-bit ones, not linear light
  std::vector<std::uint8_t> rgba = room_for<std::uint8_t>(
      PNG_IMAGE_SIZE(image), concat(path, ": a picture of ", image.width, " x ", image.height, " pixels"));
  if (!png_image_finish_read(&image, nullptr, rgba.data(), 0, nullptr)) {
    throw Error(path, ": is a damaged PNG: ", image.message);
  }
  Picture picture(image.height, image.width, colour ? 3 : 1);
  const std::uint8_t* in = rgba.data();
  for (std::size_t i = 0; i < picture.pixels.size(); in += 4) {
    for (Index c = 0; c < picture.channels; ++c) {  // alpha * colour + (1 - alpha) * white, rounded
      picture.pixels[i++] = (in[c] * in[3] + 255 * (255 - in[3]) + 127) / 255;
    }
  }
  return picture;
}

void write_png(const std::string& path, const Picture& picture) {
  if (picture.channels != 1 && picture.channels != 3) {
    throw Error(path, ": expects a picture of 1 or 3 channels, got ", picture.channels);
  }
  Image image;
  image.width = picture.width;
  image.height = picture.height;
  image.format = picture.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<char> bytes(size);
  if (!png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.pixels.data(), 0, nullptr)) {
    throw Error(path, ": can't be encoded as PNG: ", image.message);
  }
  bytes.resize(size);
  write_atomically(path, [&](const std::string& temporary_path) { write_bytes(temporary_path, bytes); });
}

Picture with_channels(const Picture& picture, Index channels) {
  if (picture.channels == channels) return picture;
  Picture out(picture.height, picture.width, channels);
  for (Index y = 0; y < out.height; ++y) {
    for (Index x = 0; x < out.width; ++x) {
      const std::uint8_t* from = picture.at(y, x);
      std::uint8_t* to = out.at(y, x);
      if (channels == 3) {
        to[0] = to[1] = to[2] = from[0];
      } else {
        to[0] = std::lround(0.299 * from[0] + 0.587 * from[1] + 0.114 * from[2]);
      }
    }
  }
  return out;
}

}  // namespace reverie::inline REVERIE_PRECISION
