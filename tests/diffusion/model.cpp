#include "data/image_set.h"
#include "diffusion/model/config.h"
#include "diffusion/samplers/sampler.h"
#include "tensor/parallel.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

// A network that has learned nothing says 0: as v, the model of data that is N(0, 1), whose probability flow leaves
// every x_t = x / sqrt(1 + sigma^2) where it is.
Config standard_normal(bool by_class = false) {
  Config c;
  c.model.network = "mlp";
  c.model.hidden = 16, c.model.depth = 1;
  c.model.class_conditional = by_class;
  c.diffusion.prediction = "v";
  c.sample.clip = false;
  return c;
}

}  // namespace

TEST_CASE("DDIM backwards finds the noise that a sample comes from: on N(0, 1) x itself, but for the steps' length") {
  const Config config = standard_normal();
  const DiffusionModel model = build_model(config, {{2}, {}});
  const Tensor x0 = noise({40, 2});
  SampleRequest request = default_request(config);
  request.count = 40;
  request.sampler = "ddim";
  double before = 1;
  for (const Index steps : {50, 200, 1000}) {
    request.steps = steps;
    request.start = {};
    const Tensor x_T = encode(model, x0, request);
    request.start = x_T;
    const Tensor back = generate(model, request).x;
    const double error = difference(back, x0);
    CHECK(error < before / 2);
    before = error;
    if (steps == 1000) CHECK(difference(x_T, x0) < 0.01);
  }
  CHECK(before < 0.005);
  request.sampler = "heun";  // another solver of the same flow, from the same noise
  CHECK(difference(generate(model, request).x, x0) < 0.01);
}

TEST_CASE("sampling from a partly noised x_0 starts at that share of the chain, for samplers of both forms") {
  // On N(0, 1) data the probability flow leaves x_t where it is: the sample is sqrt(ab) x_0 + sqrt(1 - ab) n itself.
  const Config config = standard_normal();
  const DiffusionModel model = build_model(config, {{2}, {}});
  SampleRequest request = default_request(config);
  request.count = 40;
  request.start = noise({40, 2});
  request.start_noise = noise({40, 2}, 1);
  for (const double strength : {0.1, 0.5, 0.9}) {
    request.strength = strength;
    const double ab = model.process().schedule.alphas_cumprod[static_cast<std::size_t>(1000 * strength) - 1];
    const Var x_t = std::sqrt(ab) * Var(request.start) + std::sqrt(1 - ab) * Var(request.start_noise);
    choose_sampler(request, "ddim");
    request.steps = 1000;
    CHECK(difference(generate(model, request).x, x_t) < 0.005);
    CHECK(generate(model, request).evaluations == static_cast<Index>(1000 * strength));
    choose_sampler(request, "heun");
    request.steps = 200;
    CHECK(difference(generate(model, request).x, x_t) < 0.005);
  }
  request.start_noise = {};  // then drawn, by the seed
  const Tensor a = generate(model, request).x, b = generate(model, request).x;
  CHECK(std::equal(a.values().begin(), a.values().end(), b.values().begin()));
  request.seed = 1;
  CHECK(difference(generate(model, request).x, a) > 0.01);
}

TEST_CASE("a strength below 1 requires samples to start from, and lies above 0") {
  const Config config = standard_normal();
  const DiffusionModel model = build_model(config, {{2}, {}});
  SampleRequest request = default_request(config);
  request.count = 3;
  request.strength = 0.5;
  CHECK(contains(error_of([&] { generate(model, request); }), "requires samples to start from"));
  request.start = noise({3, 2});
  request.start_noise = noise({2, 2});
  CHECK(contains(error_of([&] { generate(model, request); }), "[2,2]"));
  for (const double outside : {0.0, -0.1, 1.1, std::nan("")}) {
    request.strength = outside;
    CHECK(contains(error_of([&] { generate(model, request); }), "above 0, and at most 1"));
  }
}

TEST_CASE("encoding is the same for any number of threads, tells its progress, and wants samples of the model's") {
  const Config config = standard_normal();
  const DiffusionModel model = build_model(config, {{2}, {}});
  const Tensor x0 = noise({600, 2});  // several tasks
  SampleRequest request = default_request(config);
  request.count = 600, request.steps = 10;
  double last = 0;
  const Tensor one = encode(model, x0, request, [&](double share) {
    CHECK(share > last);
    last = share;
    return true;
  });
  CHECK(last == 1);
  set_threads(3);
  const Tensor three = encode(model, x0, request);
  set_threads(0);
  CHECK(std::equal(one.values().begin(), one.values().end(), three.values().begin()));
  CHECK(contains(error_of([&] { encode(model, noise({600, 3}), request); }), "[600,3]"));
  CHECK(contains(error_of([&] { encode(model, x0, request, [](double) { return false; }); }), "interrupted"));
  request.start = noise({599, 2});
  CHECK(contains(error_of([&] { generate(model, request); }), "[599,2]"));
}

TEST_CASE("a sample is the same among how many others it is drawn") {
  Config config;
  config.data.train = "none", config.model.network = "mlp";
  const DiffusionModel model = build_model(config, {{2}, {}});
  Index tensor = 0;
  for (Tensor& weight : model.network().parameters.values())  // the last layer begins with zeros
    weight.copy_from((0.1 * Var(normal(RandomKey{.seed = 1}.with_channel(tensor++), weight.shape()))).value());
  SampleRequest request = default_request(config);
  request.steps = 5, request.count = 300;
  const Tensor many = generate(model, request).x;
  for (const Index count : {1, 3, 257}) {  // one alone, or in the last task
    request.count = count;
    CHECK(difference(generate(model, request).x, many.rows(0, count)) < (sizeof(real) == 4 ? 1e-5 : 1e-13));
  }
}

TEST_CASE("each sample has the class that is asked for") {
  const Config config = standard_normal(true);
  const DiffusionModel model = build_model(config, {{2}, {"a", "b"}});
  SampleRequest request = default_request(config);
  request.count = 3, request.steps = 2;
  request.labels = {1, 1, 0};
  CHECK(generate(model, request).labels == request.labels);
  CHECK(generate(model, request).class_names == std::vector<std::string>{"a", "b"});
  request.labels = {1, 2, 0};
  CHECK(contains(error_of([&] { generate(model, request); }), "class 2 doesn't exist"));
  request.labels = {1, 0};
  CHECK(contains(error_of([&] { generate(model, request); }), "2 labels for 3 samples"));
}

TEST_CASE("samples say how often the network was asked: N times, or 2N - 1 [Karras22] Alg. 1; guided ones twice that") {
  Config config = standard_normal(true);
  config.train.label_dropout = 0.1;
  const DiffusionModel model = build_model(config, {{2}, {"a", "b"}});
  SampleRequest request = default_request(config);
  request.count = 20, request.steps = 8;
  const auto asked = [&](const char* sampler, double guidance) {
    request.sampler = sampler;
    request.guidance = guidance;
    return generate(model, request).evaluations;
  };
  CHECK(asked("ddpm", 1) == 8);
  CHECK(asked("ddim", 1) == 8);
  CHECK(asked("ddim", 2) == 16);
  CHECK(asked("euler", 1) == 8);
  CHECK(asked("heun", 1) == 15);
  CHECK(asked("pndm", 1) == 9);
  CHECK(asked("dpmpp_2m", 1) == 8);
}

TEST_CASE("samples become the set that they are saved as: images rounded to 8 bits, points as they are, with labels") {
  const Samples images{.x = Tensor::full({2, 1, 1, 1}, 0.5), .labels = {1, 0}, .class_names = {"a", "b"}};
  const auto set = images.as_dataset();
  CHECK(set->size() == 2);
  CHECK(set->labels == images.labels);
  CHECK(set->class_names == images.class_names);
  CHECK(set->sample_shape() == Shape{1, 1, 1});
  const std::vector<Index> first{0};
  CHECK(static_cast<double>(set->batch(first)[0]) == doctest::Approx(191 / 127.5 - 1));  // 0.5 is pixel 191.25
  const Samples points{.x = noise({3, 2}), .labels = {}, .class_names = {}};
  CHECK(points.as_dataset()->sample_shape() == Shape{2});
}

TEST_CASE("every sampler runs on every formulation, prediction and variance, and on a chain that ends in pure noise") {
  std::vector<Config> configs;
  const auto with = [&](std::initializer_list<const char*> assignments) {
    Config config = standard_normal();
    config.diffusion.steps = 30;
    for (const char* assignment : assignments) set_config(config, assignment);
    configs.push_back(config);
  };
  for (const FormulationKind& formulation : formulations())
    with({concat("diffusion.formulation=", formulation.name).c_str()});
  for (const MeanKind& mean : mean_kinds()) {
    with({concat("diffusion.prediction=", mean.name).c_str()});
    with({"diffusion.formulation=continuous", concat("diffusion.prediction=", mean.name).c_str()});
  }
  for (const VarianceKind& variance : variance_kinds()) with({concat("diffusion.variance=", variance.name).c_str()});
  for (const ScheduleKind& schedule : schedules()) with({concat("diffusion.schedule=", schedule.name).c_str()});
  with({"diffusion.zero_terminal_snr=true"});
  for (const Config& config : configs) {
    const DiffusionModel model = build_model(config, {{2}, {}});
    for (const Sampler& sampler : samplers()) {
      CAPTURE(std::string(sampler.name));
      CAPTURE(config_text(config));
      SampleRequest request = default_request(config);
      request.sampler = sampler.name;
      request.count = 2, request.steps = 6;
      const Tensor x = generate(model, request).x;
      CHECK(std::all_of(x.values().begin(), x.values().end(), [](real v) { return std::isfinite(v); }));
    }
  }
}
