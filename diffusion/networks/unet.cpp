#include "diffusion/networks/unet.h"

#include <algorithm>

namespace reverie::inline REVERIE_PRECISION {

Index UNetOptions::width(Index level) const {
  const double channels = channel_mult.at(static_cast<std::size_t>(level)) * static_cast<double>(model_channels);
  const Index whole = static_cast<Index>(channels);
  if (channels < 32 || static_cast<double>(whole) != channels || whole % 32 != 0) {
    throw ShapeError("unet: ", model_channels, " channels times ", channel_mult[level], " are ", channels,
                     "; group norm requires a multiple of 32");
  }
  return whole;
}

UNet::UNet(const UNetOptions& options, std::uint64_t seed)
    : Network(seed, options.text.tokens > 0 ? options.text.tokens : options.num_classes, options.text.length),
      options_(options),
      embedding_(parameters.root() / "time_embed", parameters.root() / "label_emb", options.model_channels,
                 4 * options.model_channels, options.num_classes),
      first_(parameters.root() / "input_blocks" / 0 / 0, options.in_channels, options.width(0), 3, {.padding = 1}) {
  const Scope root = parameters.root();
  options_.text.pooled = 4 * options.model_channels;
  if (options.text.tokens > 0) text_.emplace(root / "text", options_.text);
  const auto attends = [&](Index rate) {
    return std::find(options.attention_rates.begin(), options.attention_rates.end(), rate) !=
           options.attention_rates.end();
  };
  const Index levels = static_cast<Index>(options.channel_mult.size());
  const auto width = [&](Index level) { return options.width(level); };

  Index channels = width(0), rate = 1;
  std::vector<Index> skips = {channels};  // channels of the skip connections
  for (Index level = 0; level < levels; ++level) {
    for (Index block = 0; block < options.num_res_blocks; ++block) {
      down_.push_back(
          stage(root / "input_blocks" / static_cast<Index>(skips.size()), channels, width(level), attends(rate)));
      skips.push_back(channels = width(level));
    }
    if (level + 1 < levels) {
      Stage& smaller = down_.emplace_back();
      add_resample(smaller, root / "input_blocks" / static_cast<Index>(skips.size()) / 0, channels, Resample::down);
      skips.push_back(channels);
      rate *= 2;
    }
  }

  middle_first_.emplace(root / "middle_block" / 0, residual(channels, channels));
  middle_attention_.emplace(stage(root / "middle_block", 0, channels, true));
  middle_last_.emplace(root / "middle_block" / 2, residual(channels, channels));

  for (Index level = levels - 1; level >= 0; --level) {
    for (Index block = 0; block <= options.num_res_blocks; ++block) {
      const Scope scope = root / "output_blocks" / static_cast<Index>(up_.size());
      const bool attend = attends(rate);
      Stage& s = up_.emplace_back(stage(scope, channels + skips.back(), width(level), attend));
      skips.pop_back();
      channels = width(level);
      if (level > 0 && block == options.num_res_blocks) {
        add_resample(s, scope / (attend ? 2 : 1), channels, Resample::up);
        rate /= 2;
      }
    }
  }
  out_norm_.emplace(root / "out" / 0, channels);
  out_.emplace(root / "out" / 2, channels, options.out_channels, 3, Conv2dOptions{.padding = 1}, zeros());
}

ResidualBlockOptions UNet::residual(Index in, Index out, Resample how) {
  return {.in = in,
          .out = out,
          .embedding = 4 * options_.model_channels,
          .scale_shift_norm = options_.use_scale_shift_norm,
          .resample = how,
          .dropout = options_.dropout,
          .dropout_id = dropout_layers_++};
}

// A residual block (none for in = 0), followed by attention if `attend`: to the other pixels, then to the caption.
UNet::Stage UNet::stage(const Scope& scope, Index in, Index out, bool attend) {
  Stage stage;
  if (in > 0) stage.residual.emplace(scope / 0, residual(in, out));
  if (attend) {
    const Index head = options_.num_head_channels;
    if (head > 0 && out % head != 0)
      throw ShapeError("unet: ", out, " channels do not divide into heads of ", head, " channels");
    const Index heads = head > 0 ? out / head : options_.num_heads;
    stage.attention.emplace(scope / 1, out, heads, options_.qkv_order);
    if (text_) stage.cross_attention.emplace(scope / "cross_attn", out, options_.text.width, heads);
  }
  return stage;
}

void UNet::add_resample(Stage& stage, const Scope& scope, Index channels, Resample how) {
  if (options_.resblock_updown) {
    stage.resample_residual.emplace(scope, residual(channels, channels, how));
    return;
  }
  stage.resample = how;
  if (!options_.conv_resample) return;
  const Index stride = how == Resample::down ? 2 : 1;
  stage.resample_conv.emplace(scope / (how == Resample::down ? "op" : "conv"), channels, channels, 3,
                              Conv2dOptions{.stride = stride, .padding = 1});
}

Var UNet::run(const Stage& stage, Var h, const Var& embedding, const Var& text, const Mode& mode) const {
  if (stage.residual) h = (*stage.residual)(h, embedding, mode);
  if (stage.attention) h = (*stage.attention)(h);
  if (stage.cross_attention) h = (*stage.cross_attention)(h, text);
  if (stage.resample_residual) return (*stage.resample_residual)(h, embedding, mode);
  if (stage.resample == Resample::down && stage.resample_conv) return (*stage.resample_conv)(h);  // strided
  h = resample(h, stage.resample);
  return stage.resample_conv ? (*stage.resample_conv)(h) : h;
}

Var UNet::operator()(const Var& x, std::span<const double> t, std::span<const Index> labels, const Mode& mode) const {
  const Index multiple = Index{1} << (options_.channel_mult.size() - 1);
  if (x.rank() != 4 || x.extent(3) != options_.in_channels) {
    throw ShapeError("unet: input ", x.shape(), ", expects [N,H,W,", options_.in_channels, "]");
  }
  if (x.extent(1) % multiple != 0 || x.extent(2) % multiple != 0) {
    throw ShapeError("unet: images of ", x.extent(1), "x", x.extent(2), " can't be halved ",
                     options_.channel_mult.size() - 1, " times; height and width must be multiples of ", multiple);
  }
  Var embedding = embedding_(t, text_ ? std::span<const Index>{} : labels, x), text;
  if (text_) {
    text = (*text_)(labels, x);
    embedding = embedding + text_->summary(text);
  }
  Var h = first_(x);
  std::vector<Var> skips = {h};
  for (const Stage& stage : down_) skips.push_back(h = run(stage, h, embedding, text, mode));
  h = (*middle_first_)(h, embedding, mode);
  h = run(*middle_attention_, h, embedding, text, mode);
  h = (*middle_last_)(h, embedding, mode);
  for (const Stage& stage : up_) {
    h = run(stage, concat({h, skips.back()}, -1), embedding, text, mode);
    skips.pop_back();
  }
  return (*out_)(out_norm_->then_silu(h));
}

}  // namespace reverie::inline REVERIE_PRECISION
