#include "apps/describe.h"

#include <algorithm>
#include <iomanip>
#include <numeric>

#include "data/image_set.h"
#include "data/point_set.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

template <class... Parts>
std::string line(const char* name, const Parts&... parts) {
  return printable(concat("  ", std::left, std::setw(12), name, std::setprecision(4), parts...)) + "\n";
}

std::string classes_in_words(const Dataset& data) {
  constexpr std::size_t shown = 20;
  std::vector<Index> counts(data.class_names.size());
  for (const Index label : data.labels) ++counts[label];
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, counts.size()); ++i)
    text += concat(i == 0 ? "" : ", ", data.class_names[i], " (", counts[i], ")");
  return counts.size() > shown ? concat(text, ", and ", counts.size() - shown, " more") : text;
}

std::string values_in_words(const ImageSet& images) {
  const auto [low, high] = std::minmax_element(images.images.begin(), images.images.end());
  const double sum = std::accumulate(images.images.begin(), images.images.end(), 0.0);
  return concat("from ", int{*low}, " to ", int{*high}, "; mean brightness ", std::setprecision(3),
                sum / 255 / static_cast<double>(images.images.size()));
}

std::string values_in_words(const PointSet& points) {
  const auto [low, high] = std::minmax_element(points.points.values().begin(), points.points.values().end());
  return concat("from ", *low, " to ", *high);
}

// Describes the settings that only some formulations have.
std::string in_words(const DiffusionOptions& diffusion) {
  if (diffusion.formulation == "continuous") return " that predicts " + diffusion.prediction;
  if (diffusion.formulation != "chain") return "";
  return concat(" that predicts ", diffusion.prediction, ", loss ", diffusion.loss);
}

}  // namespace

std::string describe(const StoredSet& data) {
  const auto* images = dynamic_cast<const ImageSet*>(&data);
  const auto* points = dynamic_cast<const PointSet*>(&data);
  std::string text = images ? line("image set", data.size(), " images of ", images->height, "x", images->width, ", ",
                                   images->channels, images->channels == 1 ? " channel" : " channels")
                            : line("point set", data.size(), " points in the plane");
  if (!data.name.empty()) text += line("name", data.name);
  if (!data.source.empty()) text += line("source", data.source);
  if (!data.licence.empty()) text += line("licence", data.licence);
  text += data.labels.empty() ? line("classes", "none")
                              : line("classes", data.class_names.size(), ": ", classes_in_words(data));
  if (images && !images->captions.empty()) text += line("captions", images->captions.size());
  if (images && !images->masks.empty()) text += line("masks", "one per image");
  return text + line("values", images ? values_in_words(*images) : values_in_words(*points));
}

std::string describe(const Classifier& classifier) {
  std::string classes;
  for (const std::string& name : classifier.data.class_names) classes += (classes.empty() ? "" : ", ") + name;
  return line("classifier", "for samples of shape ", classifier.data.sample_shape, ", ",
              classifier.parameters.element_count(), " parameters") +
         line("classes", classes) + line("trained", classifier.source) +
         line("for", classifier.noisy ? "guidance (images at any noise level)" : "evaluation (clean images)");
}

std::string in_words(const StateDict& dict) {
  Index elements = 0;
  std::map<std::string, Index> types;
  for (const auto& [name, tensor] : dict.tensors) {
    elements += tensor.shape.size();
    ++types[info(tensor.dtype).name];
  }
  std::string text;
  for (const auto& [type, count] : types) text += concat(text.empty() ? "" : ", ", count, " ", type);
  return concat(dict.tensors.size(), " tensors (", text, "), ", elements, " numbers");
}

std::string describe(const StateDict& dict, bool all) {
  std::string text = line("state dict", in_words(dict));
  for (const auto& [key, value] : dict.metadata) {
    const std::size_t end = value.find('\n');
    text += line(key.c_str(), " ", value.substr(0, end), end == std::string::npos ? "" : " ...");
  }
  if (!all) return text + "  (--all lists the tensors)\n";
  for (const auto& [name, tensor] : dict.tensors)
    text += concat("  ", printable(name), "  ", info(tensor.dtype).name, " ", tensor.shape, "\n");
  return text;
}

std::string describe(const Checkpoint& checkpoint, bool all) {
  const Config& config = checkpoint.config;
  std::string text =
      line("checkpoint", "after step ", checkpoint.state.step, " of ", config.train.steps, ", format version ",
           Checkpoint::version) +
      line("data", config.data.train, ", samples of shape ", checkpoint.data.sample_shape, ", ",
           checkpoint.data.class_names.size(), " classes") +
      line("model", config.model.network,
           config.model.class_conditional  ? " (by class)"
           : config.model.text_conditional ? " (by caption)"
                                           : "",
           config.model.low_resolution > 0 ? concat(", enlarges pictures by a factor of ", config.model.low_resolution)
                                           : "",
           ", ", config.diffusion.formulation, in_words(config.diffusion)) +
      line("chain", config.diffusion.schedule, ", ", config.diffusion.steps, " steps, variance ",
           config.diffusion.variance);
  for (const auto& [group, tensors] : checkpoint.state.tensors) {
    Index elements = 0;
    for (const auto& [name, tensor] : tensors) elements += tensor.size();
    text += line("tensors", std::left, std::setw(14), group, tensors.size(), " tensors, ", elements, " numbers");
  }
  if (all) {
    for (const auto& [group, tensors] : checkpoint.state.tensors)
      for (const auto& [name, tensor] : tensors)
        text += concat("  ", printable(group + "/" + name), "  ", tensor.shape(), "\n");
  }
  text += all ? "" : "  (--all lists the tensors)\n";
  return text + "\n" + config_text(config);
}

}  // namespace reverie::inline REVERIE_PRECISION
