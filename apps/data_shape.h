#pragma once
#include <memory>
#include <string>

#include "apps/cli.h"
#include "data/dataset.h"
#include "diffusion/model/config.h"

namespace reverie::inline REVERIE_PRECISION {

/// --shape HxWxC and --classes N: what a command has to know of a configuration's data, where the data isn't there.
struct DataShape {
  std::string shape;
  Index classes = 0;

  bool given() const { return !shape.empty() || classes > 0; }
  /// As the flags say, or of the configuration's data set. Throws UsageError for a shape that is none, Error where the
  /// data set can't be read either.
  DataFacts facts(const Config& config) const;
  /// Samples: of the flags' shape, with any content, as many as a batch; or the configuration's own.
  std::unique_ptr<Dataset> samples(const Config& config) const;
};

void add_data_shape(CLI::App* command, DataShape& options);

}  // namespace reverie::inline REVERIE_PRECISION
