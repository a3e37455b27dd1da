// The tape alone: fits y = sin(3 x) by a small perceptron. No diffusion, just tensors, gradients and an optimizer.
#include <cmath>
#include <iostream>

#include "nn/layers.h"
#include "nn/optimizer.h"

using namespace reverie;

int main() {
  constexpr Index n = 64;
  Tensor x = Tensor::uninitialized({n, 1}), y = Tensor::uninitialized({n, 1});
  for (Index i = 0; i < n; ++i) {
    x[i] = static_cast<real>(2.0 * i / (n - 1) - 1);
    y[i] = static_cast<real>(std::sin(3 * x[i]));
  }
  ParameterStore parameters(1);
  const Scope root = parameters.root();
  const Linear first(root / "first", 1, 32), second(root / "second", 32, 32), last(root / "last", 32, 1);
  Optimizer optimizer({.name = "adam"}, parameters);

  for (Index step = 0; step <= 1000; ++step) {
    Tape tape;
    const Var on_tape = tape.constant(x);
    const Var fit = last(silu(second(silu(first(on_tape)))));
    const Var loss = mean(square(fit - y));
    if (step % 250 == 0) std::cout << "step " << step << ": mean squared error " << loss.item() << "\n";
    TensorList gradient = parameters.zeros_like();
    tape.backward(loss, gradient);  // frees the tape's saved tensors on the way
    optimizer.step(gradient, 3e-3, 1, {});
  }
}
