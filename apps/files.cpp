#include "apps/files.h"

#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <map>

#include "data/atomic_file.h"
#include "data/grid.h"
#include "data/hdf5.h"
#include "data/image_set.h"
#include "data/output_file.h"
#include "data/scatter.h"

namespace reverie::inline REVERIE_PRECISION {

namespace fs = std::filesystem;

namespace {

// "step-000500", which sorts by its number.
std::string step_name(Index step) {
  std::ostringstream name;
  name << "step-" << std::setw(6) << std::setfill('0') << step;
  return name.str();
}

}  // namespace

std::string RunFolder::preview(Index step) const { return previews() + "/" + step_name(step) + ".png"; }
std::string RunFolder::kept(Index step) const { return kept() + "/" + step_name(step) + ".h5"; }

namespace {

void require_suffix(const Output& output) {
  std::string known;
  for (const std::string& suffix : output.suffixes) {
    if (output.path.ends_with(suffix)) return;
    const bool last = &suffix == &output.suffixes.back();
    known += (known.empty() ? "" : last ? " or " : ", ") + suffix;
  }
  throw UsageError(output.option, " ", output.path, ": expects a name that ends in ", known);
}

// Whether an existing file is the input, perhaps under another name, or lies in the folder (or a subfolder) that it is.
bool is_read(const fs::path& file, const fs::path& input, int depth = 2) {
  std::error_code error;  // what doesn't exist is not the same file
  if (fs::equivalent(file, input, error)) return true;
  if (depth == 0 || !fs::exists(file, error) || !fs::is_directory(input, error)) return false;
  const fs::directory_iterator entries(input, error);
  return std::any_of(begin(entries), end(entries),
                     [&](const fs::directory_entry& entry) { return is_read(file, entry.path(), depth - 1); });
}

// Throws UsageError for an HDF5 file of another kind than the command writes.
void require_replaceable(const std::string& name, const std::string& file, const std::string& kind) {
  if (!Hdf5File::is_hdf5(file)) return;
  std::string found = other_hdf5;
  try {
    const Hdf5File old = Hdf5File::open(file);
    if (old.has("images") || old.has("points")) found = data_set;
    if (old.has_attribute("/", "format") && old.attribute_is_string("/", "format")) {
      const std::string format = old.read_string_attribute("/", "format");
      for (const char* own : {checkpoint_file, classifier_file})
        if (format == concat("reverie ", own)) found = own;
    }
  } catch (const Error& error) {
    throw Error(name, ": exists, and may be a damaged checkpoint (", error.what(),
                "); remove it, or choose another name");
  }
  if (found != kind)
    throw UsageError(name, ": is a ", found, " already, and won't be overwritten; choose another name");
}

// Throws Error unless a file can be created beside this one, as writing it does.
void require_writable(const std::string& path) {
  std::error_code error;
  const fs::path folder = fs::path(path).parent_path();
  if (!folder.empty() && !fs::is_directory(folder, error)) throw Error(path, ": there is no folder ", folder.string());
  if (fs::is_directory(path, error)) throw Error(path, ": is a folder; expects the name of a file");
  probe_folder_of(path);
}

// Throws UsageError for a folder that has files, Error unless a folder can be made there.
void require_empty_folder(const std::string& name, const std::string& path) {
  std::error_code error;
  const fs::path folder = fs::path(path + ".").parent_path();
  if (!fs::exists(folder, error)) {
    require_writable(folder.string());
    return;
  }
  if (!fs::is_directory(folder, error)) throw Error(name, ": is a file; expects a folder that is new or empty");
  if (!fs::is_empty(folder, error))
    throw UsageError(name, ": is a folder with files; expects one that is new or empty");
  probe_folder_of((folder / "0001.png").string());
}

}  // namespace

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw Error(path, ": can't create the folder: ", error.message());
}

void check_outputs(const std::vector<Output>& outputs, const std::vector<Input>& inputs) {
  std::map<fs::path, std::string> options;  // of the files so far
  for (const Output& output : outputs) {
    if (output.path.empty()) continue;
    const std::string name = output.option + " " + output.path;
    require_suffix(output);
    if (output.path.ends_with('/')) {
      require_empty_folder(name, output.path);
      continue;
    }
    const std::string file = output_file(output.path);
    for (const Input& input : inputs) {
      if (is_read(file, input.path)) {
        throw UsageError(name, ": would overwrite what ", input.option, " reads; choose another name");
      }
    }
    const auto [other, added] = options.try_emplace(fs::weakly_canonical(file), output.option);
    if (!added) throw UsageError(name, ": is the file that ", other->second, " writes; choose another name");
    require_replaceable(name, file, output.kind);
    require_writable(file);
  }
}

void make_run_folder(const RunFolder& folder, const std::vector<Input>& inputs, const std::vector<std::string>& sets) {
  make_folder(folder.path);
  for (const std::string& subfolder : {folder.previews(), folder.kept(), folder.report_parts()}) {
    if (fs::exists(subfolder)) make_folder(subfolder);  // throws for a file
  }
  std::vector<Output> outputs = {{"--out", folder.checkpoint(), {".h5"}, checkpoint_file},
                                 {"--out", folder.config(), {".toml"}},
                                 {"--out", folder.metrics(), {".jsonl"}},
                                 {"--out", folder.loss_curve(), {".svg"}},
                                 {"--out", folder.samples(), {".png"}},
                                 {"--out", folder.report(), {".html"}}};
  for (const char* film : {"forward.png", "reverse.png", "predicted.png"})
    if (fs::exists(folder.report_parts())) outputs.push_back({"--out", folder.report_part(film), {".png"}});
  for (const std::string& set : sets) outputs.push_back({"--out", set, {".h5"}, data_set});
  check_outputs(outputs, inputs);
}

void write_pictures(const std::string& folder, const Tensor& images) {
  make_folder(folder);
  const Tensor drawn = drawn_channels(images);
  for (Index i = 0; i < drawn.extent(0); ++i) {
    std::ostringstream name;
    name << folder << "/" << std::setw(4) << std::setfill('0') << i + 1 << ".png";
    const ImageSet image = ImageSet::from(drawn.rows(i, i + 1));
    Picture picture(image.height, image.width, image.channels);
    picture.pixels = image.images;
    write_png(name.str(), picture);
  }
}

void write_text(const std::string& path, const std::string& text) { write_atomically(path, text); }

namespace {

// The number of channels to draw of images with so many.
Index drawn(Index channels) { return channels >= 3 ? 3 : 1; }

}  // namespace

Tensor drawn_channels(const Tensor& images) {
  const Index given = images.extent(3), kept = drawn(given);
  if (kept == given) return images;
  Tensor out = Tensor::uninitialized(images.shape().with(3, kept));
  for (Index pixel = 0; pixel < out.size() / kept; ++pixel) {
    std::copy_n(images.data() + pixel * given, kept, out.data() + pixel * kept);
  }
  return out;
}

void require_picture(const Shape& sample, Index count) {
  constexpr Index most = 2'000'000'000;
  if (sample.rank() == 3 && count * grid_cell(sample[0], sample[1]) > most) {
    throw UsageError("a picture of ", count, " images of ", sample[0], "x", sample[1], " would have more than ", most,
                     " pixels; draw fewer, or write them to a .h5 file");
  }
}

Picture picture_of(const Tensor& samples) {
  return samples.rank() == 4 ? grid(drawn_channels(samples)) : scatter(samples);
}

Picture picture_of_film(const Tensor& frames, Index columns) {
  if (frames.rank() == 4) return grid(drawn_channels(frames), columns);
  constexpr Index size = 200;
  constexpr double range = 3;
  const Index rows = frames.extent(0) / columns;
  std::vector<Picture> panels;
  for (Index column = 0; column < columns; ++column) {
    Tensor points = Tensor::uninitialized({rows, 2});
    for (Index row = 0; row < rows; ++row)
      points.rows(row, row + 1).copy_from(frames.rows(row * columns + column, row * columns + column + 1));
    panels.push_back(scatter(points, range, size));
  }
  return beside(panels);
}

std::string picture_note(const Shape& sample) {
  if (sample.rank() != 3 || drawn(sample[2]) == sample[2]) return "";
  return concat("; pictures show the first ", drawn(sample[2]), " of ", sample[2], " channels");
}

}  // namespace reverie::inline REVERIE_PRECISION
