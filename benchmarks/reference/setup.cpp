#include "benchmarks/reference/setup.h"

#include <cmath>

namespace reverie::inline REVERIE_PRECISION {

OptionValues read_parameters(const Case& c, std::span<const OptionInfo> known) {
  OptionValues values;
  for (const OptionInfo& parameter : known) {
    if (c.has_param(parameter.name)) values[parameter.name] = c.number(parameter.name);
  }
  return values;
}

NoiseSchedule read_schedule(const Case& c, const char* name) {
  const ScheduleKind& kind = find_line("schedule", schedules(), c.text(name));
  NoiseSchedule schedule = make_schedule(kind.name, c.integer("T"), read_parameters(c, kind.options));
  return c.has_param("sections") ? respace(schedule, c.text("sections")) : schedule;
}

Process read_process(const Case& c, const char* name) {
  return Process(read_schedule(c, name), c.has_param("mean_type") ? mean_type(c.text("mean_type")) : MeanType::x0,
                 c.has_param("var_type") ? variance_type(c.text("var_type")) : VarianceType::fixed_small);
}

NetworkFunction read_wave(const Case& c) {
  if (c.text("model") != "wave") throw Error("toy denoiser `", c.text("model"), "` is not known, only `wave` is");
  const double a = c.number("a"), b = c.number("b"), T = static_cast<double>(c.integer("T"));
  const bool learned = kind(variance_type(c.text("var_type"))).learned;
  const double amplitude = learned ? c.number("c") : 0;
  return [=](const Var& on, std::span<const double> t) {
    const Tensor& x = on.value();
    const Index channels = x.extent(-1), out_channels = learned ? 2 * channels : channels;
    const Index pixels = x.size() / channels, pixels_per_sample = pixels / x.extent(0);
    Tensor out = Tensor::uninitialized(x.shape().with(-1, out_channels));
    for (Index pixel = 0; pixel < pixels; ++pixel) {
      const double u = t[pixel / pixels_per_sample] / T;
      for (Index channel = 0; channel < channels; ++channel) {
        const double value = static_cast<double>(x[pixel * channels + channel]);
        real* to = out.data() + pixel * out_channels + channel;
        to[0] = static_cast<real>(a * value + b * std::cos(u + value));
        if (learned) to[channels] = static_cast<real>(amplitude * std::sin(value + u));
      }
    }
    return Var(out);
  };
}

Denoiser read_denoiser(const Case& c) {
  std::function<double(double, double)> toy;
  if (c.text("model") == "gauss") {
    toy = [mu = c.number("mu"), s = c.number("s")](double x, double sigma) {
      return (s * s * x + sigma * sigma * mu) / (s * s + sigma * sigma);
    };
  } else if (c.text("model") == "wave_sigma") {
    toy = [a = c.number("a"), b = c.number("b")](double x, double sigma) {
      return (x + sigma * sigma * a * std::cos(x + b)) / (1 + sigma * sigma);
    };
  } else {
    throw Error("toy denoiser `", c.text("model"), "` is unknown; expected `gauss` or `wave_sigma`");
  }
  return [toy](const Var& on, double sigma) {
    const Tensor& x = on.value();
    Tensor out = Tensor::uninitialized(x.shape());
    for (Index i = 0; i < x.size(); ++i) out[i] = static_cast<real>(toy(static_cast<double>(x[i]), sigma));
    return Var(out);
  };
}

std::function<Tensor(Index)> read_noise(const Case& c) {
  return [noise = c.has_input("noise") ? c.image_steps("noise") : std::vector<Tensor>{}](Index i) {
    if (i < 0 || i >= static_cast<Index>(noise.size())) {
      throw Error("the sampler needs noise number ", i, ", but the input `noise` has ", noise.size());
    }
    return noise[i];
  };
}

}  // namespace reverie::inline REVERIE_PRECISION
