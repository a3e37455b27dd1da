#pragma once
#include <set>
#include <span>
#include <string>

#include "benchmarks/reference/result.h"
#include "tensor/shape.h"

namespace reverie::inline REVERIE_PRECISION {

/// Holds a case's outputs against the wanted ones, in double. An element holds where
/// |got - want| <= atol + rtol |want|; a NaN never does, nor does an infinity unless the wanted one is the same.
class Comparison {
 public:
  Comparison(double rtol, double atol) : rtol_(rtol), atol_(atol) {}

  /// Another output. Shapes must be equal, save that a single number may have any number of axes.
  void add(const std::string& output, const Shape& got_shape, std::span<const double> got, const Shape& want_shape,
           std::span<const double> want);
  /// Fails if `output` was not added.
  void require(const std::string& output);
  /// Fails for a reason of its own; the first one counts.
  void fail(const std::string& why);

  /// The verdict, the largest errors, and for a failure the worst output. The relative error is that of the elements
  /// with |want| > atol: smaller ones are rounding noise or held by atol alone.
  CaseResult result() const;

 private:
  double rtol_, atol_;
  double abs_ = 0, rel_ = 0, worst_ = 0;  // worst_: error over what is allowed
  std::string worst_output_, failure_;
  std::set<std::string> seen_;
};

}  // namespace reverie::inline REVERIE_PRECISION
