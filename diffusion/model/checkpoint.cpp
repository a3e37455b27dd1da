#include "diffusion/model/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "data/atomic_file.h"
#include "data/hdf5.h"
#include "tensor/decimal.h"
#include "tensor/finite.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

constexpr const char* format = "reverie checkpoint";

bool has_format(const Hdf5File& file) {
  return file.has_attribute("/", "format") && file.attribute_is_string("/", "format") &&
         file.read_string_attribute("/", "format") == format;
}

// The group that a tensor of this path belongs to: `weights`, `timestep_sampler`, or `ema/X` and `optimizer/X`. Empty
// for other datasets.
std::string group_of(const std::string& path) {
  for (const char* group : {"weights/", "timestep_sampler/"})
    if (path.starts_with(group)) return path.substr(0, path.find('/'));
  for (const char* groups : {"ema/", "optimizer/"}) {
    const auto end = path.find('/', std::string(groups).size());
    if (path.starts_with(groups) && end != std::string::npos) return path.substr(0, end);
  }
  return "";
}

// Older versions named the averages by six digits of their rates.
void rename_averages(Checkpoint& checkpoint) {
  auto& tensors = checkpoint.state.tensors;
  const std::vector<double>& rates = checkpoint.config.train.ema_rates;
  for (const double rate : rates) {
    const std::string old_name = concat("ema/", rate);
    if (std::any_of(rates.begin(), rates.end(), [&](double other) { return ema_group(other) == old_name; })) continue;
    auto older = tensors.extract(old_name);
    if (older.empty()) continue;
    older.key() = ema_group(rate);
    tensors.insert(std::move(older));
  }
}

}  // namespace

std::string ema_group(double rate) { return "ema/" + decimal(rate); }

TensorMap named(const ParameterStore& parameters, const TensorList& tensors) {
  TensorMap map;
  for (const Parameter& p : parameters.all()) map[p.name] = tensors.at(static_cast<std::size_t>(p.slot));
  return map;
}

TensorList in_order(const TensorMap& map, const std::string& group, const ParameterStore& parameters,
                    const std::string& origin) {
  TensorList list;
  for (const Parameter& p : parameters.all()) {
    const auto tensor = map.find(p.name);
    if (tensor == map.end()) throw Error(origin, ": `", group, "` lacks ", p.name, "; is it from another network?");
    if (tensor->second.shape() != p.value.shape()) {
      throw Error(origin, ": `", group, "/", p.name, "` has shape ", tensor->second.shape(), ", the network expects ",
                  p.value.shape());
    }
    require_finite(concat(origin, ": is damaged: `", group, "/", p.name, "`"), tensor->second);
    list.push_back(tensor->second);
  }
  for (const auto& [name, tensor] : map) {
    if (parameters.find(name) == nullptr)
      throw Error(origin, ": `", group, "` has ", name, ", which the network lacks");
  }
  return list;
}

TensorList TrainingState::in_order(const std::string& group, const ParameterStore& parameters,
                                   const std::string& origin) const {
  const auto found = tensors.find(group);
  if (found == tensors.end()) throw Error(origin, ": has no group `", group, "`");
  return reverie::in_order(found->second, group, parameters, origin);
}

void write_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  write_atomically(path, [&](const std::string& temporary) {
    Hdf5File file = Hdf5File::create(temporary);
    file.write_attribute("/", "format", format);
    file.write_attribute("/", "version", Checkpoint::version);
    file.write_attribute("/", "step", checkpoint.state.step);
    file.write_attribute("/", "updates", checkpoint.state.updates);
    if (!checkpoint.state.data.empty()) file.write_attribute("/", "data", checkpoint.state.data);
    file.write_attribute("/", "config", config_text(checkpoint.config));
    const Shape& shape = checkpoint.data.sample_shape;
    file.write_int64("sample_shape", {shape.rank()}, std::vector<Index>(shape.begin(), shape.end()));
    file.write_attribute("/", "class_names", checkpoint.data.class_names);
    if (!checkpoint.data.tokenizer.empty()) {
      file.write_strings("words", checkpoint.data.tokenizer.words());
      file.write_attribute("words", "caption_length", checkpoint.data.tokenizer.length());
    }
    for (const auto& [group, tensors] : checkpoint.state.tensors) {
      for (const auto& [name, tensor] : tensors) file.write_tensor(group + "/" + name, tensor);
    }
    for (const auto& [name, value] : checkpoint.log) file.write_attribute("/", "log." + name, value);
    file.write_checksum("/");  // last, so that it covers all attributes
    file.close();
  });
}

bool is_checkpoint(const std::string& path) { return Hdf5File::is_hdf5(path) && has_format(Hdf5File::open(path)); }

Checkpoint read_checkpoint(const std::string& path) {
  const Hdf5File file = Hdf5File::open(path);
  if (!has_format(file)) throw Error(path, ": is not a reverie checkpoint");
  const Index version = file.read_int_attribute("/", "version");
  if (version != Checkpoint::version) {
    throw Error(path, ": is a checkpoint of version ", version, "; this program reads version ", Checkpoint::version);
  }
  file.require_checksum("/");
  Checkpoint checkpoint;
  checkpoint.state.step = file.read_int_attribute("/", "step");
  checkpoint.state.updates = file.read_int_attribute("/", "updates");
  if (file.has_attribute("/", "data")) checkpoint.state.data = file.read_string_attribute("/", "data");
  checkpoint.config = parse_config(file.read_string_attribute("/", "config"), path);
  checkpoint.data.sample_shape = Shape(file.read_int64("sample_shape"));
  checkpoint.data.class_names = file.read_strings_attribute("/", "class_names");
  if (file.has("words")) {
    checkpoint.data.tokenizer =
        Tokenizer(file.read_strings("words"), file.read_int_attribute("words", "caption_length"));
  }
  for (const std::string& name : file.datasets("/")) {
    const std::string group = group_of(name);
    if (group.empty()) continue;
    checkpoint.state.tensors[group][name.substr(group.size() + 1)] = file.read_tensor(name);
  }
  for (const std::string& name : file.attributes("/")) {
    if (name.starts_with("log.")) checkpoint.log[name.substr(4)] = file.read_double_attribute("/", name);
  }
  rename_averages(checkpoint);
  return checkpoint;
}

DiffusionModel model_of(const Checkpoint& checkpoint, const std::string& weights, const std::string& origin) {
  std::string group = "weights";
  if (weights == "ema" && !checkpoint.config.train.ema_rates.empty()) {
    group = ema_group(checkpoint.config.train.ema_rates.front());
  } else if (weights.starts_with("ema:")) {
    double rate = 0;  // any text of the number
    const char *begin = weights.data() + 4, *end = weights.data() + weights.size();
    const bool number = std::from_chars(begin, end, rate) == std::from_chars_result{end, std::errc()};
    group = number ? ema_group(rate) : "ema/" + weights.substr(4);
  } else if (weights != "raw") {
    throw UsageError("unknown weights \"", weights, "\"; there are raw, ema and ema:RATE");
  }
  if (!checkpoint.state.tensors.contains(group)) throw UsageError(origin, ": has no weights `", group, "`");
  DiffusionModel model = build_model(checkpoint.config, checkpoint.data);
  model.network().parameters.exchange(checkpoint.state.in_order(group, model.network().parameters, origin));
  return model;
}

}  // namespace reverie::inline REVERIE_PRECISION
