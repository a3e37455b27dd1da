#pragma once
#include <string>
#include <vector>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// A page of docs/tour. Its numbers are checked against what the library computes.
class Page {
 public:
  /// `file`: its name in docs/tour.
  explicit Page(const std::string& file);

  /// Checks that a text occurs on the page exactly once, and that the numbers on it are these values, rounded as they
  /// are printed. `text` has {} for each number; a space stands for any white space. A number is printed like -0.25,
  /// 1,000, 4.04e-05 or 4.04 \cdot 10^{-5}.
  void says(const std::string& text, const std::vector<double>& values) const;

 private:
  std::string file_, text_;
};

}  // namespace reverie::inline REVERIE_PRECISION
