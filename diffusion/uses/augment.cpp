#include "diffusion/uses/augment.h"

#include <algorithm>
#include <numeric>

#include "data/classes.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The classifier's number of each of the model's classes.
std::vector<Index> recognised_classes(const DiffusionModel& model, const Classifier& classifier) {
  return match_classes(model.facts().class_names, "augment: the model", classifier.data.class_names, "the classifier");
}

// How many samples of each class to keep.
std::vector<Index> wanted_of(const DiffusionModel& model, const SynthesisRequest& request) {
  std::vector<Index> wanted(model.facts().class_names.size(), request.sampling.label < 0 ? request.per_class : 0);
  if (request.sampling.label >= 0) wanted.at(static_cast<std::size_t>(request.sampling.label)) = request.per_class;
  return wanted;
}

// The classes in turn, each as often as `counts` says.
std::vector<Index> in_turn(std::vector<Index> counts) {
  std::vector<Index> labels;
  for (bool any = true; any;) {
    any = false;
    for (Index c = 0; c < std::ssize(counts); ++c) {
      if (counts[c] == 0) continue;
      --counts[c];
      labels.push_back(c);
      any = true;
    }
  }
  return labels;
}

// Whether to keep each of the samples.
std::vector<char> recognised(const Samples& drawn, const SynthesisRequest& request, const std::vector<Index>& numbers) {
  std::vector<char> keep(drawn.labels.size(), 1);
  if (request.classifier == nullptr) return keep;
  const Tensor probabilities = recognise(*request.classifier, *drawn.as_dataset()).probabilities;
  for (std::size_t i = 0; i < keep.size(); ++i) {
    const real p = probabilities[static_cast<Index>(i) * probabilities.extent(1) + numbers[drawn.labels[i]]];
    keep[i] = static_cast<double>(p) >= request.confidence ? 1 : 0;
  }
  return keep;
}

}  // namespace

void check_synthesis(const DiffusionModel& model, const SynthesisRequest& request) {
  if (!model.class_conditional()) {
    throw UsageError(
        "augment: the model was trained without class labels, so its samples have none; expects one that "
        "was trained with model.class_conditional = true");
  }
  constexpr Index most = 10'000'000;
  if (request.per_class < 1 || request.per_class > most)
    throw UsageError("augment: ", request.per_class, " samples of each class; expects from 1 to ", most);
  if (request.tries < 1 || request.tries > 1000)
    throw UsageError("augment: ", request.tries, " tries; expects from 1 to 1000");
  if (!(request.confidence > 0 && request.confidence < 1))
    throw UsageError("augment: a confidence of ", request.confidence, "; expects a probability above 0 and below 1");
  SampleRequest first = request.sampling;
  first.labels.clear();
  first.count = request.per_class;
  check_request(model, first);
  if (request.classifier == nullptr) return;
  recognised_classes(model, *request.classifier);
  if (request.classifier->data.sample_shape != model.facts().sample_shape) {
    throw UsageError("augment: the classifier learned images of shape ", request.classifier->data.sample_shape,
                     ", the model ", model.facts().sample_shape);
  }
}

Synthesis synthesise(const DiffusionModel& model, const SynthesisRequest& request,
                     const std::function<bool(double)>& progress) {
  check_synthesis(model, request);
  const std::vector<Index> wanted = wanted_of(model, request);
  const Index all = std::accumulate(wanted.begin(), wanted.end(), Index{0});
  const std::vector<Index> numbers =
      request.classifier == nullptr ? std::vector<Index>{} : recognised_classes(model, *request.classifier);
  Synthesis result{{}, std::vector<Index>(wanted.size()), std::vector<Index>(wanted.size())};
  Tensor x;
  Index rows = 0;  // of x so far
  SampleRequest round = request.sampling;
  round.label = -1;
  for (;;) {
    std::vector<Index> missing(wanted.size());
    for (std::size_t c = 0; c < wanted.size(); ++c)
      missing[c] = std::min(wanted[c] - result.kept[c], request.tries * request.per_class - result.drawn[c]);
    round.labels = in_turn(missing);
    round.count = std::ssize(round.labels);
    if (round.count == 0) break;
    const Samples drawn = generate(model, round, [&](double share) {
      const double now = static_cast<double>(rows) + share * static_cast<double>(round.count);
      return !progress || progress(now / static_cast<double>(all));
    });
    round.first += round.count;  // the next round draws new noise
    if (!x.defined()) x = Tensor::uninitialized(drawn.x.shape().with(0, all));
    const std::vector<char> keep = recognised(drawn, request, numbers);
    for (Index i = 0; i < round.count; ++i) {
      const Index label = drawn.labels[i];
      ++result.drawn[label];
      if (keep[i] == 0) continue;
      ++result.kept[label];
      result.samples.labels.push_back(label);
      x.rows(rows, rows + 1).copy_from(drawn.x.rows(i, i + 1));
      ++rows;
    }
    result.samples.class_names = drawn.class_names;
    result.samples.evaluations = drawn.evaluations;
  }
  if (rows == 0) {
    throw Error("augment: the classifier gives none of the ",
                std::accumulate(result.drawn.begin(), result.drawn.end(), Index{0}),
                " samples drawn a confidence of at least ", request.confidence, " in its class");
  }
  result.samples.x = x.rows(0, rows);
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
