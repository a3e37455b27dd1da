#include "apps/run_report.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/machine.h"
#include "apps/nearness.h"
#include "apps/plane.h"
#include "apps/report_page.h"
#include "data/input_file.h"
#include "data/streamed_image_set.h"
#include "data/subset.h"
#include "diffusion/evaluation/evaluation.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr Index film_images = 6, film_points = 500, film_columns = 10;

Index film_rows(const Shape& sample) { return sample.rank() == 3 ? film_images : film_points; }

// The processes that trained this run, as the file has them; none if it is missing or damaged.
Json sessions_in(const std::string& path) {
  constexpr std::uint64_t most = 1 << 24;
  if (!std::filesystem::exists(path)) return Json::array();
  const Json facts = Json::parse(InputFile(path).text(most), nullptr, false);
  const bool sound = facts.is_object() && facts.contains("sessions") && facts["sessions"].is_array();
  return sound ? facts["sessions"] : Json::array();
}

void write_facts(const std::string& path, const Trainer& trainer, const Config& config) {
  Json facts = {{"model", concat(config.model.network, " with ", trainer.model().network().parameters.element_count(),
                                 " parameters")},
                {"sessions", sessions_in(path)}};
  const Machine machine = this_machine();
  facts["sessions"].push_back({{"step", trainer.steps_done()},
                               {"time", machine.time},
                               {"processor", machine.processor},
                               {"threads", machine.threads},
                               {"memory", machine.memory},
                               {"version", REVERIE_VERSION}});
  write_text(path, facts.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void write_forward_film(const std::string& path, const DiffusionModel& model, const Dataset& data) {
  const Subset some(data, film_rows(data.sample_shape()));
  const Tensor x0 = samples_of(some);
  const Tensor noise = model.noise().rows({.stream = Stream::validation}, x0.shape(), 0);
  const std::vector<Index> t = evenly_spaced(film_columns, model.process().schedule.steps());
  write_png(path, picture_of_film(forward_film(model.process(), x0, noise, t), 1 + std::ssize(t)));
}

void write_bound(const std::string& path, const DiffusionModel& model, const Dataset& data, bool clip, Index step) {
  constexpr Index images = 8, times = 40;
  if (model.facts().sample_shape.rank() != 3 || &model.noise() != &gaussian_noise()) return;
  const BoundLedger ledger = bound_ledger(model, data, images, times, clip);
  const Json bound = {{"step", step},        {"count", ledger.count}, {"t", ledger.t},
                      {"bits", ledger.bits}, {"prior", ledger.prior}, {"total", ledger.total}};
  write_text(path, bound.dump());
}

}  // namespace

RunReport::RunReport(const RunFolder& folder, const Trainer& trainer, const Config& config, const Dataset& data,
                     const Dataset* held_out)
    : folder_(folder), config_(config), data_(data), held_out_(held_out) {
  make_folder(folder_.report_parts());
  write_facts(folder_.report_part("facts.json"), trainer, config_);
  write_forward_film(folder_.report_part("forward.png"), trainer.model(), unseen());
}

void RunReport::update(bool now) {
  constexpr int share = 100;
  const auto start = Clock::now();
  if (!now && start < next_) return;
  write_text(folder_.report(), report_page({folder_}));
  const auto end = Clock::now();
  next_ = end + share * (end - start);
}

void RunReport::record(SampleRequest& request, const DiffusionModel& model) {
  const Shape& sample = model.facts().sample_shape;
  const Index rows = std::min(request.count, film_rows(sample)), steps = sampling_steps(model, request);
  x_t_.emplace(sample, rows, film_columns, steps, Filmstrip::Shows::x_t);
  pred_x0_.emplace(sample, rows, film_columns, steps, Filmstrip::Shows::pred_x0);
  if (sample.rank() == 1) {
    constexpr Index shown = 24, points = 50;
    paths_.emplace(sample, std::min(request.count, shown), points, steps, Filmstrip::Shows::x_t);
  }
  request.observe = [this](Index first, Index step, const Tensor& x_t, const Tensor& pred_x0) {
    for (std::optional<Filmstrip>* film : {&x_t_, &pred_x0_, &paths_})
      if (*film) (*film)->observe(first, step, x_t, pred_x0);
  };
}

void RunReport::write_parts(const DiffusionModel& model, Index step, const Tensor& samples) {
  write_png(folder_.report_part("reverse.png"), picture_of_film(x_t_->frames(), x_t_->columns()));
  write_png(folder_.report_part("predicted.png"), picture_of_film(pred_x0_->frames(), pred_x0_->columns()));
  write_bound(folder_.report_part("bound.json"), model, unseen(), config_.sample.clip, step);
  if (paths_ && can_show_plane(model)) {
    write_text(folder_.report_part("plane.json"),
               plane_json(model, data_, unseen(), samples, step, paths_->frames(), paths_->columns()));
  }
}

std::vector<std::pair<std::string, double>> RunReport::nearness(const Tensor& samples) {
  if (held_out_ == nullptr || dynamic_cast<const StreamedImageSet*>(&data_) != nullptr) return {};
  constexpr Index enough = 256;
  if (held_out_median_ < 0) held_out_median_ = median_nearest(samples_of(Subset(*held_out_, enough)), data_);
  return {{"nearest_sample", median_nearest(samples, data_)}, {"nearest_held_out", held_out_median_}};
}

}  // namespace reverie::inline REVERIE_PRECISION
