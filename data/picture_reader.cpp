#include "data/picture_reader.h"

#include <algorithm>
#include <bit>

#include "data/jpeg.h"

namespace reverie::inline REVERIE_PRECISION {

PictureReader::PictureReader(const std::optional<SampleRange>& range) : range_(range) {
  if (range && range->low >= range->high)
    throw UsageError("expects a range with LOW < HIGH, got ", range->low, " ", range->high);
}

Picture PictureReader::read(const std::string& path, const std::string& name) {
  const std::string bytes = picture_bytes(path);
  if (is_png(bytes)) {
    PngFile file = decode_png(bytes, path, range_);
    count(file, name);
    return std::move(file.picture);
  }
  if (!is_jpeg(bytes)) throw Error(path, ": is damaged or neither PNG nor JPEG");
  if (range_) throw UsageError(path, ": is a JPEG, of 8 bits per sample; a range of samples expects 16");
  JpegFile file = decode_jpeg(bytes, path);
  if (file.turned) changes_.add("turned upright, as EXIF says", name);
  if (file.cmyk) changes_.add("in printing colours (CMYK), converted without a colour profile", name);
  if (file.profile) changes_.add("with a colour profile, which is ignored", name);
  return std::move(file.picture);
}

void PictureReader::count(const PngFile& file, const std::string& name) {
  if (file.bits == 16) {
    changes_.add("of 16 bits, reduced to 8", name);
    low_ = std::min(low_, file.low);
    high_ = std::max(high_, file.high);
  }
  if (file.blended) changes_.add("with transparent pixels, blended with white", name);
  if (file.gamma) changes_.add("with another gamma, converted to sRGB's", name);
  if (file.profile) changes_.add("with a colour profile, which is ignored", name);
  if (file.animated) changes_.add("animated; the first picture is taken", name);
  if (file.outside > 0) changes_.add("with samples outside the range, which are clipped", name);
}

void PictureReader::tell(const Note& note) const {
  if (const std::string text = changes_.text(); !text.empty()) note("converted: " + text);
  constexpr Index few = 64;
  const auto level = [](Index sample) { return (sample + 128) / 257; };
  if (range_ || high_ < low_ || level(high_) - level(low_) >= few) return;
  note(concat("the 16-bit samples are from ", low_, " to ", high_, " of 65535, which is at most ",
              level(high_) - level(low_) + 1, " of 256 levels; a range spreads them (--range 0 ",
              std::bit_ceil(static_cast<std::uint64_t>(high_) + 1) - 1, ")"));
}

}  // namespace reverie::inline REVERIE_PRECISION
