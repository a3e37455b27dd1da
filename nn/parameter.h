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

/// How a parameter starts.
using Init = std::function<void(const RandomKey&, Tensor&)>;
Init zeros();
Init ones();
/// N(0, deviation^2).
Init gaussian(double deviation = 1);
/// U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's default for linear and convolution layers, weights and biases alike.
Init uniform_fan_in(Index fan_in);
/// U(-b, b), b = sqrt(6 / (fan_in + fan_out)): keeps variances alike forward and backward. [Glorot10] eq. 16
Init xavier_uniform(Index fan_in, Index fan_out);

/// A named tensor that is learned. Its name is its name in PyTorch's state dict, its shape PyTorch's.
struct Parameter {
  std::string name;
  Tensor value;
  Index slot;  ///< its place in the store, and in every TensorList

  /// The parameter as a Var on the tape that `x` is on (none: a plain value).
  Var on(const Var& x) const { return x.tape() ? x.tape()->parameter(value, slot) : Var(value); }
};

class Scope;

/// All parameters of a network. A parameter cannot exist outside a store.
class ParameterStore {
 public:
  /// `seed` decides how the parameters start.
  explicit ParameterStore(std::uint64_t seed = 0) : seed_(seed) {}
  ParameterStore(const ParameterStore&) = delete;  // layers hold references into it
  ParameterStore& operator=(const ParameterStore&) = delete;

  Scope root();
  const std::deque<Parameter>& all() const { return parameters_; }
  std::size_t size() const { return parameters_.size(); }
  Index element_count() const;
  /// Null if there is none of this name.
  const Parameter* find(const std::string& name) const;

  TensorList values() const;  ///< handles, sharing the data
  TensorList clone_values() const;
  TensorList zeros_like() const;
  /// Puts other tensors in the place of the values (and gives back what was there): how moving averages are sampled
  /// from. Throws ShapeError if they don't fit.
  TensorList exchange(TensorList values);
  /// As long as the result lives, kernels keep what they make of the weights (until it has been used `uses` times, if
  /// that is known); nobody may change the values meanwhile.
  kernels::PackedWeights keep_packed(Index uses = 0) const { return kernels::PackedWeights(values(), uses); }

 private:
  friend class Scope;
  Parameter& add(const std::string& name, const Shape& shape, const Init& init);

  std::uint64_t seed_;
  std::deque<Parameter> parameters_;
};

/// A place in the tree of names: `scope / "out_layers" / 3` adds parameters called "out_layers.3.weight".
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

/// Puts other values in a store for as long as it lives.
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
