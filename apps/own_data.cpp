#include "apps/own_data.h"

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "apps/data_shape.h"
#include "data/image_folder.h"
#include "data/point_set.h"
#include "data/resample.h"
#include "data/split.h"
#include "data/subset.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

namespace fs = std::filesystem;

constexpr Index default_size = 32, small_size = 64;

// The size of the first picture of a folder, or of its first subfolder with pictures.
ImageSize size_of_first(const std::string& folder) {
  Tally left_out;
  const std::vector<std::string> files = picture_files(folder, 1, left_out);
  if (files.empty()) return {0, 0};  // reading the folder says what is wrong
  const Picture first = PictureReader().read(folder + "/" + files.front(), files.front());
  return {first.height, first.width};
}

ImageSet import_folder(const OwnDataOptions& options, std::string& text) {
  const ImageSize first = size_of_first(options.data);
  ImageSize size = first;
  std::string why = "their own size";
  if (!options.size.empty()) {
    size = parse_size("--size", options.size);
    why = "as set";
  } else if (options.like.rank() == 3) {
    size = {options.like[0], options.like[1]};
    why = "as in the checkpoint; --size chooses another";
  } else if (std::max(first.height, first.width) > small_size) {
    size = {default_size, default_size};
    why = concat("cropped and resampled from ", first.height, "x", first.width,
                 "; --size 64x64 shows more, and takes about four times as long");
  }
  ImageFolderOptions import;
  import.height = size.height, import.width = size.width;
  import.note = [](const std::string& note) { std::cerr << "warning: " << printable(note) << "\n";
};
ImageSet set = read_image_folder(options.data, import).set;
fs::path folder = fs::path(options.data).lexically_normal();
if (folder.filename().empty()) folder = folder.parent_path();
set.name = folder.filename().string();
text = concat(options.data, ": ", set.count, " pictures of ", set.height, "x", set.width, " (", why, ")");
return set;
}

// Resamples the images of a set.
void resample(ImageSet& set, const OwnDataOptions& options) {
  const ImageSize size = parse_size("--size", options.size);
  if (!set.masks.empty()) throw UsageError("--size: ", options.data, " has masks, which can't be resampled");
  std::vector<std::uint8_t> pixels;
  Picture image;
  image.height = set.height, image.width = set.width, image.channels = set.channels;
  const std::ptrdiff_t bytes = set.height * set.width * set.channels;
  for (Index i = 0; i < set.count; ++i) {
    image.pixels.assign(set.images.begin() + i * bytes, set.images.begin() + (i + 1) * bytes);
    const Picture resampled = crop_and_resample(image, size.height, size.width);
    pixels.insert(pixels.end(), resampled.pixels.begin(), resampled.pixels.end());
  }
  set.images = std::move(pixels);
  set.height = size.height, set.width = size.width;
}

constexpr Index fewest = 20;  // a smaller set is not split

void split(OwnData& own, ImageSet set, bool hold_out) {
  own.kept = true;
  if (hold_out && set.count >= fewest) {
    auto [train, held_out] = split_validation(std::move(set), {}, 0.1, 0);
    if (held_out.count > 0) own.held_out = std::make_unique<ImageSet>(std::move(held_out));
    set = std::move(train);
  }
  own.train = std::make_unique<ImageSet>(std::move(set));
}

std::unique_ptr<PointSet> rows_of(const PointSet& set, std::span<const Index> rows) {
  const Subset subset(set, {rows.begin(), rows.end()});
  auto part = std::make_unique<PointSet>();
  part->name = set.name, part->source = set.source, part->licence = set.licence;
  part->labels = subset.labels, part->class_names = set.class_names;
  part->points = samples_of(subset);
  return part;
}

void split(OwnData& own, const PointSet& set, bool hold_out) {
  const std::vector<Index> rows = permutation({.stream = Stream::subset}, set.size());
  const std::size_t held_out = hold_out && set.size() >= fewest ? rows.size() / 10 : 0;
  own.kept = true;
  own.train = rows_of(set, std::span(rows).subspan(held_out));
  if (held_out > 0) own.held_out = rows_of(set, std::span(rows).first(held_out));
}

}  // namespace

OwnData read_own_data(const OwnDataOptions& options, const RunFolder& folder) {
  OwnData own;
  own.train_name = folder.data(), own.held_out_name = folder.held_out(), own.text = options.data;
  const auto as_it_is = [&](std::unique_ptr<Dataset> train, std::unique_ptr<Dataset> held_out, const char* why) {
    own.train = std::move(train), own.held_out = std::move(held_out);
    own.train_name = options.data, own.held_out_name = own.held_out ? options.data : "";
    own.text += concat(": ", own.train->size(), " samples", why);
  };
  if (!fs::exists(options.data) && !options.data.starts_with("toy:")) {
    throw UsageError("--data ", options.data,
                     ": doesn't exist; expects a folder of pictures, an image set or a point set");
  }
  if (fs::is_directory(options.data)) {
    ImageSet set = import_folder(options, own.text);
    if (options.memory > 0 && std::ssize(set.images) > options.memory) {
      throw UsageError(
          "--data ", options.data, ": the pictures have ", std::ssize(set.images), " bytes, more than ",
          "data.memory_mb; import them with `reverie data import` and give the image set, or set a larger ",
          "data.memory_mb");
    }
    split(own, std::move(set), options.split);
  } else if (options.data.starts_with("toy:")) {
    if (!options.size.empty()) throw UsageError("--size: has no effect on ", options.data);
    as_it_is(open_dataset(options.data, toy_train), open_dataset(options.data, toy_held_out), "");
  } else if (!Hdf5File::is_hdf5(options.data)) {
    throw UsageError("--data ", options.data, ": expects a folder of pictures, an image set or a point set (HDF5)");
  } else {
    std::unique_ptr<Dataset> set = open_dataset(options.data, toy_train, options.memory);
    auto* images = dynamic_cast<ImageSet*>(set.get());
    const auto* points = dynamic_cast<PointSet*>(set.get());
    if (!options.size.empty() && !images) throw UsageError("--size: has no effect on ", options.data);
    if (images && !options.size.empty()) resample(*images, options);
    if (!images && !points) {
      as_it_is(
          std::move(set), nullptr,
          ", more than data.memory_mb, so it stays in its file and none are held out; --set data.validation=FILE names "
          "a held-out set");
    } else if (!options.split && options.size.empty()) {
      as_it_is(std::move(set), nullptr, "");
    } else if (images) {
      own.text += concat(": ", images->count, " images of ", images->height, "x", images->width);
      split(own, std::move(*images), options.split);
    } else {
      own.text += concat(": ", points->size(), " points");
      split(own, *points, options.split);
    }
  }
  if (!own.held_out) own.held_out_name = "";
  const Index classes = std::ssize(own.train->class_names);
  if (classes > 0) own.text += concat(" in ", classes, classes == 1 ? " class" : " classes");
  if (own.held_out && own.kept) own.text += concat("; ", own.held_out->size(), " are held out");
  return own;
}

std::vector<std::string> OwnData::files() const {
  if (!kept) return {};
  return held_out ? std::vector{train_name, held_out_name} : std::vector{train_name};
}

void OwnData::save() const {
  if (!kept) return;
  dynamic_cast<const StoredSet&>(*train).save(train_name);
  if (held_out) dynamic_cast<const StoredSet&>(*held_out).save(held_out_name);
}

}  // namespace reverie::inline REVERIE_PRECISION
