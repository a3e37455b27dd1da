#include "nn/parameter.h"

#include <cmath>

namespace reverie::inline REVERIE_PRECISION {

Init zeros() {
  return [](const RandomKey&, Tensor& value) { value.fill(0); };
}

Init ones() {
  return [](const RandomKey&, Tensor& value) { value.fill(1); };
}

Init gaussian(double deviation) {
  return [deviation](const RandomKey& key, Tensor& value) {
    fill_normal(key, value.values());
    for (real& v : value.values()) v *= real(deviation);
  };
}

static Init uniform(double bound) {
  return [bound](const RandomKey& key, Tensor& value) { fill_uniform(key, -bound, bound, value.values()); };
}

Init uniform_fan_in(Index fan_in) { return uniform(1 / std::sqrt(double(fan_in))); }

Init xavier_uniform(Index fan_in, Index fan_out) { return uniform(std::sqrt(6.0 / (fan_in + fan_out))); }

Scope ParameterStore::root() { return Scope(*this, ""); }

Index ParameterStore::element_count() const {
  Index count = 0;
  for (const Parameter& p : parameters_) count += p.value.size();
  return count;
}

const Parameter* ParameterStore::find(const std::string& name) const {
  for (const Parameter& p : parameters_) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

TensorList ParameterStore::values() const {
  TensorList list;
  for (const Parameter& p : parameters_) list.push_back(p.value);
  return list;
}

TensorList ParameterStore::clone_values() const {
  TensorList list;
  for (const Parameter& p : parameters_) list.push_back(p.value.clone());
  return list;
}

TensorList ParameterStore::zeros_like() const {
  TensorList list;
  for (const Parameter& p : parameters_) list.push_back(Tensor::zeros(p.value.shape()));
  return list;
}

TensorList ParameterStore::exchange(TensorList values) {
  if (values.size() != size()) throw ShapeError("parameters: expects ", size(), " tensors, got ", values.size());
  for (const Parameter& p : parameters_) {
    require_shape("parameters", p.name.c_str(), values[p.slot].shape(), p.value.shape());
  }
  for (Parameter& p : parameters_) std::swap(p.value, values[p.slot]);
  return values;
}

Parameter& ParameterStore::add(const std::string& name, const Shape& shape, const Init& init) {
  if (find(name) != nullptr) throw Error("parameters: the name ", name, " is taken");
  const Index slot = size();
  Parameter& p = parameters_.emplace_back(Parameter{name, Tensor::uninitialized(shape), slot});
  init(RandomKey{.seed = seed_, .stream = Stream::init}.with_channel(slot), p.value);
  return p;
}

}  // namespace reverie::inline REVERIE_PRECISION
