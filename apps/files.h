#pragma once
#include <string>

#include "data/png.h"
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// The file names in a training run's folder.
struct RunFolder {
  std::string path;

  std::string checkpoint() const { return path + "/checkpoint.h5"; }
  std::string config() const { return path + "/config.toml"; }
  std::string metrics() const { return path + "/metrics.jsonl"; }
  std::string loss_curve() const { return path + "/loss.svg"; }
  std::string samples() const { return path + "/samples.png"; }
  std::string previews() const { return path + "/previews"; }
  std::string preview(Index step) const;  ///< previews/step-000500.png
};

/// Creates a folder if it doesn't exist. Throws Error with the system's reason if that fails.
void make_folder(const std::string& path);
/// Throws Error unless a file can be written at this path. Call it before hours of work, not after.
void require_writable(const std::string& path);
/// Writes a text file atomically.
void write_text(const std::string& path, const std::string& text);

/// Throws UsageError unless samples of this shape can be drawn: points, or images of 1 or 3 channels.
void require_picture(const Shape& sample);
/// Draws samples: a grid of images [n,H,W,C], or a scatter plot of points [n,2].
Picture picture_of(const Tensor& samples);

}  // namespace reverie::inline REVERIE_PRECISION
