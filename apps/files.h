#pragma once
#include <string>
#include <vector>

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
  std::string report() const { return path + "/report.html"; }
  std::string report_parts() const { return path + "/report"; }  ///< what it shows besides
  std::string report_part(const std::string& name) const { return report_parts() + "/" + name; }
  std::string previews() const { return path + "/previews"; }
  std::string data() const { return path + "/data.h5"; }            ///< of `train --data`, if it was imported or split
  std::string held_out() const { return path + "/validation.h5"; }  ///< the part of it that is held out
  std::string preview(Index step) const;                            ///< previews/step-000500.png
  std::string kept() const { return path + "/checkpoints"; }
  std::string kept(Index step) const;  ///< checkpoints/step-000500.h5
};

/// Creates a folder if it doesn't exist. Throws Error with the system's reason if that fails.
void make_folder(const std::string& path);

/// A file or folder that a command reads, and the option or key that names it. An empty path or toy:NAME is no file.
struct Input {
  std::string option, path;
};
/// A file that a command writes, if its path isn't empty; or, where the suffix / is allowed, a folder of files.
struct Output {
  std::string option, path;
  std::vector<std::string> suffixes;  ///< the name has to end in one of them
  std::string kind = {};              ///< what it is, if it is an HDF5 file; it replaces no other kind
};
/// The kinds of HDF5 files.
inline constexpr const char *checkpoint_file = "checkpoint", *classifier_file = "classifier", *data_set = "data set",
                            *other_hdf5 = "file of weights, noise or trajectories";
/// Decides whether a command may write its outputs; every option that names a file to write is checked here, before the
/// command computes anything. Throws UsageError for a name with another suffix, for an output that would overwrite an
/// input (under any name), a file in a folder that is read, another output, or an HDF5 file of another kind; Error if a
/// file can't be written at this path. A folder has to be new or empty, so that no other file is among those written.
void check_outputs(const std::vector<Output>& outputs, const std::vector<Input>& inputs);

/// Creates the folder of a run, and checks the files that a run writes there like other outputs; `sets` are the data
/// sets among them.
void make_run_folder(const RunFolder& folder, const std::vector<Input>& inputs,
                     const std::vector<std::string>& sets = {});

/// Writes images [n,H,W,C] as 0001.png, 0002.png, ... to a folder, which is created if it doesn't exist.
void write_pictures(const std::string& folder, const Tensor& images);

/// Writes a text file atomically.
void write_text(const std::string& path, const std::string& text);

/// Throws UsageError if a picture of `count` samples of this shape would be too large.
void require_picture(const Shape& sample, Index count);
/// Draws samples: a grid of images [n,H,W,C], or a scatter plot of points [n,2]. Of images that have neither 1 nor 3
/// channels, draws the first three, or the first one if there are two.
Picture picture_of(const Tensor& samples);
/// Draws a film strip, [rows * columns, sample] row by row: images in a grid, points in a panel for each column.
Picture picture_of_film(const Tensor& frames, Index columns);
/// Says which channels picture_of draws of samples of this shape, "; pictures show the first 3 of 4 channels"; empty if
/// all.
std::string picture_note(const Shape& sample);
/// The channels of images [n,H,W,C] that picture_of draws, [n,H,W,1] or [n,H,W,3].
Tensor drawn_channels(const Tensor& images);

}  // namespace reverie::inline REVERIE_PRECISION
