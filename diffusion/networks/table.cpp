#include "diffusion/networks/table.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iomanip>
#include <numeric>

#include "diffusion/networks/dit.h"
#include "diffusion/networks/mlp.h"
#include "diffusion/networks/unet.h"
#include "diffusion/tables/options.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

using NetworkPtr = std::unique_ptr<Network>;

constexpr Index widest = 65536, deepest = 1000;

// Throws UsageError that lists the divisors up to 256 unless `value` divides `size`, the number of `what`.
void require_divisor(const char* key, Index value, Index size, const std::string& what) {
  if (value > 0 && size % value == 0) return;
  std::string divisors;
  for (Index d = 1; d <= std::min<Index>(size, 256); ++d)
    if (size % d == 0) divisors += (divisors.empty() ? "" : ", ") + std::to_string(d);
  require_option(false, key, concat("must divide ", what, "; it is ", value, ", and these fit: ", divisors));
}

// Keeps a network that can't be held in memory from being built; the estimate may be wrong by a factor of two.
void require_size(double parameters, const char* keys) {
  constexpr double most = 4e9;
  if (parameters <= most) return;
  throw UsageError("config: the network would have about ", std::setprecision(2), parameters, " parameters, more than ",
                   most, "; smaller values of ", keys, " help");
}

void check_unet(const NetworkOptions& m) {
  require_range("model.channels", m.channels, 32, widest);
  require_option(m.channels % 32 == 0, "model.channels", "must be a multiple of 32");
  const auto fits = [&](double multiple) {
    const double channels = multiple * static_cast<double>(m.channels);
    return channels >= 32 && channels <= widest && std::fmod(channels, 32) == 0;
  };
  require_option(!m.channel_mult.empty() && std::all_of(m.channel_mult.begin(), m.channel_mult.end(), fits),
                 "model.channel_mult", concat("times `model.channels` must give multiples of 32, at most ", widest));
  require_option(m.channel_mult.size() <= 16, "model.channel_mult", "has more than 16 levels");
  require_range("model.num_res_blocks", m.num_res_blocks, 1, deepest);
  require_option(m.num_heads > 0, "model.num_heads", "must be at least 1");
  require_option(m.num_head_channels == -1 || m.num_head_channels > 0, "model.num_head_channels",
                 concat("is ", m.num_head_channels, "; it must be at least 1, or -1 to use model.num_heads"));
  double squares = 0;  // of the channels; a residual block has two convolutions of 3 x 3
  for (const double multiple : m.channel_mult) squares += std::pow(multiple * static_cast<double>(m.channels), 2);
  require_size(squares * 18 * static_cast<double>(2 * m.num_res_blocks + 1),
               "model.channels, model.channel_mult or model.num_res_blocks");
  require_option(m.dropout >= 0 && m.dropout < 1, "model.dropout", "must be in [0, 1)");
}

// Throws UsageError, naming what would fit, for images that can't be halved so often.
[[noreturn]] void refuse_size(Index height, Index width, Index halvings) {
  const Index multiple = Index{1} << halvings;
  const auto below = [&](Index side) { return std::max(side / multiple * multiple, multiple); };
  const auto above = [&](Index side) { return (side + multiple - 1) / multiple * multiple; };
  const Index levels = 1 + std::countr_zero(static_cast<std::uint64_t>(height | width));
  throw UsageError("config: images of ", height, "x", width, " can't be halved ", halvings,
                   " times (`model.channel_mult` has ", halvings + 1, " levels); images of ", below(height), "x",
                   below(width), " or ", above(height), "x", above(width), " would fit, or ",
                   levels == 1 ? "a single level" : concat("at most ", levels, " levels"));
}

NetworkPtr make_unet(const NetworkRequest& request) {
  const NetworkOptions& m = request.options;
  const Index height = request.sample_shape[0], width = request.sample_shape[1];
  const Index halvings = static_cast<Index>(m.channel_mult.size()) - 1, multiple = Index{1} << halvings;
  if (height % multiple != 0 || width % multiple != 0) refuse_size(height, width, halvings);
  UNetOptions o{.in_channels = request.channels(),
                .out_channels = request.out_channels,
                .model_channels = m.channels,
                .channel_mult = m.channel_mult,
                .num_res_blocks = m.num_res_blocks,
                .attention_rates = {},
                .num_heads = m.num_heads,
                .num_head_channels = m.num_head_channels,
                .use_scale_shift_norm = m.scale_shift_norm,
                .conv_resample = m.conv_resample,
                .resblock_updown = m.resblock_updown,
                .qkv_order = m.new_attention_order ? QkvOrder::q_then_k_then_v : QkvOrder::head_by_head,
                .num_classes = request.num_classes,
                .text = request.text,
                .dropout = m.dropout};
  for (const Index resolution : m.attention_resolutions) {
    Index rate = 1;
    while (rate <= multiple && height / rate != resolution) rate *= 2;
    if (rate > multiple) {
      std::string heights, images;
      for (rate = 1; rate <= multiple; rate *= 2) {
        heights += concat(rate == 1 ? "" : ", ", height / rate);
        images += concat(rate == 1 ? "" : ", ", resolution * rate);
      }
      throw UsageError("config: `model.attention_resolutions` has ", resolution, ", but this network sees images of ",
                       height, "x", width, " only at heights of ", heights, ": choose among them, e.g. [",
                       height / multiple, "]; ", resolution, " would fit images with a height of ", images);
    }
    o.attention_rates.push_back(rate);
  }
  Index channels = o.width(halvings);  // common divisor of the channels of all attention blocks; the middle has one
  for (const Index rate : o.attention_rates)
    channels = std::gcd(channels, o.width(std::countr_zero(static_cast<std::uint64_t>(rate))));
  const bool by_channels = m.num_head_channels > 0;
  require_divisor(by_channels ? "model.num_head_channels" : "model.num_heads",
                  by_channels ? m.num_head_channels : m.num_heads, channels,
                  concat("the ", channels, " channels of attention blocks"));
  return std::make_unique<UNet>(o, request.seed);
}

void check_dit(const NetworkOptions& m) {
  require_range("model.hidden", m.hidden, 4, widest);
  require_option(m.hidden % 4 == 0, "model.hidden", "must be a multiple of 4");
  require_range("model.depth", m.depth, 1, deepest);
  require_option(m.patch_size > 0, "model.patch_size", "must be at least 1");
  const double mlp_width = m.mlp_ratio * static_cast<double>(m.hidden);
  require_option(mlp_width >= 1 && mlp_width <= widest, "model.mlp_ratio",
                 concat("times `model.hidden` must be from 1 to ", widest));
  require_range("model.frequency_dim", m.frequency_dim, 2, widest);
  require_divisor("model.num_heads", m.num_heads, m.hidden, concat("the ", m.hidden, " channels"));
  const double hidden = static_cast<double>(m.hidden);
  require_size(static_cast<double>(m.depth) * hidden * (10 * hidden + 2 * mlp_width),
               "model.hidden, model.depth or model.mlp_ratio");
}

NetworkPtr make_dit(const NetworkRequest& request) {
  const NetworkOptions& m = request.options;
  const Index height = request.sample_shape[0], width = request.sample_shape[1];
  require_divisor("model.patch_size", m.patch_size, std::gcd(height, width),
                  concat("the height and width of ", height, "x", width, " images, cut into patches of ", m.patch_size,
                         "x", m.patch_size));
  return std::make_unique<Dit>(DitOptions{.in_channels = request.channels(),
                                          .out_channels = request.out_channels,
                                          .patch_size = m.patch_size,
                                          .hidden = m.hidden,
                                          .depth = m.depth,
                                          .num_heads = m.num_heads,
                                          .mlp_ratio = m.mlp_ratio,
                                          .num_classes = request.num_classes,
                                          .text = request.text,
                                          .frequency_dim = m.frequency_dim},
                               request.seed);
}

void check_mlp(const NetworkOptions& m) {
  require_range("model.hidden", m.hidden, 1, widest);
  require_range("model.depth", m.depth, 1, deepest);
  const double hidden = static_cast<double>(m.hidden);
  require_size(static_cast<double>(m.depth) * 2 * hidden * hidden, "model.hidden or model.depth");
}

NetworkPtr make_mlp(const NetworkRequest& request) {
  return std::make_unique<Mlp>(MlpOptions{.in_channels = request.channels(),
                                          .out_channels = request.out_channels,
                                          .hidden = request.options.hidden,
                                          .depth = request.options.depth,
                                          .num_classes = request.num_classes},
                               request.seed);
}

const char* learns(int sample_rank) { return sample_rank == 3 ? "images" : "points"; }

}  // namespace

std::span<const NetworkKind> networks() {
  static const std::vector<NetworkKind> table = {
      {"unet",
       "the U-Net of improved- and guided-diffusion",
       3,
       {"channels", "channel_mult", "num_res_blocks", "attention_resolutions", "num_heads", "num_head_channels",
        "scale_shift_norm", "conv_resample", "resblock_updown", "new_attention_order", "dropout"},
       check_unet,
       make_unet},
      {"dit",
       "a transformer on patches",
       3,
       {"patch_size", "hidden", "depth", "num_heads", "mlp_ratio", "frequency_dim"},
       check_dit,
       make_dit},
      {"mlp", "a multilayer perceptron", 1, {"hidden", "depth"}, check_mlp, make_mlp}};
  return table;
}

const NetworkKind& find_network(const std::string& name) { return find_line("network", networks(), name); }

NetworkPtr make_network(const NetworkOptions& options, const DataFacts& facts, VarianceType variance, bool null_class,
                        std::uint64_t seed) {
  const NetworkKind& kind = find_network(options.network);
  if (options.class_conditional && facts.class_names.empty()) {
    throw UsageError("config: `model.class_conditional` is true, but the data has no labels");
  }
  if (options.text_conditional && facts.tokenizer.empty()) {
    throw UsageError("config: `model.text_conditional` is true, but the data has no captions");
  }
  if (facts.sample_shape.rank() != kind.sample_rank) {
    std::string others;
    for (const NetworkKind& other : networks())
      if (other.sample_rank == facts.sample_shape.rank())
        others += (others.empty() ? "" : " or ") + std::string(other.name);
    throw UsageError("config: `model.network` is ", kind.name, ", which learns ", learns(kind.sample_rank),
                     "; samples of shape ", facts.sample_shape, " need ", others);
  }
  if (const Index factor = options.low_resolution; factor > 0) {
    require_divisor("model.low_resolution", factor, std::gcd(facts.sample_shape[0], facts.sample_shape[1]),
                    concat("the height and width of ", facts.sample_shape[0], "x", facts.sample_shape[1], " images"));
  }
  const Index none = null_class ? 1 : 0;
  TextEncoderOptions text;
  if (options.text_conditional) {
    text = {.tokens = facts.tokenizer.size() + none,
            .length = facts.tokenizer.length(),
            .width = options.text_width,
            .depth = options.text_depth,
            .heads = options.text_heads};
  }
  return kind.make({.options = options,
                    .sample_shape = facts.sample_shape,
                    .out_channels = output_channels(facts.sample_shape[-1], variance),
                    .num_classes = options.class_conditional ? std::ssize(facts.class_names) + none : 0,
                    .text = text,
                    .seed = seed});
}

}  // namespace reverie::inline REVERIE_PRECISION
