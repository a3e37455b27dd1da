// Building a model set the kernels of the whole program: a second one changed the outputs of the first, and the
// classifier that evaluates samples ran with the kernels that the checkpoint asked for.
#include <type_traits>

#include "data/image_set.h"
#include "diffusion/evaluation/classifier.h"
#include "tests/diffusion/configured_trainer.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

Config small(const char* products) {
  Config config;
  config.model.channel_mult = {1}, config.model.num_res_blocks = 1, config.model.attention_resolutions = {};
  config.kernels.products = products;
  return config;
}

const char* const bfloat16 = sizeof(real) == 4 ? "bfloat16" : "float";

}  // namespace

TEST_CASE("a second model with other kernels leaves the outputs of the first alone, to the bit") {
  const DataFacts facts{{8, 8, 1}, {}};
  DiffusionModel first = build_model(small("float"), facts);
  std::uint32_t channel = 0;
  for (const Parameter& p : first.network().parameters.all())  // the last convolution starts at zero
    Tensor(p.value).copy_from((0.1 * Var(noise(p.value.shape(), ++channel))).value());
  const Tensor x = noise({4, 8, 8, 1}, 90);
  const std::vector<double> t(4, 500.0);
  const Tensor before = first(x, t, {}).value().clone();
  DiffusionModel second = build_model(small(bfloat16), facts);
  second.network().parameters.exchange(first.network().parameters.values());
  CHECK(difference(first(x, t, {}), before) == 0);
  if (sizeof(real) == 4) CHECK(difference(second(x, t, {}), before) > 0);
}

TEST_CASE("the classifier runs in full precision inside a scope with bfloat16 operands") {
  ImageSet set = ImageSet::from(noise({6, 8, 8, 1}));
  set.labels = {0, 1, 0, 1, 0, 1}, set.class_names = {"a", "b"};
  const Classifier classifier(facts_of(set), false, 1);
  const Tensor before = recognise(classifier, set).features;
  const kernels::WithKernels scope(kernel_choice_of(small(bfloat16)));
  CHECK(difference(recognise(classifier, set).features, before) == 0);
}

// A network replaced behind the trainer's back was trained on by an optimizer that held the old tensors.
static_assert(std::is_same_v<decltype(std::declval<Trainer&>().model()), const DiffusionModel&>);
static_assert(std::is_same_v<decltype(std::declval<const DiffusionModel&>().network()), const Network&>);
