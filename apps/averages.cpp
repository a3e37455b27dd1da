#include "apps/averages.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/nearness.h"
#include "apps/run.h"
#include "data/subset.h"
#include "diffusion/evaluation/comparison.h"
#include "diffusion/metrics/frechet.h"
#include "tensor/decimal.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The factor that reduces an extent to at most eight pixels; 1 if none divides it.
Index reduction(Index extent) {
  constexpr Index most = 8;
  for (Index factor = (extent + most - 1) / most; factor < extent; ++factor)
    if (extent % factor == 0) return factor;
  return 1;
}

// Images reduced to a few pixels, as features [N,D].
Tensor few_pixels(const Tensor& images) {
  Tensor small = images;
  if (const Index factor = std::max(reduction(images.extent(1)), reduction(images.extent(2)));
      images.extent(1) % factor == 0 && images.extent(2) % factor == 0)
    small = avg_pool2d(images, factor, factor).value();
  return reshape(small, {small.extent(0), small.size() / small.extent(0)}).value();
}

// Compares samples with held-out data.
class Distance {
 public:
  Distance(const Dataset& held_out, Index count, const Classifier* classifier) {
    if (held_out.sample_shape().rank() == 3 && classifier == nullptr) {
      const Tensor data = few_pixels(samples_of(Subset(held_out, count)));
      data_ = moments(data);
      name = concat("Frechet distance of images reduced to ", data.extent(1), " values");
      return;
    }
    judge_.emplace(held_out, classifier, "the held-out data");
    data_ = moments(judge_->look_at(held_out, count, "the held-out data").features);
    name = classifier != nullptr ? "Frechet distance of features" : "Frechet distance of points";
  }
  double of(const Samples& samples) const {
    if (!judge_) return frechet_distance(moments(few_pixels(samples.x)), data_);
    return frechet_distance(moments(judge_->look_at(*samples.as_dataset(), samples.x.extent(0)).features), data_);
  }
  std::string name;

 private:
  std::optional<Judge> judge_;
  Moments data_;
};

// The validation loss of a model with its weights as they are.
double validation_loss(DiffusionModel model, const Dataset& training, const Dataset& held_out, TrainOptions options) {
  options.ema_rates.clear();
  return Trainer(std::move(model), training, options).validation_loss(held_out);
}

}  // namespace

const AveragesComparison::Row& AveragesComparison::best() const {
  return *std::min_element(rows.begin(), rows.end(),
                           [](const Row& a, const Row& b) { return a.distance < b.distance; });
}

std::string AveragesComparison::json() const {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    list.push_back({{"weights", row.weights},
                    {"distance", row.distance},
                    {"validation_loss", row.validation_loss},
                    {"nearest_sample", row.nearest_sample}});
  }
  return nlohmann::ordered_json{{"step", step}, {"count", count}, {"measure", measure}, {"rows", list}}.dump();
}

AveragesComparison compare_averages(const RunFolder& run, Index count, const Classifier* classifier,
                                    const std::function<bool(double)>& progress) {
  if (!std::filesystem::exists(run.checkpoint()))
    throw Error(run.checkpoint(), ": is missing; averages are compared by the samples that they draw");
  const Checkpoint checkpoint = read_checkpoint(run.checkpoint());
  const Config& config = checkpoint.config;
  if (config.data.validation.empty())
    throw UsageError("--averages: the run in ", run.path, " has no held-out data (data.validation) to compare with");
  const auto training = open_dataset(config.data.train, toy_train, config.data.memory());
  const auto held_out = open_dataset(config.data.validation, toy_held_out, config.data.memory());
  const Distance distance(*held_out, count, classifier);

  std::vector<std::string> all;
  for (const double rate : config.train.ema_rates) all.push_back("ema:" + decimal(rate));
  all.emplace_back("raw");
  AveragesComparison comparison{.step = checkpoint.state.step, .count = count, .measure = distance.name, .rows = {}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    DiffusionModel model = model_of(checkpoint, all[i], run.checkpoint());
    SampleRequest request = default_request(config);
    request.count = count;
    borrow_conditions(request, model, *held_out);
    const Samples samples = generate(model, request, [&](double share) {
      return progress((static_cast<double>(i) + share) / static_cast<double>(all.size()));
    });
    comparison.rows.push_back({all[i], distance.of(samples),
                               validation_loss(std::move(model), *training, *held_out, config.train),
                               median_nearest(samples.x, *training)});
  }
  return comparison;
}

}  // namespace reverie::inline REVERIE_PRECISION
