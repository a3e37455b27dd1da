#include "apps/advice.h"

#include <algorithm>
#include <cmath>
#include <iomanip>

#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

std::string percent(double share) { return concat(std::fixed, std::setprecision(1), 100 * share, "%"); }

std::string number(double value) { return concat(std::setprecision(4), value); }

Advice of_validation(const MetricSeries& all) {
  MetricSeries loss;
  for (std::size_t i = 0; i < all.value.size(); ++i) {
    if (std::isnan(all.value[i])) continue;  // a damaged file
    loss.step.push_back(all.step[i]);
    loss.value.push_back(all.value[i]);
  }
  constexpr std::size_t enough = 6;
  constexpr double flat = 0.01, risen = 0.05;
  if (loss.value.size() < enough) {
    return {Advice::Kind::note, concat("The validation loss was measured ", loss.value.size(), " times; with ", enough,
                                       " or more, this page says whether it is flat (data.validation, "
                                       "train.validate_every).")};
  }
  const auto third = loss.value.end() - static_cast<std::ptrdiff_t>(loss.value.size() / 3);
  const auto best_before = std::min_element(loss.value.begin(), third);
  const auto best_since = std::min_element(third, loss.value.end());
  const auto best = *best_since < *best_before ? best_since : best_before;
  const auto step = [&](auto at) {
    return static_cast<Index>(loss.step[static_cast<std::size_t>(at - loss.value.begin())]);
  };
  const double last = loss.value.back(), fall = 1 - *best_since / *best_before;
  if (last > (1 + risen) * *best) {
    return {Advice::Kind::stop,
            concat("Stop, or take the checkpoint of about step ", step(best), ": the validation loss was ",
                   number(*best), " there and has risen to ", number(last), ".")};
  }
  if (fall < flat) {
    return {Advice::Kind::stop,
            concat("The validation loss is flat: in the last third of the run, since step ", step(third),
                   ", its best value improved by ", percent(std::max(fall, 0.0)), " (", number(*best_before), " to ",
                   number(*best), "). More steps of this kind will hardly help.")};
  }
  return {Advice::Kind::go_on,
          concat("The validation loss still falls: by ", percent(fall), " in the last third of the run (",
                 number(*best_before), " to ", number(*best_since), "). More steps should help.")};
}

// How much nearer samples are to training images than held-out images are: 1 is equally near, 2 twice as near.
Advice of_nearness(const MetricSeries& samples, const MetricSeries& held_out) {
  if (samples.value.empty() || held_out.value.size() != samples.value.size()) {
    return {Advice::Kind::note,
            "Whether samples copy training data can't be told: it is measured at each preview (train.preview_every), "
            "if there are held-out data (data.validation)."};
  }
  constexpr double near = 1.15, rising = 1.05;
  const auto nearness = [&](std::size_t i) {
    return samples.value[i] > 0 ? held_out.value[i] / samples.value[i] : INFINITY;
  };
  const double first = nearness(0), last = nearness(samples.value.size() - 1);
  const std::string facts = concat("the median distance of samples to the nearest training sample is ",
                                   number(samples.value.back()), ", of held-out data ", number(held_out.value.back()));
  if (last > near && (samples.value.size() == 1 || last > rising * first)) {
    return {Advice::Kind::stop, concat("Samples come nearer to training data than held-out data are (", facts,
                                       "): the model begins to memorise. Stop, or train on more data.")};
  }
  return {Advice::Kind::note, concat("No sign of memorisation: ", facts, ".")};
}

}  // namespace

std::vector<Advice> when_to_stop(const MetricsTable& metrics) {
  return {of_validation(metrics.of("validation_loss")),
          of_nearness(metrics.of("nearest_sample"), metrics.of("nearest_held_out"))};
}

}  // namespace reverie::inline REVERIE_PRECISION
