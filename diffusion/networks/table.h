#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "diffusion/networks/network.h"
#include "diffusion/process/prediction.h"
#include "nn/text_encoder.h"

namespace reverie::inline REVERIE_PRECISION {

/// A network by name and numbers, as in `[model]` of a configuration; `NetworkKind::keys` lists the options that each
/// network reads.
struct NetworkOptions {
  std::string network = "unet";
  Index channels = 32;
  std::vector<double> channel_mult = {1, 2, 2};
  Index num_res_blocks = 2;
  std::vector<Index> attention_resolutions = {14};
  Index num_heads = 4, num_head_channels = -1;
  bool scale_shift_norm = true, conv_resample = true, resblock_updown = false, new_attention_order = false;
  double dropout = 0;
  Index hidden = 128, depth = 3;
  Index patch_size = 2, frequency_dim = 256;
  double mlp_ratio = 4;
  bool class_conditional = false, text_conditional = false;
  Index text_width = 64, text_depth = 2, text_heads = 4;
  Index low_resolution = 0;  ///< see DiffusionModel::low_resolution
};

/// The options of a network, and the sizes that the data and the process require.
struct NetworkRequest {
  const NetworkOptions& options;
  Shape sample_shape;
  Index out_channels;  ///< twice those of the samples if the variance is learned
  Index num_classes;   ///< rows of the class table, 0 for none
  TextEncoderOptions text;
  std::uint64_t seed;

  /// Of the network's input: those of a sample, and of its picture in a low resolution.
  Index channels() const { return sample_shape[-1] * (options.low_resolution > 0 ? 2 : 1); }
};

/// A row of the table of networks.
struct NetworkKind {
  const char* name;
  const char* summary;
  int sample_rank;                               ///< 3: images; 1: points
  std::vector<const char*> keys;                 ///< the options that it reads
  void (*check)(const NetworkOptions& options);  ///< throws UsageError for values that suit no data
  std::unique_ptr<Network> (*make)(const NetworkRequest& request);
};

std::span<const NetworkKind> networks();
/// Looks up by name; throws UsageError listing the valid names.
const NetworkKind& find_network(const std::string& name);

/// Builds the network that the options describe, for data of this shape. `null_class` adds a last row for "none" to its
/// class table (or of its table of tokens), which training with label dropout requires. Throws UsageError if options
/// and data don't go together: a U-Net for points, classes without labels, an image size that can't be halved, ...
std::unique_ptr<Network> make_network(const NetworkOptions& options, const DataFacts& facts, VarianceType variance,
                                      bool null_class, std::uint64_t seed);

}  // namespace reverie::inline REVERIE_PRECISION
