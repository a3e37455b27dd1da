// A loop over f().value().values() read memory that was freed before its first turn.
#include <doctest/doctest.h>

#include <type_traits>

#include "autograd/ops.h"

using namespace reverie;

namespace {

template <class T>
concept HasValues = requires(T&& tensor) {
  static_cast<T&&>(tensor).values();
};

static_assert(HasValues<Tensor&> && HasValues<const Tensor&> && !HasValues<Tensor> && !HasValues<const Tensor>);
static_assert(std::is_same_v<decltype(std::declval<Var>().value()), Tensor>);
static_assert(std::is_same_v<decltype(std::declval<Var>().shape()), Shape>);
static_assert(std::is_same_v<decltype(std::declval<Tensor>().shape()), Shape>);

}  // namespace

TEST_CASE("the value and the shape of a temporary live as long as the references that hold them") {
  const Tensor x = Tensor::from({3}, {1, 2, 3});
  const Tensor& y = (Var(x) + Var(x)).value();
  const Shape& shape = (Var(x) + Var(x)).shape();
  CHECK(y.unique());
  CHECK(y[2] == 6);
  CHECK(shape == Shape{3});
  double sum = 0;
  for (const Index extent : (Var(x) + Var(x)).shape()) sum += static_cast<double>(extent);
  CHECK(sum == 3);
}
