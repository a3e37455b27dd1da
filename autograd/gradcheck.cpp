#include "autograd/gradcheck.h"

#include <cmath>

#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

double contract(const Tensor& y, const Tensor& covector) {
  double sum = 0;
  for (Index i = 0; i < y.size(); ++i) sum += double{y[i]} * covector[i];
  return sum;
}

}  // namespace

GradcheckResult gradcheck(const std::function<Var(std::span<const Var>)>& f, std::span<const Tensor> inputs, double h) {
  Tape tape;
  std::vector<Var> on_tape, off_tape;
  std::vector<Tensor> points;
  for (const Tensor& input : inputs) {
    on_tape.push_back(tape.variable(input.clone()));
    points.push_back(input.clone());
    off_tape.emplace_back(points.back());  // shares the data, which the loop below changes
  }
  const Var y = f(on_tape);
  const Tensor covector = normal({.seed = 17, .stream = Stream::probe}, y.shape());
  tape.backward(y, covector, {});

  GradcheckResult worst;
  for (int i = 0; i < std::ssize(points); ++i) {
    const Tensor analytic = tape.gradient(on_tape[i]);
    for (Index j = 0; j < points[i].size(); ++j) {
      const real x = points[i][j];
      points[i][j] = x + real(h);
      const double above = contract(f(off_tape).value(), covector);
      points[i][j] = x - real(h);
      const double below = contract(f(off_tape).value(), covector);
      points[i][j] = x;
      const double numeric = (above - below) / (2 * h);
      const double error = std::abs(analytic[j] - numeric) / (1 + std::abs(numeric));
      if (!(error <= worst.error)) worst = {error, i, j, analytic[j], numeric};
    }
  }
  return worst;
}

}  // namespace reverie::inline REVERIE_PRECISION
