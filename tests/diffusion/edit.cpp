#include "diffusion/uses/edit.h"

#include "diffusion/model/config.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

TEST_CASE("spherical interpolation keeps the length of noise, where the straight line shrinks it") {
  const Tensor ends = noise({2, 4000});
  const Tensor arc = slerp(ends, 5);
  REQUIRE(arc.shape() == Shape{5, 4000});
  CHECK(difference(arc.rows(0, 1), ends.rows(0, 1)) < tolerance(1e-12, 1e-6));
  CHECK(difference(arc.rows(4, 5), ends.rows(1, 2)) < tolerance(1e-12, 1e-6));
  const auto mean_square = [](const Var& x) { return static_cast<double>(mean(square(x)).item()); };
  CHECK(mean_square(arc.rows(2, 3)) == Approx(1).epsilon(0.05));
  CHECK(mean_square((Var(ends.rows(0, 1)) + ends.rows(1, 2)) / 2) == Approx(0.5).epsilon(0.05));
  CHECK(difference(2 * Var(arc.rows(2, 3)) * std::cos(std::acos(-1.0) / 4), Var(ends.rows(0, 1)) + ends.rows(1, 2)) <
        0.1);  // almost at right angles
  const Tensor same = concat({ends.rows(0, 1), ends.rows(0, 1)}, 0).value();
  CHECK(difference(slerp(same, 3).rows(1, 2), ends.rows(0, 1)) < tolerance(1e-12, 1e-6));
  CHECK(contains(error_of([&] { slerp(ends, 1); }), "at least 2"));
  CHECK(contains(error_of([&] { slerp(noise({3, 2}), 4); }), "[3,2]"));
}

TEST_CASE("a film strip has the states after evenly spaced sampling steps, the last one the sample, for all samplers") {
  Config config;
  config.model.network = "mlp";
  config.model.hidden = 16, config.model.depth = 1;
  config.diffusion.prediction = "v";
  config.sample.clip = false;
  const DiffusionModel model = build_model(config, {{2}, {}});
  SampleRequest request = default_request(config);
  request.count = 300, request.steps = 25;
  for (const char* sampler : {"ddpm", "ddim", "heun", "flow_euler", "dpmpp_2m_sde"}) {
    CAPTURE(std::string(sampler));
    choose_sampler(request, sampler);
    REQUIRE(sampling_steps(model, request) == 25);
    for (const auto shows : {Filmstrip::Shows::x_t, Filmstrip::Shows::pred_x0}) {
      Filmstrip film({2}, 3, 10, 25, shows);
      CHECK(film.columns() == 10);
      const std::vector<NoiseLevel> levels = noise_levels(model, find_sampler(sampler), request);
      CHECK(levels.size() == 26);
      CHECK(levels.front().t > 990);  // a grid of sigmas may begin below the end of the chain
      CHECK(levels.back().t == -1);
      CHECK(levels.back().alpha_bar == 1);
      Index started = 0;
      request.observe = [&](Index first, Index step, const Tensor& x, const Tensor& x0) {
        if (step == -1 && first == 0) ++started;
        film.observe(first, step, x, x0);
        if (first == 0 && step == 4) {  // the second column
          const Tensor& shown = shows == Filmstrip::Shows::x_t ? x : x0;
          CHECK(difference(film.frames().rows(1, 2), shown.rows(0, 1)) == 0);
          double squares = 0;
          for (const real value : x.values()) squares += std::pow(static_cast<double>(value), 2) / double(x.size());
          CHECK(squares == Approx(1).epsilon(0.3));  // in the chain's form this data's x_t is N(0, 1)
        }
      };
      const Tensor x = generate(model, request).x;
      CHECK(started == 1);
      for (Index row = 0; row < 3; ++row)
        CHECK(difference(film.frames().rows(10 * row + 9, 10 * row + 10), x.rows(row, row + 1)) <
              tolerance(1e-12, 1e-5));
    }
  }
  CHECK(Filmstrip({2}, 3, 10, 4, Filmstrip::Shows::x_t).columns() == 4);
  CHECK(contains(error_of([] { Filmstrip({2}, 0, 10, 4, Filmstrip::Shows::x_t); }), "at least 1"));
}

TEST_CASE("the forward process as a film strip: x_0, then x_t by q_sample with the same noise") {
  const Process process = make_formulation(DiffusionOptions{})->process();
  const Tensor x0 = noise({2, 3}), eps = noise({2, 3}, 1);
  const std::vector<Index> t = evenly_spaced(4, process.schedule.steps());
  CHECK(t == std::vector<Index>{249, 499, 749, 999});
  CHECK(evenly_spaced(10, 3) == std::vector<Index>{0, 1, 2});
  const Tensor film = forward_film(process, x0, eps, t);
  REQUIRE(film.shape() == Shape{10, 3});
  for (Index row = 0; row < 2; ++row) {
    CHECK(difference(film.rows(5 * row, 5 * row + 1), x0.rows(row, row + 1)) == 0);
    for (Index k = 0; k < 4; ++k) {
      const double alpha_bar = process.schedule.alphas_cumprod[t[k]];
      const Var x_t =
          std::sqrt(alpha_bar) * Var(x0.rows(row, row + 1)) + std::sqrt(1 - alpha_bar) * Var(eps.rows(row, row + 1));
      CHECK(difference(film.rows(5 * row + k + 1, 5 * row + k + 2), x_t) < tolerance(1e-12, 1e-5));
    }
  }
}

TEST_CASE("samples don't depend on how many are drawn at a time; the memory for one of them sets that number") {
  Config config;
  config.model.channel_mult = {1}, config.model.num_res_blocks = 1, config.model.attention_resolutions = {};
  const DiffusionModel model = build_model(config, {{8, 8, 1}, {}});
  SampleRequest request = default_request(config);
  request.count = 70, request.steps = 2;
  const Tensor all = generate(model, request).x;
  for (const Index at_once : {16, 40, 100}) {
    request.at_once = at_once;
    const Tensor some = generate(model, request).x;
    CHECK(std::equal(all.values().begin(), all.values().end(), some.values().begin()));
  }
  request.at_once = 3;
  CHECK(difference(generate(model, request).x, all) < tolerance(1e-9, 1e-3));
  const Index at_100 = samples_within(model, request, 100e6);
  CHECK(at_100 >= 1);
  CHECK(samples_within(model, request, 1e12) == 70);
  request.count = 100'000;
  CHECK(samples_within(model, request, 1.3e9) >= at_100);
  CHECK(contains(error_of([&] { samples_within(model, request, 1e8); }), "not even one sample"));
  CHECK(contains(error_of([&] { samples_within(model, request, std::nan("")); }), "positive"));
}
