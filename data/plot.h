#pragma once
#include <string>
#include <vector>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// A line plot: a loss over the steps, say.
struct Plot {
  struct Series {
    std::string name;
    std::vector<double> x, y;  ///< of the same length; a value that can't be drawn (NaN, log of 0) breaks the line
  };
  std::string title, x_label, y_label;
  bool log_y = false;
  std::vector<Series> series;
};

/// The plot as the text of an SVG picture. Throws Error for a series whose x and y have different lengths.
std::string to_svg(const Plot& plot);
/// Writes it, atomically.
void write_svg(const std::string& path, const Plot& plot);

}  // namespace reverie::inline REVERIE_PRECISION
