#include "diffusion/model/conversion.h"

#include <doctest/doctest.h>

#include <cstring>

#include "autograd/ops.h"
#include "data/hdf5.h"
#include "data/image_set.h"
#include "tests/diffusion/configured_trainer.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

Config small_unet() {
  Config config;
  config.model.channel_mult = {1, 2};
  config.model.num_res_blocks = 1;
  config.model.attention_resolutions = {};
  config.diffusion.steps = 50;
  config.train.ema_rates = {0.9, 0.99};
  return config;
}

const DataFacts images{{8, 8, 1}, {}};

// A state dict of what the configuration describes, with weights that are not those of any start.
StateDict weights_for(const Config& config, const DataFacts& data = images) {
  const DiffusionModel model = build_model(config, data);
  StateDict dict;
  std::uint32_t channel = 0;
  for (const Parameter& p : model.network().parameters.all())
    dict.tensors[p.name] = to_stored(noise(p.value.shape(), channel++));
  return dict;
}

std::string refusal(const StateDict& dict, const Config& config = small_unet(), const DataFacts& data = images) {
  return error_of([&] { checkpoint_with(dict, config, data, "x.safetensors"); });
}

}  // namespace

TEST_CASE("a state dict becomes a checkpoint, and the checkpoint's weights are it again, to the bit") {
  const TemporaryFolder folder;
  const StateDict dict = weights_for(small_unet());
  write_checkpoint(folder / "x.h5", checkpoint_with(dict, small_unet(), images, "x"));
  CHECK(is_checkpoint(folder / "x.h5"));
  const Checkpoint checkpoint = read_checkpoint(folder / "x.h5");
  CHECK(checkpoint.state.step == 0);
  for (const std::string weights : {"raw", "ema", "ema:0.99"}) {
    const StateDict back = state_dict_of(checkpoint, weights, folder / "x.h5");
    CHECK(back.tensors == dict.tensors);
    CHECK(back.metadata.at("format") == "pt");
    CHECK(contains(back.metadata.at("source"), "weights " + weights));
    CHECK(contains(back.metadata.at("config"), "num_res_blocks = 1"));
  }
  CHECK(contains(error_of([&] { state_dict_of(checkpoint, "ema:0.5", "x.h5"); }), "x.h5: has no weights `ema/0.5`"));
}

TEST_CASE("a network with loaded weights gives what the network that they came from gives") {
  const Config config = small_unet();
  const StateDict dict = weights_for(config);
  DiffusionModel from = build_model(config, images);
  TensorList values;
  for (const Parameter& p : from.network().parameters.all())
    values.push_back(to_tensor(dict.tensors.at(p.name), p.name));
  from.network().parameters.exchange(values);
  const DiffusionModel to = model_of(checkpoint_with(dict, config, images, "x"), "ema", "x");
  const double t[] = {3, 40};
  const Tensor x = noise({2, 8, 8, 1});
  CHECK(difference(to(x, t, {}), from(x, t, {})) == 0);
}

TEST_CASE("training goes on from a converted checkpoint") {
  Config config = small_unet();
  config.train.batch_size = 2;
  config.train.timestep_sampler = "loss_second_moment";
  const ImageSet data = ImageSet::from(noise({4, 8, 8, 1}));
  const Checkpoint start = checkpoint_with(weights_for(config), config, images, "x");
  ConfiguredTrainer trainer(config, data, start, "x");
  CHECK(trainer.steps_done() == 0);
  CHECK(trainer.step().step == 1);
}

TEST_CASE("a state dict of another network: the first name that is missing, left over or misshapen") {
  StateDict dict = weights_for(small_unet());
  CHECK(refusal(dict) == "nothing");
  const StoredTensor bias = dict.tensors.at("out.2.bias");
  dict.tensors.erase("out.2.bias");
  CHECK(contains(refusal(dict), "x.safetensors: `state dict` lacks out.2.bias"));
  dict.tensors["out.2.bias"] = to_stored(Tensor::zeros({2}));
  CHECK(contains(refusal(dict), "`state dict/out.2.bias` has shape [2], the network expects [1]"));
  dict.tensors["out.2.bias"] = bias;
  dict.tensors["label_emb.weight"] = bias;
  CHECK(contains(refusal(dict), "`state dict` has label_emb.weight, which the network lacks"));
  dict.tensors.erase("label_emb.weight");
  dict.tensors["out.2.bias"] = to_stored(Tensor::from({1}, {NAN}));
  CHECK(contains(refusal(dict), "`out.2.bias` has values that are not finite"));
}

TEST_CASE("prefixes that wrappers leave are named, and taken away") {
  StateDict wrapped;
  const StateDict dict = weights_for(small_unet());
  for (const auto& [name, tensor] : dict.tensors) wrapped.tensors["module." + name] = tensor;
  wrapped.tensors["step"] = to_stored(Tensor::scalar(1));
  CHECK(contains(refusal(wrapped), "begin with `module.`, the network's don't; --prefix module. takes"));
  CHECK(without_prefix(wrapped, "module.", "x").tensors == dict.tensors);
  CHECK(contains(error_of([&] { without_prefix(dict, "model.", "x.h5"); }),
                 "x.h5: no name begins with `model.`; there is input_blocks.0.0.bias"));
}

TEST_CASE("half precision fits into a checkpoint; a double that doesn't is refused, or rounded") {
  StateDict dict = weights_for(small_unet());
  dict.tensors["out.2.bias"] = {Dtype::bfloat16, {1}, {'\x40', '\x3f'}};  // 0.75
  CHECK(checkpoint_with(dict, small_unet(), images, "x").state.tensors.at("weights").at("out.2.bias")[0] == real(0.75));
  StoredTensor tenth{Dtype::float64, {1}, std::vector<char>(8)};
  const double value = 0.1;
  std::memcpy(tenth.bytes.data(), &value, sizeof value);
  dict.tensors["out.2.bias"] = tenth;
  if (sizeof(real) == 4) CHECK(contains(refusal(dict), "x.safetensors: `out.2.bias` is float64"));
  if (sizeof(real) == 4) CHECK(contains(refusal(dict), "--round"));
  const Checkpoint rounded = checkpoint_with(dict, small_unet(), images, "x", Rounding::allow);
  CHECK(rounded.state.tensors.at("weights").at("out.2.bias")[0] == static_cast<real>(0.1));
}

TEST_CASE("a DiT's pos_embed is written, and must be what the network computes") {
  Config config;
  config.model.network = "dit";
  config.model.hidden = 16, config.model.depth = 1, config.model.num_heads = 2;
  StateDict dict = state_dict_of(checkpoint_with(weights_for(config), config, images, "x"), "raw", "x");
  REQUIRE(dict.tensors.contains("pos_embed"));
  CHECK(dict.tensors.at("pos_embed").shape == Shape{1, 16, 16});
  CHECK(refusal(dict, config) == "nothing");
  CHECK(contains(refusal(dict, config, {{12, 12, 1}, {}}), "`pos_embed` [1,16,16] is not what the network computes"));
  Tensor moved = to_tensor(dict.tensors.at("pos_embed"), "pos_embed");
  moved[5] += real(1e-3);
  dict.tensors["pos_embed"] = to_stored(moved);
  CHECK(contains(refusal(dict, config), "was it trained"));
}

TEST_CASE(
    "weights of the published implementations load under their own names, and give those implementations' answers") {
  const char* root = std::getenv("REVERIE_SOURCE_ROOT");
  const auto check = [&](const std::string& name, const Config& config, const DataFacts& data) {
    CAPTURE(name);
    const std::string path = concat(root ? root : ".", "/benchmarks/reference/cases/", name, ".h5");
    const StateDict dict = without_prefix(read_state_dict(path), "weights/", path);
    const TemporaryFolder folder;  // by way of safetensors
    write_state_dict(folder / "x.safetensors", dict);
    const DiffusionModel model =
        model_of(checkpoint_with(read_state_dict(folder / "x.safetensors"), config, data, "x"), "raw", "x");
    const Hdf5File file = Hdf5File::open(path);
    const std::vector<double> t = file.read_doubles("inputs/t");
    const std::vector<Index> labels = file.has("inputs/y") ? file.read_int64("inputs/y") : std::vector<Index>{};
    const Var x = permute(Var(file.read_tensor("inputs/x")), {0, 2, 3, 1});
    const Var out = permute(model(x, t, labels), {0, 3, 1, 2});
    CHECK(difference(out.value(), file.read_tensor("outputs/out")) < tolerance(1e-5, 1e-4));
  };
  Config plain = small_unet();
  plain.model.scale_shift_norm = false;
  plain.diffusion.variance = "learned_range";
  check("unet_plain_mult12", plain, {{8, 8, 3}, {}});
  Config guided = plain;
  guided.model.scale_shift_norm = true, guided.model.channel_mult = {1, 1}, guided.model.attention_resolutions = {4};
  guided.model.num_head_channels = 16, guided.model.resblock_updown = true, guided.model.new_attention_order = true;
  guided.model.class_conditional = true;
  check("unet_guided_updown_new", guided, {{8, 8, 3}, {"a", "b", "c", "d"}});
  Config dit = guided;
  dit.model.network = "dit", dit.model.hidden = 32, dit.model.depth = 2, dit.model.mlp_ratio = 3;
  dit.model.frequency_dim = 64;
  check("dit_a", dit, {{8, 8, 3}, {"a", "b", "c", "d", "e"}});
}
