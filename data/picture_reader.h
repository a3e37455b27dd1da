#pragma once
#include <functional>
#include <optional>

#include "data/png.h"
#include "data/tally.h"

namespace reverie::inline REVERIE_PRECISION {

/// Called with a line about what an import left out or converted.
using Note = std::function<void(const std::string&)>;

/// Reads PNG and JPEG files, which it tells apart by their first bytes, and counts what reading them changed.
class PictureReader {
 public:
  /// `range`: for 16-bit PNG, the samples that become black and white. Throws UsageError unless LOW < HIGH.
  explicit PictureReader(const std::optional<SampleRange>& range = {});

  /// Reads a file; `name` stands for it in the notes. Throws Error for a file that is missing, damaged or neither PNG
  /// nor JPEG; UsageError for a range and a file without 16 bits per sample.
  Picture read(const std::string& path, const std::string& name);
  /// Notes the conversions: "converted: 3 ..."; and 16-bit files whose samples span a small part of the range.
  void tell(const Note& note) const;

 private:
  void count(const PngFile& file, const std::string& name);

  std::optional<SampleRange> range_;
  Tally changes_;
  Index low_ = 65535, high_ = 0;  ///< the extreme samples of 16-bit files
};

}  // namespace reverie::inline REVERIE_PRECISION
