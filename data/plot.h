#pragma once
#include <string>
#include <vector>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// A line plot, for example of the loss over the training steps.
struct Plot {
  struct Series {
    std::string name;
    std::vector<double> x, y;  ///< of equal length; a value that can't be drawn (NaN, log of 0) interrupts the line
  };
  std::string title, x_label, y_label;
  bool log_y = false;
  std::vector<Series> series;
};

/// Returns the plot as SVG text. Throws Error for a series with x and y of different lengths.
std::string to_svg(const Plot& plot);
/// Writes the SVG file atomically.
void write_svg(const std::string& path, const Plot& plot);

}  // namespace reverie::inline REVERIE_PRECISION
