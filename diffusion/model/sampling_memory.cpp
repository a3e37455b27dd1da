#include <algorithm>
#include <cmath>

#include "diffusion/model/sampling.h"
#include "tensor/storage.h"

namespace reverie::inline REVERIE_PRECISION {

Index samples_within(const DiffusionModel& model, const Sampler& sampler, const SampleRequest& request, double bytes) {
  check_request(model, sampler, request);
  if (!(bytes > 0)) throw UsageError("sampling: a memory limit of ", bytes, " bytes; it must be positive");
  SampleRequest one = request;  // draws one sample in one step, with new noise, and measures
  one.count = one.at_once = 1;
  one.steps = 1;
  one.strength = 1;
  one.start = one.start_noise = {};
  one.inpaint = {};
  one.observe = nullptr;
  if (!one.labels.empty()) one.labels.resize(1);
  if (one.small.defined()) one.small = one.small.rows(0, 1);
  if (!one.captions.empty()) one.captions.resize(1);
  reset_peak_bytes();
  const Index before = memory_use().live_bytes;
  generate(model, sampler, one);
  const double each = static_cast<double>(memory_use().peak_bytes - before);

  // The program and its libraries, and kernels: packed weights, and scratch memory in proportion to activations.
  constexpr double program = 45e6, margin = 1.5;
  double weights = 0;
  for (const Parameter& p : model.network().parameters.all()) weights += static_cast<double>(p.value.size());
  const double all_samples = 3.0 * static_cast<double>(request.count * model.facts().sample_shape.size());
  const double fixed = program + static_cast<double>(before) + (2 * weights + all_samples) * sizeof(real);
  const double fit = (bytes - fixed) / (margin * each);
  if (!(fit >= 1)) {
    const auto megabytes = [](double size) { return static_cast<Index>(std::ceil(size / 1e6)); };
    throw UsageError("sampling: in ", megabytes(bytes),
                     " MB of memory not even one sample at a time fits: the model and ", request.count,
                     " samples take about ", megabytes(fixed), " MB, drawing one ", megabytes(margin * each), " MB");
  }
  return static_cast<Index>(std::min(fit, static_cast<double>(request.count)));
}

}  // namespace reverie::inline REVERIE_PRECISION
