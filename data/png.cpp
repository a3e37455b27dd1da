#include "data/png.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "data/atomic_file.h"
#include "data/input_file.h"
#include "data/room.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// libpng's "simplified" interface, for writing. (It reads interlaced 16-bit files wrongly.)
struct Image : png_image {
  Image() : png_image{} { version = PNG_IMAGE_VERSION; }
  Image(const Image&) = delete;
  ~Image() { png_image_free(this); }
};

/// Decodes a PNG in memory. libpng's functions for reading jump out of a function when they fail, so those that call
/// them create no objects.
class Decoder {
 public:
  explicit Decoder(const std::string& bytes)
      : bytes_(bytes), png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, ignore)) {
    if (png_) info_ = png_create_info_struct(png_);
    if (!info_) std::snprintf(message, sizeof message, "out of memory");
  }
  Decoder(const Decoder&) = delete;
  ~Decoder() { png_destroy_read_struct(&png_, &info_, nullptr); }

  // Reads the header. Samples will be unpacked to 8 or 16 bits, palettes to colours, transparency to a channel.
  bool read_header(bool convert_gamma) {
    if (!info_ || setjmp(png_jmpbuf(png_))) return false;
    png_set_read_fn(png_, this, read);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    static const png_byte colour_chunks[] = "gAMA\0iCCP\0sRGB\0cHRM";
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_AS_DEFAULT, colour_chunks, 4);
    png_read_info(png_, info_);
    bits = png_get_bit_depth(png_, info_);
    colour = png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR;
    png_fixed_point gamma = 0;
    constexpr png_fixed_point srgb = 45455, tolerance = 2273;  // libpng's: 5%
    other_gamma = png_get_gAMA_fixed(png_, info_, &gamma) != 0 && std::abs(gamma - srgb) > tolerance;
    png_charp profile = nullptr;
    png_bytep data = nullptr;
    png_uint_32 length = 0;
    int compression = 0;
    other_profile = png_get_iCCP(png_, info_, &profile, &compression, &data, &length) != 0 &&
                    std::strstr(profile, "sRGB") == nullptr;
    if (convert_gamma) png_set_alpha_mode(png_, PNG_ALPHA_PNG, PNG_DEFAULT_sRGB);
    png_set_expand(png_);
    if (bits == 16) png_set_swap(png_);  // to little-endian
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    width = png_get_image_width(png_, info_);
    height = png_get_image_height(png_, info_);
    channels = png_get_channels(png_, info_);
    row_bytes = static_cast<Index>(png_get_rowbytes(png_, info_));
    return true;
  }

  bool read_rows(png_bytepp rows) {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_read_image(png_, rows);
    png_read_end(png_, nullptr);
    return true;
  }

  char message[128] = "";
  Index width = 0, height = 0, channels = 0, row_bytes = 0;
  int bits = 0;
  bool colour = false, other_gamma = false, other_profile = false;

 private:
  static void read(png_structp png, png_bytep out, png_size_t count) {
    auto& self = *static_cast<Decoder*>(png_get_io_ptr(png));
    if (count > self.bytes_.size() - self.at_) png_error(png, "it ends too early");
    std::memcpy(out, self.bytes_.data() + self.at_, count);
    self.at_ += count;
  }
  [[noreturn]] static void fail(png_structp png, png_const_charp what) {
    auto& self = *static_cast<Decoder*>(png_get_error_ptr(png));
    std::snprintf(self.message, sizeof self.message, "%s", what);
    png_longjmp(png, 1);
  }
  static void ignore(png_structp, png_const_charp) {}

  const std::string& bytes_;
  std::size_t at_ = 0;
  png_structp png_;
  png_infop info_ = nullptr;
};

// Blends 8-bit or 16-bit samples with white, and notes their extremes.
template <class Sample>
void convert(const std::vector<Sample>& samples, Index channels, const std::optional<SampleRange>& range,
             PngFile& file) {
  Picture& picture = file.picture;
  const SampleRange given = range.value_or(SampleRange{});
  const Index low = given.low, high = given.high;
  const bool has_alpha = channels > picture.channels;
  const auto to_8_bits = [](Index sample) {
    return sizeof(Sample) == 1 ? sample : (sample * 255 + 32895) >> 16;  // sample / 257, rounded
  };
  const auto ranged = [&](Index sample) {
    if (!range) return to_8_bits(sample);
    if (sample < low || sample > high) ++file.outside;
    const Index inside = std::clamp(sample, low, high) - low;
    return (2 * 255 * inside + high - low) / (2 * (high - low));
  };
  file.low = std::numeric_limits<Sample>::max();
  std::uint8_t* out = picture.pixels.data();
  for (std::size_t i = 0; i < samples.size(); i += static_cast<std::size_t>(channels)) {
    const Index alpha = has_alpha ? to_8_bits(samples[i + static_cast<std::size_t>(picture.channels)]) : 255;
    file.blended = file.blended || alpha < 255;
    for (Index c = 0; c < picture.channels; ++c) {  // alpha * colour + (1 - alpha) * white, rounded
      const Index sample = samples[i + static_cast<std::size_t>(c)];
      if (alpha > 0) {
        file.low = std::min(file.low, sample);
        file.high = std::max(file.high, sample);
      }
      *out++ = static_cast<std::uint8_t>((ranged(sample) * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
}

template <class Sample>
void read_pixels(Decoder& decoder, const std::string& path, const std::optional<SampleRange>& range, PngFile& file) {
  std::vector<Sample> samples = room_for<Sample>(
      static_cast<std::size_t>(decoder.width * decoder.height * decoder.channels), path + ": the picture");
  std::vector<png_bytep> rows;
  for (Index y = 0; y < decoder.height; ++y)
    rows.push_back(reinterpret_cast<png_bytep>(samples.data()) + y * decoder.row_bytes);
  if (!decoder.read_rows(rows.data())) throw Error(path, ": is a damaged PNG: ", decoder.message);
  file.picture = Picture(decoder.height, decoder.width, decoder.colour ? 3 : 1);
  convert(samples, decoder.channels, range, file);
}

}  // namespace

Picture::Picture(Index height, Index width, Index channels, std::uint8_t value)
    : height(height), width(width), channels(channels), pixels(height * width * channels, value) {}

bool is_png(std::string_view bytes) { return bytes.starts_with("\x89PNG"); }

std::string picture_bytes(const std::string& path) {
  constexpr std::uint64_t max_bytes = std::uint64_t{1} << 31;
  return InputFile(path).text(max_bytes);
}

PngFile decode_png(const std::string& bytes, const std::string& path, const std::optional<SampleRange>& range) {
  constexpr Index max_pixels = 1 << 28;
  Decoder decoder(bytes);
  if (!decoder.read_header(!range)) throw Error(path, ": is damaged or not a PNG: ", decoder.message);
  if (range && decoder.bits < 16) {
    throw UsageError(path, ": has ", decoder.bits, " bits per sample; a range of samples expects 16");
  }
  const bool too_many = decoder.width * decoder.height > max_pixels;
  if (too_many ||
      !believable(static_cast<double>(decoder.row_bytes * decoder.height), static_cast<double>(bytes.size()))) {
    throw Error(path, ": claims ", decoder.width, " x ", decoder.height, " pixels, too many",
                too_many ? "" : concat(" for a file of ", bytes.size(), " bytes"));
  }
  PngFile file;
  if (decoder.bits == 16) {
    read_pixels<std::uint16_t>(decoder, path, range, file);
  } else {
    read_pixels<std::uint8_t>(decoder, path, range, file);
  }
  file.bits = decoder.bits;
  file.gamma = decoder.other_gamma && !range;
  file.profile = decoder.other_profile;
  file.animated = bytes.find("acTL") < bytes.find("IDAT");
  return file;
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
  write_atomically(path, bytes);
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
