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

/// Draws samples: a grid of images [n,H,W,C], or a scatter plot of points [n,2]. Of images that have neither 1 nor 3
/// channels, draws the first three, or the first one if there are two.
Picture picture_of(const Tensor& samples);
/// Says which channels picture_of draws of samples of this shape, "; pictures show the first 3 of 4 channels"; empty if
/// all.
std::string picture_note(const Shape& sample);
/// The channels of images [n,H,W,C] that picture_of draws, [n,H,W,1] or [n,H,W,3].
Tensor drawn_channels(const Tensor& images);

}  // namespace reverie::inline REVERIE_PRECISION
