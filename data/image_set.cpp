#include "data/image_set.h"

#include <algorithm>
#include <cmath>

#include "tensor/finite.h"

namespace reverie::inline REVERIE_PRECISION {

std::uint8_t to_pixel(real value) {
  const double pixel = std::round((double{value} + 1) * 127.5);
  if (!(pixel > 0)) return 0;  // NaN too
  return std::min(pixel, 255.0);
}

ImageSet ImageSet::load_without_pixels(const Hdf5File& file, Index first) {
  ImageSet set;
  const std::string& path = file.path();
  const Shape shape = file.shape("images");
  if (shape.rank() != 4) throw Error(path, ": `images` has shape ", shape, ", expected [N,H,W,C]");
  set.count = std::min(shape[0], first);
  set.height = shape[1];
  set.width = shape[2];
  set.channels = shape[3];
  set.read_labels(file, shape[0], first);
  if (file.has("captions")) {
    require_list(file, "captions", shape[0]);
    set.captions = file.read_strings("captions");
    if (std::ssize(set.captions) > first) set.captions.resize(first);
  }
  if (file.has("masks")) {
    const Shape masks = file.shape("masks"), expected{shape[0], shape[1], shape[2]};
    if (masks != expected) throw Error(path, ": `masks` has shape ", masks, ", expected ", expected);
  }
  set.validate_facts(path);
  return set;
}

ImageSet ImageSet::load(const std::string& path, Index first) {
  const Hdf5File file = Hdf5File::open(path);
  ImageSet set = load_without_pixels(file, first);
  set.images = file.read_uint8("images", 0, set.count);
  if (file.has("masks")) set.masks = file.read_uint8("masks", 0, set.count);
  set.validate(path);
  return set;
}

ImageSet ImageSet::from(const Tensor& samples) {
  if (samples.rank() != 4) throw ShapeError("image set: expects [n,H,W,C], got ", samples.shape());
  require_finite("image set", samples);
  ImageSet set;
  set.count = samples.extent(0);
  set.height = samples.extent(1);
  set.width = samples.extent(2);
  set.channels = samples.extent(3);
  set.images.resize(samples.size());
  std::transform(samples.values().begin(), samples.values().end(), set.images.begin(), to_pixel);
  return set;
}

Tensor ImageSet::batch(std::span<const Index> indices) const {
  Tensor out = Tensor::uninitialized({std::ssize(indices), height, width, channels});
  const Index size = height * width * channels;
  for (Index i = 0; i < std::ssize(indices); ++i) {
    const std::uint8_t* image = images.data() + indices[i] * size;
    std::transform(image, image + size, out.data() + i * size, to_real);
  }
  return out;
}

void ImageSet::validate_facts(const std::string& where) const {
  const Shape shape{count, height, width, channels};
  if (shape.size() == 0) throw Error(where, ": has no images: the shape is ", shape);
  validate_labels(where);
  if (!captions.empty() && std::ssize(captions) != count) {
    throw Error(where, ": has ", captions.size(), " captions for ", count, " images");
  }
}

void ImageSet::validate(const std::string& where) const {
  validate_facts(where);
  const Shape shape{count, height, width, channels};
  if (std::ssize(images) != shape.size()) throw Error(where, ": has ", images.size(), " pixels for images of ", shape);
  if (!masks.empty() && std::ssize(masks) != count * height * width) {
    throw Error(where, ": has masks of ", masks.size(), " pixels for images of ", shape);
  }
}

void ImageSet::write(Hdf5File& file) const {
  file.write_uint8("images", {count, height, width, channels}, images);
  if (!captions.empty()) file.write_strings("captions", captions);
  if (!masks.empty()) file.write_uint8("masks", {count, height, width}, masks);
}

}  // namespace reverie::inline REVERIE_PRECISION
