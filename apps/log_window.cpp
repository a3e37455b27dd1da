#include "apps/log_window.h"

namespace reverie::inline REVERIE_PRECISION {

void LogWindow::add(const StepReport& report) {
  ++steps;
  loss += report.loss;
  quartiles += report.quartiles;
  gradient_norm = report.gradient_norm;
  learning_rate = report.learning_rate;
}

std::map<std::string, double> LogWindow::values() const {
  if (steps == 0) return {};
  std::map<std::string, double> values = {{"steps", static_cast<double>(steps)},
                                          {"loss", loss},
                                          {"gradient_norm", gradient_norm},
                                          {"learning_rate", learning_rate}};
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    values[concat("loss_q", quarter + 1)] = quartiles.sum[quarter];
    values[concat("count_q", quarter + 1)] = static_cast<double>(quartiles.count[quarter]);
  }
  return values;
}

LogWindow LogWindow::from(const std::map<std::string, double>& values) {
  const auto value = [&](const std::string& name) {
    const auto found = values.find(name);
    return found == values.end() ? 0 : found->second;
  };
  LogWindow window;
  window.steps = static_cast<Index>(value("steps"));
  window.loss = value("loss");
  window.gradient_norm = value("gradient_norm");
  window.learning_rate = value("learning_rate");
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    window.quartiles.sum[quarter] = value(concat("loss_q", quarter + 1));
    window.quartiles.count[quarter] = static_cast<Index>(value(concat("count_q", quarter + 1)));
  }
  return window;
}

}  // namespace reverie::inline REVERIE_PRECISION
