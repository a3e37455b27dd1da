#pragma once
#include <set>
#include <span>
#include <string>

#include "benchmarks/reference/result.h"
#include "tensor/shape.h"

namespace reverie::inline REVERIE_PRECISION {

/// Compares a case's outputs with the expected ones, in double. An element is within tolerance if
/// |got - want| <= atol + rtol |want|; a NaN never is, and an infinity only if it is expected.
class Comparison {
 public:
  Comparison(double rtol, double atol) : rtol_(rtol), atol_(atol) {}

  /// Compares one output. Shapes must be equal, but a single number may have any number of axes.
  void add(const std::string& output, const Shape& got_shape, std::span<const double> got, const Shape& want_shape,
           std::span<const double> want);
  /// Fails if `output` was not added.
  void require(const std::string& output);
  /// Fails with a reason; the first one is kept.
  void fail(const std::string& why);

  /// The verdict, the largest errors, and for a failure the worst output. The relative error is over the elements with
  /// |want| > atol: smaller ones are rounding noise.
  CaseResult result() const;

 private:
  double rtol_, atol_;
  double abs_ = 0, rel_ = 0, worst_ = 0;  // worst_: error / tolerance
  std::string worst_output_, failure_;
  std::set<std::string> seen_;
};

}  // namespace reverie::inline REVERIE_PRECISION
