#include "diffusion/model/model.h"

#include <algorithm>

#include "data/classes.h"

namespace reverie::inline REVERIE_PRECISION {

DiffusionModel::DiffusionModel(DataFacts facts, std::unique_ptr<Network> network,
                               std::unique_ptr<const Formulation> formulation, const kernels::KernelChoice& kernels,
                               const Noise& noise, Index low_resolution)
    : facts_(std::move(facts)),
      network_(std::move(network)),
      formulation_(std::move(formulation)),
      kernels_(kernels),
      noise_(&noise),
      low_resolution_(low_resolution) {
  if (!network_ || !formulation_) throw UsageError("model: a network and a formulation are required");
  if (conditional() && network_->num_classes() < null_class()) {
    throw UsageError("model: the network has ", network_->num_classes(), text_conditional() ? " tokens" : " classes",
                     ", the data has ", null_class());
  }
  if (text_conditional() && network_->caption_length() != facts_.tokenizer.length()) {
    throw UsageError("model: the network reads captions of ", network_->caption_length(), " tokens, the data's have ",
                     facts_.tokenizer.length());
  }
}

Var DiffusionModel::operator()(const Var& x, std::span<const double> t, std::span<const Index> labels, const Mode& mode,
                               const Tensor& picture) const {
  const kernels::WithKernels scope(kernels_);
  if (low_resolution_ == 0) return (*network_)(x, t, labels, mode);
  if (!picture.defined()) throw Error("model: it enlarges pictures, and was given none");
  const std::vector<Var> copies(static_cast<std::size_t>(x.extent(0) / picture.extent(0)), Var(picture));
  const Var pictures = copies.size() == 1 ? copies[0] : concat(std::span<const Var>(copies), 0);
  return (*network_)(concat({x, pictures}, -1), t, labels, mode);
}

Tensor DiffusionModel::picture_of(const Tensor& x0) const {
  if (low_resolution_ == 0) return {};
  return picture_of_small(avg_pool2d(x0, low_resolution_, low_resolution_).value());
}

Tensor DiffusionModel::picture_of_small(const Tensor& small) const {
  return upsample_nearest(small, low_resolution_).value();
}

std::vector<Index> DiffusionModel::tokens_of(std::span<const std::string> captions) const {
  std::vector<Index> tokens;
  for (const std::string& caption : captions) {
    std::vector<Index> own = facts_.tokenizer.encode(caption);
    if (caption_words(caption).empty() && has_null_class()) std::fill(own.begin(), own.end(), null_class());
    tokens.insert(tokens.end(), own.begin(), own.end());
  }
  return tokens;
}

NetworkFunction DiffusionModel::with_labels(std::vector<Index> labels, const Tensor& picture) const {
  if (!conditional()) labels.clear();
  return [this, picture, labels = std::move(labels)](const Var& x, std::span<const double> t) {
    return (*this)(x, t, labels, {}, picture);
  };
}

std::vector<Index> require_fits(const DiffusionModel& model, const Dataset& data, const std::string& where) {
  if (data.sample_shape() != model.facts().sample_shape) {
    throw UsageError(where, ": has samples of shape ", data.sample_shape(), ", the model expects ",
                     model.facts().sample_shape);
  }
  if (!model.conditional()) return {};
  if (model.text_conditional()) {
    if (data.captions.empty()) throw UsageError(where, ": has no captions, which the model expects");
    try {
      return model.tokens_of(data.captions);
    } catch (const UsageError& error) {
      throw UsageError(where, ": ", error.what());
    }
  }
  return labels_among(data, where, model.facts().class_names, "the model");
}

Index samples_at_once(const Shape& sample, Index images) {
  if (sample.rank() < 3) return 16 * images;
  return std::clamp<Index>(images * 32 * 32 / std::max<Index>(1, sample[0] * sample[1]), 1, images);
}

}  // namespace reverie::inline REVERIE_PRECISION
