#pragma once
#include <deque>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "tensor/kernels/packing/packed_weights.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

/// Tensors in the order of a store's parameters: gradients, moments, moving averages.
using TensorList = std::vector<Tensor>;

/// Initialises a parameter.
using Init = std::function<void(const RandomKey&, Tensor&)>;
Init zeros();
Init ones();
/// N(0, deviation^2).
Init gaussian(double deviation = 1);
/// U(-1/sqrt(fan_in), 1/sqrt(fan_in)): PyTorch's default for weights and biases of linear and convolution layers.
Init uniform_fan_in(Index fan_in);
/// U(-b, b), b = sqrt(6 / (fan_in + fan_out)): preserves the variance both forward and backward.
/// [Glorot10] eq. 16
Init xavier_uniform(Index fan_in, Index fan_out);

/// A named tensor that is learned, with its name and shape in PyTorch's state dict.
struct Parameter {
  std::string name;
  Tensor value;
  Index slot;  ///< its index in the store and in every TensorList

  /// The parameter as a Var on the tape of `x`; a plain value if x has none.
  Var on(const Var& x) const { return x.tape() ? x.tape()->parameter(value, slot) : Var(value); }
};

class Scope;

/// All parameters of a network. A parameter cannot exist outside a store.
class ParameterStore {
 public:
  /// `seed` determines the initial values.
  explicit ParameterStore(std::uint64_t seed = 0) : seed_(seed) {}
  ParameterStore(const ParameterStore&) = delete;  // layers hold references into it
  ParameterStore& operator=(const ParameterStore&) = delete;

  Scope root();
  const std::deque<Parameter>& all() const { return parameters_; }
  std::size_t size() const { return parameters_.size(); }
  Index element_count() const;
  /// Looks up by name; null if there is none.
  const Parameter* find(const std::string& name) const;

  TensorList values() const;  ///< handles, sharing the data
  TensorList clone_values() const;
  TensorList zeros_like() const;
  /// Replaces the values and returns the old ones: for sampling with a moving average. Throws ShapeError if the shapes
  /// don't fit.
  TensorList exchange(TensorList values);
  /// While the result lives, kernels cache their packed weights, each until it has been used `uses` times (0: no
  /// limit). Don't change the values meanwhile.
  kernels::PackedWeights keep_packed(Index uses = 0) const { return kernels::PackedWeights(values(), uses); }

 private:
  friend class Scope;
  Parameter& add(const std::string& name, const Shape& shape, const Init& init);

  std::uint64_t seed_;
  std::deque<Parameter> parameters_;
};

/// A prefix of parameter names: layers built from `scope / "out_layers" / 3` add "out_layers.3.weight".
class Scope {
 public:
  Scope operator/(const std::string& name) const { return Scope(store_, path_.empty() ? name : path_ + "." + name); }
  Scope operator/(Index number) const { return *this / std::to_string(number); }
  Parameter& add(const std::string& name, const Shape& shape, const Init& init) const {
    return store_.add((*this / name).path_, shape, init);
  }
  const std::string& path() const { return path_; }

 private:
  friend class ParameterStore;
  Scope(ParameterStore& store, std::string path) : store_(store), path_(std::move(path)) {}

  ParameterStore& store_;
  std::string path_;
};

/// Replaces the values of a store while it lives.
class WithValues {
 public:
  WithValues(ParameterStore& store, const TensorList& values) : store_(store), saved_(store.exchange(values)) {}
  ~WithValues() { store_.exchange(std::move(saved_)); }
  WithValues(const WithValues&) = delete;
  WithValues& operator=(const WithValues&) = delete;

 private:
  ParameterStore& store_;
  TensorList saved_;
};

}  // namespace reverie::inline REVERIE_PRECISION
