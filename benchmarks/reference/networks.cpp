#include "benchmarks/reference/networks.h"

#include "benchmarks/reference/kinds.h"
#include "diffusion/networks/dit.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

void run_timestep_embedding(Case& c) {
  c.output("embedding", timestep_embedding(c.number_input("t"), c.integer("dim"), c.number("max_period")));
}

/// Outputs `out` and the gradients of sum(out * grad_out).
void run_network(Case& c, const Network& network) {
  c.load_weights(network.parameters);
  const std::vector<Index> labels = c.has_input("y") ? c.integer_input("y") : std::vector<Index>{};
  Tape tape;
  const Var x = tape.variable(c.image("x"));
  const Var out = network(x, c.number_input("t"), labels, Mode{});
  TensorList gradients = network.parameters.zeros_like();
  tape.backward(out, c.image("grad_out"), gradients);
  c.output_image("out", out.value());
  c.output_image("grad_x", tape.gradient(x));
  for (const Parameter& parameter : network.parameters.all()) {
    c.output("grad/" + parameter.name, gradients[parameter.slot]);
  }
}

void run_unet(Case& c) { run_network(c, UNet(read_unet(c), 0)); }

void run_dit(Case& c) {
  run_network(c, Dit({.in_channels = c.integer("in_channels"),
                      .out_channels = c.integer("out_channels"),
                      .patch_size = c.integer("patch_size"),
                      .hidden = c.integer("hidden_size"),
                      .depth = c.integer("depth"),
                      .num_heads = c.integer("num_heads"),
                      .mlp_ratio = c.number("mlp_ratio"),
                      .num_classes = c.integer("num_classes", 0),
                      .frequency_dim = c.integer("frequency_dim")},
                     0));
}

}  // namespace

UNetOptions read_unet(const Case& c) {
  return {
      .in_channels = c.integer("in_channels"),
      .out_channels = c.integer("out_channels"),
      .model_channels = c.integer("model_channels"),
      .channel_mult = c.numbers("channel_mult"),
      .num_res_blocks = c.integer("num_res_blocks"),
      .attention_rates = c.integers("attention_resolutions"),
      .num_heads = c.integer("num_heads"),
      .num_head_channels = c.integer("num_head_channels", -1),
      .use_scale_shift_norm = c.flag("use_scale_shift_norm"),
      .conv_resample = c.integer("conv_resample", 1) != 0,
      .resblock_updown = c.integer("resblock_updown", 0) != 0,
      .qkv_order = c.integer("use_new_attention_order", 0) != 0 ? QkvOrder::q_then_k_then_v : QkvOrder::head_by_head,
      .num_classes = c.integer("num_classes", 0)};
}

Kinds network_kinds() {
  return {
      {"timestep_embedding", run_timestep_embedding}, {"unet", run_unet}, {"unet_guided", run_unet}, {"dit", run_dit}};
}

}  // namespace reverie::inline REVERIE_PRECISION
