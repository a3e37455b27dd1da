#include "data/fingerprint.h"

#include <zlib.h>

#include <algorithm>
#include <iomanip>

namespace reverie::inline REVERIE_PRECISION {
namespace {

/// A CRC-32 that bytes are added to.
struct Checksum {
  uLong value = ::crc32(0, nullptr, 0);

  void add(const void* bytes, std::size_t count) { value = ::crc32_z(value, static_cast<const Bytef*>(bytes), count); }
  void add(const std::string& text) { add(text.c_str(), text.size() + 1); }
};

}  // namespace

std::string fingerprint(const Dataset& data) {
  constexpr Index most = 1'000'000, at_once = 256;
  const Index count = std::min(data.size(), most), stride = data.size() / std::max<Index>(count, 1);
  Checksum checksum;
  std::vector<float> values;  // the same in both precisions
  for (Index first = 0; first < count; first += at_once) {
    std::vector<Index> indices;
    for (Index i = first; i < std::min(first + at_once, count); ++i) indices.push_back(i * stride);
    const Tensor batch = data.batch(indices);
    values.resize(static_cast<std::size_t>(batch.size()));
    std::transform(batch.values().begin(), batch.values().end(), values.begin(),
                   [](real value) { return static_cast<float>(value); });
    checksum.add(values.data(), values.size() * sizeof(float));
  }
  for (const Index label : data.labels) checksum.add(data.class_names.at(static_cast<std::size_t>(label)));
  for (const std::string& caption : data.captions) checksum.add(caption);
  return concat(data.size(), " samples of shape ", data.sample_shape(), " in ", data.class_names.size(),
                " classes, CRC-32 ", std::hex, std::setfill('0'), std::setw(8), checksum.value);
}

}  // namespace reverie::inline REVERIE_PRECISION
