#pragma once
#include <memory>
#include <string>

#include "apps/cli.h"
#include "data/dataset.h"
#include "diffusion/model/config.h"

namespace reverie::inline REVERIE_PRECISION {

/// --shape HxWxC and --classes N: describe a configuration's data where the data itself isn't available.
struct DataShape {
  std::string shape;
  Index classes = 0;

  bool given() const { return !shape.empty() || classes > 0; }
  /// Returns the facts given by the flags, or those of the configured data set. Throws UsageError for a malformed
  /// shape, Error if there are no flags and the data set can't be read.
  DataFacts facts(const Config& config) const;
  /// Returns a batch of random samples of the flags' shape, or the configured data set.
  std::unique_ptr<Dataset> samples(const Config& config) const;
};

struct ImageSize {
  Index height = 0, width = 0;
};
/// Reads a size, "32x48". Throws UsageError, naming the option, for anything else and for more than 2^28 pixels.
ImageSize parse_size(const char* option, const std::string& text);

void add_data_shape(CLI::App* command, DataShape& options);

}  // namespace reverie::inline REVERIE_PRECISION
