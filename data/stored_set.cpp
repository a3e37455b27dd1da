#include "data/stored_set.h"

#include <algorithm>

#include "data/atomic_file.h"
#include "data/image_set.h"
#include "data/point_set.h"
#include "data/streamed_image_set.h"
#include "data/toy.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

std::string attribute_or_empty(const Hdf5File& file, const std::string& name) {
  return file.has_attribute("/", name) ? file.read_string_attribute("/", name) : "";
}

}  // namespace

void StoredSet::save(const std::string& path) const {
  validate(path);
  write_atomically(path, [&](const std::string& temporary_path) {
    Hdf5File file = Hdf5File::create(temporary_path);
    file.write_attribute("/", "name", name);
    file.write_attribute("/", "source", source);
    file.write_attribute("/", "licence", licence);
    write(file);
    if (!labels.empty()) {
      file.write_int64("labels", {std::ssize(labels)}, labels);
      file.write_attribute("labels", "class_names", class_names);
      file.write_checksum("labels");
    }
    file.close();
  });
}

void require_list(const Hdf5File& file, const std::string& dataset, Index count) {
  const Shape shape = file.shape(dataset), expected{count};
  if (shape == expected) return;
  throw Error(file.path(), ": `", dataset, "` has shape ", shape, ", expected ", expected, ", one for each sample");
}

void StoredSet::read_labels(const Hdf5File& file, Index count, Index first) {
  name = attribute_or_empty(file, "name");
  source = attribute_or_empty(file, "source");
  licence = attribute_or_empty(file, "licence");
  if (!file.has("labels")) return;
  require_list(file, "labels", count);
  file.require_checksum("labels");
  labels = file.read_int64("labels");
  if (file.has_attribute("labels", "class_names")) {
    class_names = file.read_strings_attribute("labels", "class_names");
  } else if (!labels.empty()) {  // not written by reverie: use the class numbers as names
    constexpr Index max_classes = 100'000;
    const auto [least, greatest] = std::minmax_element(labels.begin(), labels.end());
    if (*least < 0 || *greatest >= max_classes) {
      throw Error(file.path(), ": `labels` has values from ", *least, " to ", *greatest,
                  ", expected class numbers from 0 to ", max_classes - 1);
    }
    for (Index i = 0; i <= *greatest; ++i) class_names.push_back(std::to_string(i));
  }
  if (std::ssize(labels) > first) labels.resize(first);
}

void StoredSet::validate_labels(const std::string& where) const {
  if (size() == 0) throw Error(where, ": has no samples");
  if (labels.empty()) {
    if (!class_names.empty()) throw Error(where, ": has ", class_names.size(), " class names, but no labels");
    return;
  }
  if (std::ssize(labels) != size()) throw Error(where, ": has ", labels.size(), " labels for ", size(), " samples");
  for (Index i = 0; i < std::ssize(labels); ++i) {
    if (labels[i] >= 0 && labels[i] < std::ssize(class_names)) continue;
    throw Error(where, ": sample ", i, " has label ", labels[i], ", but there are ", class_names.size(), " classes");
  }
}

std::unique_ptr<StoredSet> load_dataset(const std::string& path, Index first) {
  bool points = false;
  {
    const Hdf5File file = Hdf5File::open(path);
    points = file.has("points");
    if (!points && !file.has("images")) {
      throw Error(path, ": is neither an image set (dataset `images`) nor a point set (dataset `points`)");
    }
  }
  if (points) return std::make_unique<PointSet>(PointSet::load(path, first));
  return std::make_unique<ImageSet>(ImageSet::load(path, first));
}

namespace {

// Whether a file is an image set whose pixels take more bytes than the limit.
bool is_larger(const std::string& path, Index memory) {
  const Hdf5File file = Hdf5File::open(path);
  return file.has("images") && !file.has("points") && file.shape("images").size() > memory;
}

}  // namespace

std::unique_ptr<Dataset> open_dataset(const std::string& file_or_toy, std::uint64_t toy_seed, Index memory) {
  constexpr std::string_view prefix = "toy:";
  constexpr Index points = 10'000;
  if (!file_or_toy.starts_with(prefix)) {
    if (memory > 0 && is_larger(file_or_toy, memory)) return std::make_unique<StreamedImageSet>(file_or_toy, memory);
    return load_dataset(file_or_toy);
  }
  return std::make_unique<PointSet>(toy(file_or_toy.substr(prefix.size()), points, toy_seed));
}

}  // namespace reverie::inline REVERIE_PRECISION
