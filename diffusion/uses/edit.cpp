#include "diffusion/uses/edit.h"

#include <algorithm>
#include <cmath>

namespace reverie::inline REVERIE_PRECISION {

Tensor slerp(const Tensor& ends, Index count) {
  if (ends.rank() < 1 || ends.extent(0) != 2)
    throw ShapeError("slerp: expects two noises, [2,...], got ", ends.shape());
  if (count < 2) throw UsageError("interpolation: ", count, " samples; expects at least 2, the two ends");
  const Tensor a = ends.rows(0, 1), b = ends.rows(1, 2);
  double aa = 0, bb = 0, ab = 0;
  for (Index i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    aa += x * x, bb += y * y, ab += x * y;
  }
  const double cosine = aa > 0 && bb > 0 ? std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0) : 1;
  const double angle = std::acos(cosine), sine = std::sin(angle);
  Tensor all = Tensor::uninitialized(ends.shape().with(0, count));
  for (Index k = 0; k < count; ++k) {
    const double share = static_cast<double>(k) / static_cast<double>(count - 1);
    // Along one direction the arc is the straight line.
    const double of_a = sine > 1e-6 ? std::sin((1 - share) * angle) / sine : 1 - share;
    const double of_b = sine > 1e-6 ? std::sin(share * angle) / sine : share;
    for (Index i = 0; i < a.size(); ++i)
      all[k * a.size() + i] = static_cast<real>(of_a * static_cast<double>(a[i]) + of_b * static_cast<double>(b[i]));
  }
  return all;
}

std::vector<Index> evenly_spaced(Index count, Index steps) {
  count = std::min(count, steps);
  std::vector<Index> some;
  for (Index i = 1; i <= count; ++i) some.push_back(i * steps / count - 1);
  return some;
}

Tensor forward_film(const Process& process, const Tensor& x0, const Tensor& noise, std::span<const Index> t) {
  const Index rows = x0.extent(0), columns = 1 + std::ssize(t);
  Tensor frames = Tensor::uninitialized(x0.shape().with(0, rows * columns));
  for (Index column = 0; column < columns; ++column) {
    const Tensor x_t = column == 0 ? x0 : process.q_sample(x0, std::vector<Index>(rows, t[column - 1]), noise).value();
    for (Index row = 0; row < rows; ++row) {
      const Index frame = row * columns + column;
      frames.rows(frame, frame + 1).copy_from(x_t.rows(row, row + 1));
    }
  }
  return frames;
}

Filmstrip::Filmstrip(const Shape& sample, Index rows, Index columns, Index steps, Shows shows)
    : rows_(rows), steps_(evenly_spaced(columns, steps)), shows_(shows) {
  if (rows < 1 || columns < 1 || steps < 1)
    throw UsageError("film strip: ", rows, " samples after ", columns, " of ", steps, " steps; expects at least 1");
  std::vector<Index> extents = {rows * this->columns()};
  extents.insert(extents.end(), sample.begin(), sample.end());
  frames_ = Tensor::zeros(Shape(extents));
}

void Filmstrip::observe(Index first_sample, Index step, const Tensor& x_t, const Tensor& pred_x0) {
  const auto column = std::lower_bound(steps_.begin(), steps_.end(), step);
  if (column == steps_.end() || *column != step) return;
  const Tensor& shown = shows_ == Shows::x_t ? x_t : pred_x0;
  for (Index i = 0; i < shown.extent(0) && first_sample + i < rows_; ++i) {  // no two threads have the same sample
    const Index frame = (first_sample + i) * columns() + (column - steps_.begin());
    frames_.rows(frame, frame + 1).copy_from(shown.rows(i, i + 1));
  }
}

}  // namespace reverie::inline REVERIE_PRECISION
