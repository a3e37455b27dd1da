#include "diffusion/model/conversion.h"

#include <algorithm>
#include <cmath>

#include "diffusion/process/timestep_sampler.h"
#include "nn/optimizer.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// "module." if the dict's names are the network's with that prefix, which PyTorch's wrappers add.
std::string prefix_of(const StateDict& dict, const ParameterStore& parameters) {
  const std::string& wanted = parameters.all().front().name;
  for (const auto& [name, tensor] : dict.tensors)
    if (name.size() > wanted.size() && name.ends_with(wanted)) return name.substr(0, name.size() - wanted.size());
  return "";
}

// Checks that a given fixed tensor equals the one that the network computes, up to rounding.
void require_constant(const Tensor& given, const Tensor& own, const std::string& name, const std::string& origin) {
  constexpr double rounding = 1e-5;  // sines and cosines computed in float
  bool same = given.shape() == own.shape();
  for (Index i = 0; same && i < own.size(); ++i)
    same = std::abs(static_cast<double>(given[i]) - static_cast<double>(own[i])) <= rounding;
  if (same) return;
  throw Error(origin, ": `", name, "` ", given.shape(), " is not what the network computes in its place, ", own.shape(),
              ": was it trained, or for images of another size?");
}

}  // namespace

StateDict state_dict_of(const Checkpoint& checkpoint, const std::string& weights, const std::string& origin) {
  const DiffusionModel model = model_of(checkpoint, weights, origin);
  StateDict dict;
  for (const Parameter& p : model.network().parameters.all()) dict.tensors[p.name] = to_stored(p.value);
  for (const auto& [name, tensor] : model.network().constants(checkpoint.data.sample_shape))
    dict.tensors[name] = to_stored(tensor);
  dict.metadata = {{"format", "pt"},
                   {"source", printable(concat(origin, " (step ", checkpoint.state.step, ", weights ", weights, ")"))},
                   {"config", config_text(checkpoint.config)}};
  return dict;
}

Checkpoint checkpoint_with(const StateDict& dict, const Config& config, const DataFacts& data,
                           const std::string& origin, Rounding rounding) {
  const DiffusionModel model = build_model(config, data);
  const ParameterStore& parameters = model.network().parameters;
  const auto constants = model.network().constants(data.sample_shape);
  const std::string prefix = prefix_of(dict, parameters);
  if (!prefix.empty() && !dict.tensors.contains(parameters.all().front().name)) {
    throw UsageError(origin, ": the names begin with `", prefix, "`, the network's don't; --prefix ", prefix,
                     " takes that away");
  }
  TensorMap weights;
  for (const auto& [name, stored] : dict.tensors) {
    try {
      Tensor tensor = to_tensor(stored, name, rounding);
      if (const auto own = constants.find(name); own != constants.end()) {
        require_constant(tensor, own->second, name, origin);
      } else {
        const auto values = tensor.values();
        if (!std::all_of(values.begin(), values.end(), [](real v) { return std::isfinite(v); }))
          throw Error(origin, ": `", name, "` has values that are not finite");
        weights[name] = std::move(tensor);
      }
    } catch (const InexactError& error) {
      throw Error(origin, ": ", error.what(), "; --round takes the nearest");
    }
  }
  const TensorList values = in_order(weights, "state dict", parameters, origin);
  Checkpoint checkpoint{.config = config, .data = data, .state = {}};
  checkpoint.state.tensors["weights"] = weights;
  for (const double rate : config.train.ema_rates) checkpoint.state.tensors[ema_group(rate)] = weights;
  if (TensorMap state = make_timestep_sampler(config.train.timestep_sampler, config.diffusion.steps,
                                              config.train.timestep_sampler_parameters)
                            ->state();
      !state.empty())
    checkpoint.state.tensors["timestep_sampler"] = std::move(state);
  const Optimizer optimizer(config.train.optimizer, parameters);
  for (const char* moment : Optimizer::moments) {
    const TensorList& list = optimizer.moment(moment);
    if (!list.empty()) checkpoint.state.tensors[concat("optimizer/", moment)] = named(parameters, list);
  }
  return checkpoint;
}

StateDict without_prefix(const StateDict& dict, const std::string& prefix, const std::string& origin) {
  StateDict rest{{}, dict.metadata};
  for (const auto& [name, tensor] : dict.tensors)
    if (name.size() > prefix.size() && name.starts_with(prefix)) rest.tensors[name.substr(prefix.size())] = tensor;
  if (!rest.tensors.empty()) return rest;
  throw UsageError(origin, ": no name begins with `", prefix, "`",
                   dict.tensors.empty() ? "; there are no tensors" : "; there is " + dict.tensors.begin()->first);
}

}  // namespace reverie::inline REVERIE_PRECISION
