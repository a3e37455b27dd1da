#include "apps/run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iomanip>

#include "data/subset.h"
#include "diffusion/evaluation/comparison.h"
#include "diffusion/training/resume.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

SampleRequest preview_request(const Config& config, const DiffusionModel& model, const Dataset& data) {
  SampleRequest request = default_request(config);
  request.count = config.train.preview_count;
  request.seed = static_cast<std::uint64_t>(config.train.seed);
  borrow_conditions(request, model, data);
  return request;
}

Run::Run(Trainer& trainer, const Config& config, const Dataset& data, const Dataset* held_out, const RunFolder& folder,
         const Checkpoint* resumed)
    : trainer_(trainer),
      config_(config),
      held_out_(held_out),
      preview_request_(preview_request(config, trainer.model(), held_out ? *held_out : data)),
      folder_(folder),
      metrics_(folder.metrics(), resumed ? trainer.steps_done() : -1),
      progress_(share()),
      report_(folder, trainer, config, data, held_out),
      since_logged_(resumed ? LogWindow::from(resumed->log) : LogWindow{}),
      saved_step_(resumed ? trainer.steps_done() : -1) {}

void Run::catch_up() {
  if (since_logged_.steps > 0 && due(config_.train.log_every)) log();
  if (due(config_.train.validate_every) && !metrics_.has(trainer_.steps_done(), "validation_loss")) validate();
  const Index step = trainer_.steps_done();
  if (step > 0 && !done() && due(config_.train.preview_every) && !std::filesystem::exists(folder_.preview(step))) {
    preview();
  }
}

void Run::step() {
  const auto start = std::chrono::steady_clock::now();
  stepping_ = true;
  const StepReport report = trainer_.step();
  stepping_ = false;
  timed_seconds_ += seconds_since(start);
  ++timed_steps_;
  images_per_second_ = static_cast<double>(timed_steps_ * config_.train.batch_size) / timed_seconds_;
  since_logged_.add(report);
  shown_loss_ = shown_loss_ ? 0.95 * *shown_loss_ + 0.05 * report.loss : report.loss;
  if (due(config_.train.log_every)) log();
}

void Run::log() {
  const double loss = since_logged_.loss / static_cast<double>(since_logged_.steps);
  std::vector<std::pair<std::string, double>> values = {{"loss", loss}};
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {  // quarters of the noise range; loss_q1 is the least noisy
    if (const auto mean = since_logged_.quartiles.mean(quarter))
      values.emplace_back(concat("loss_q", quarter + 1), *mean);
  }
  values.insert(values.end(), {{"gradient_norm", since_logged_.gradient_norm},
                               {"learning_rate", since_logged_.learning_rate},
                               {"images_per_second", images_per_second_},
                               {"seconds", metrics_.seconds_before() + seconds_since(start_)}});
  metrics_.write(trainer_.steps_done(), values);
  unshown_.push_back(facts(loss));
  since_logged_ = {};
  timed_steps_ = 0;
  timed_seconds_ = 0;
  report_.update();
}

void Run::validate() {
  if (held_out_ == nullptr) return;
  const double loss = trainer_.validation_loss(*held_out_);
  if (!std::isfinite(loss)) throw Error("validation: after step ", trainer_.steps_done(), " the loss is ", loss);
  metrics_.write(trainer_.steps_done(), {{"validation_loss", loss}});
  unshown_.push_back(concat(at_step(), "  validation loss ", std::setprecision(4), std::showpoint, loss));
  report_.update();
}

void Run::record(const std::vector<std::pair<std::string, double>>& settings) {
  metrics_.write(trainer_.steps_done(), settings);
}

Checkpoint Run::checkpoint() const {
  Checkpoint checkpoint = checkpoint_of(trainer_, config_);
  checkpoint.log = since_logged_.values();
  return checkpoint;
}

void Run::save() {
  write_checkpoint(folder_.checkpoint(), checkpoint());
  saved_step_ = trainer_.steps_done();
}

void Run::keep() {
  make_folder(folder_.kept());
  write_checkpoint(folder_.kept(trainer_.steps_done()), checkpoint());
}

void Run::show() {
  if (shown_loss_) progress_.update(share(), facts(*shown_loss_));
  for (const std::string& line : unshown_) progress_.line(share(), line);
  unshown_.clear();
}

void Run::preview() {
  make_folder(folder_.previews());
  draw_samples(folder_.preview(trainer_.steps_done()));
  report_.update(true);
}

void Run::finish() {
  write_svg(folder_.loss_curve(), loss_curve(folder_.metrics()));
  const Tensor samples = draw_samples(folder_.samples());
  report_.update(true);
  progress_.note(
      printable(concat("trained for ", trainer_.steps_done(), " steps: ", folder_.checkpoint(), ", ", folder_.samples(),
                       ", ", folder_.report(), ", ", folder_.loss_curve(), ", ", folder_.metrics())));
  if (held_out_ == nullptr || samples.rank() != 4) return;
  const Tensor held_out = samples_of(Subset(*held_out_, config_.train.validation_count));
  progress_.note(concat("mean brightness of the samples ", std::setprecision(3), mean_of(brightness(samples)),
                        ", of held-out data ", mean_of(brightness(held_out))));
}

Tensor Run::draw_samples(const std::string& path) {
  Tensor samples;
  const Index step = trainer_.steps_done();
  trainer_.with_sampling_weights([&](const DiffusionModel& model) {
    report_.record(preview_request_, model);
    samples = generate(model, preview_request_, progress_.reporter(at_step() + "  sampling")).x;
    report_.write_parts(model, step, samples);
  });
  if (const auto distances = report_.nearness(samples); !distances.empty() && !metrics_.has(step, "nearest_sample"))
    metrics_.write(step, distances);
  write_png(path, picture_of(samples));
  return samples;
}

void Run::stop(const std::string& command) {
  if (saved_step_ != trainer_.steps_done()) save();
  show();
  report_.update(true);
  progress_.note(concat("stopped after step ", saved_step_, " of ", config_.train.steps, ", saved in ",
                        printable(folder_.checkpoint()), "\nto resume: ", command));
}

void Run::rescue() {
  if (stepping_ || saved_step_ == trainer_.steps_done()) return;
  try {
    save();
  } catch (const Error&) {
  }  // the error that came first is the one to report
}

std::string Run::last_checkpoint() const {
  if (saved_step_ < 0) return "no checkpoint was written yet";
  return concat("the checkpoint of step ", saved_step_, " stays in ", folder_.checkpoint());
}

std::string Run::facts(double loss) const {
  return concat(at_step(), "  loss ", std::setprecision(4), std::showpoint, loss, "  ",
                static_cast<Index>(images_per_second_), " samples/s");
}

}  // namespace reverie::inline REVERIE_PRECISION
