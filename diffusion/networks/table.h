#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "diffusion/model/config.h"
#include "diffusion/networks/network.h"

namespace reverie::inline REVERIE_PRECISION {

/// What a network has to know of the data.
struct DataFacts {
  Shape sample_shape;                    ///< [H,W,C] or [C]
  std::vector<std::string> class_names;  ///< empty where the data has no labels
};

/// What a configuration and the data ask of a network.
struct NetworkRequest {
  const Config::Model& config;
  Shape sample_shape;
  Index out_channels;  ///< more than the samples have where the variance is learned
  Index num_classes;   ///< rows of the class table, 0 for none
  std::uint64_t seed;

  Index channels() const { return sample_shape[-1]; }
};

/// A line of the table of networks.
struct NetworkKind {
  const char* name;
  const char* summary;
  int sample_rank;                             ///< 3: learns images; 1: points
  std::vector<const char*> keys;               ///< of the configuration's section `model`, those that it reads
  void (*check)(const Config::Model& config);  ///< throws UsageError for values that can't be, whatever the data
  std::unique_ptr<Network> (*make)(const NetworkRequest& request);
};

std::span<const NetworkKind> networks();
/// By name. Throws UsageError, listing what there is, for another.
const NetworkKind& find_network(const std::string& name);

/// The network that a configuration describes, for data of this shape. Its class table has a row for "none" (the last)
/// where training hides labels (`train.label_dropout`). Throws UsageError where configuration and data do not go
/// together: a U-Net for points, classes without labels, an image size that can't be halved, ...
std::unique_ptr<Network> make_network(const Config& config, const DataFacts& data);

}  // namespace reverie::inline REVERIE_PRECISION
