#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/files.h"
#include "diffusion/training/trainer.h"
#include "diffusion/uses/edit.h"

namespace reverie::inline REVERIE_PRECISION {

/// Keeps a run's report.html current while it trains. The page is a function of the run's folder (report_page), so a
/// resumed run continues it. What no other file has, this class writes to RUN/report/: film strips, the machine, the
/// terms of the bound, and for points in the plane what the model learned there.
class RunReport {
 public:
  /// Writes the forward process and the machine, and the page. `held_out` may be null; the sets must outlive the
  /// report.
  RunReport(const RunFolder& folder, const Trainer& trainer, const Config& config, const Dataset& data,
            const Dataset* held_out);

  /// Writes the page, unless the last time was so short ago that this would slow the run: writing takes at most a
  /// hundredth of the time. `now`: in any case.
  void update(bool now = false);
  /// Makes a preview's request record the film strips.
  void record(SampleRequest& request, const DiffusionModel& model);
  /// After a preview has been drawn: writes the film strips and what is known of the model in its state.
  void write_parts(const DiffusionModel& model, Index step, const Tensor& samples);
  /// How near samples and held-out data are to training data, for the metrics: `nearest_sample` and `nearest_held_out`,
  /// as median_nearest has them. Empty without held-out data, and for a training set that stays in its file.
  std::vector<std::pair<std::string, double>> nearness(const Tensor& samples);

 private:
  const Dataset& unseen() const { return held_out_ != nullptr ? *held_out_ : data_; }

  const RunFolder folder_;
  const Config config_;
  const Dataset& data_;
  const Dataset* held_out_;
  std::optional<Filmstrip> x_t_, pred_x0_, paths_;
  double held_out_median_ = -1;  // -1: not yet computed
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace reverie::inline REVERIE_PRECISION
