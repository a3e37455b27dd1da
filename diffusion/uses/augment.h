#pragma once
#include "diffusion/evaluation/classifier.h"

namespace reverie::inline REVERIE_PRECISION {

/// Synthetic training data: which samples to draw, and which to keep.
struct SynthesisRequest {
  SampleRequest sampling = {};  ///< how to sample; with a `label`, only this class. Its count and labels are not used
  Index per_class = 100;        ///< samples to keep of each class
  const Classifier* classifier = nullptr;  ///< if given, keeps a sample only if the class that it was drawn for ...
  double confidence = 0.9;                 ///< ... has at least this probability for the classifier, ...
  Index tries = 10;                        ///< ... and draws at most `tries` * `per_class` samples of a class
};

struct Synthesis {
  Samples samples;                 ///< those that were kept
  std::vector<Index> kept, drawn;  ///< their numbers, of each class
};

/// Throws UsageError for a model that doesn't know classes, for other classes than the classifier's or samples of
/// another shape, for values out of range, and as check_request.
void check_synthesis(const DiffusionModel& model, const SynthesisRequest& request);

/// Draws labelled samples. Without a classifier, keeps all; with one, draws again for those that it doesn't recognise,
/// until there are enough or the tries are used up: compare `kept` with `per_class`. A function of the model, the
/// classifier and the request. `progress` is called as by `generate`, with the share kept; it may fall after a round.
/// Throws as check_synthesis, and Error if no sample was kept.
Synthesis synthesise(const DiffusionModel& model, const SynthesisRequest& request,
                     const std::function<bool(double)>& progress = nullptr);

}  // namespace reverie::inline REVERIE_PRECISION
