#include "autograd/tape.h"

#include <algorithm>
#include <cmath>

#include "tensor/kernels/elementwise.h"
#include "tensor/storage.h"

namespace reverie::inline REVERIE_PRECISION {

namespace {

bool all_finite(const Tensor& x) {
  return std::all_of(x.values().begin(), x.values().end(), [](real v) { return std::isfinite(v); });
}

}  // namespace

Var remade(Var y, Remake remake) {
  if (y.tape() != nullptr) y.remake_ = std::make_shared<const Remake>(std::move(remake));
  return y;
}

int Gradients::node_of(int input) const {
  return tape_.nodes_[node_].record.inputs[input].node;
}

Tensor* Gradients::started(int input) {
  const int node = node_of(input);
  if (node < 0 || !tape_.gradients_[node].defined()) return nullptr;
  Tensor& gradient = tape_.gradients_[node];
  if (!gradient.unique()) gradient = gradient.clone();  // shared by `give`
  return &gradient;
}

Tensor* Gradients::wanted(int input) {
  if (Tensor* gradient = started(input)) return gradient;
  const Record::Input& x = tape_.nodes_[node_].record.inputs[input];
  if (x.node < 0) return nullptr;
  return &(tape_.gradients_[x.node] = Tensor::zeros(x.shape));
}

void Gradients::compute(int input, const std::function<void(Tensor& dx, bool accumulate)>& compute) {
  if (!wants(input)) return;
  if (Tensor* sum = started(input)) return compute(*sum, true);
  const std::vector<Record::Input>& inputs = tape_.nodes_[node_].record.inputs;
  Tensor dx = Tensor::uninitialized(inputs[input].shape);
  compute(dx, false);
  give(input, std::move(dx));
}

void Gradients::give(int input, Tensor gradient) {
  const Record& record = tape_.nodes_[node_].record;
  const Record::Input& x = record.inputs[input];
  if (x.node < 0) return;
  require_shape(record.op, "a gradient", gradient.shape(), x.shape);
  if (Tensor* sum = started(input)) {
    kernels::accumulate(
        *sum, [](real g) { return g; }, gradient);
  } else {
    tape_.gradients_[x.node] = std::move(gradient);
  }
}

Var Tape::leaf(const char* op, Tensor value, Index slot) {
  nodes_.push_back({{op, {}, value.shape(), slot}, nullptr});
  return Var(std::move(value), this, static_cast<int>(nodes_.size()) - 1);
}

Var Tape::variable(Tensor value) { return leaf("variable", std::move(value), -1); }

Var Tape::parameter(const Tensor& value, Index slot) {
  if (frozen_) return constant(value);
  const auto known = parameters_.find(slot);
  if (known != parameters_.end()) return known->second;
  return parameters_[slot] = leaf("parameter", value, slot);
}

Var Tape::append(const char* op, Tensor y, std::span<const Var> inputs, Backward backward) {
  if (check_ == Check::finite && !all_finite(y)) throw NotFiniteError("the result of ", op, " is not finite");
  bool wanted = false;
  Record record{op, {}, y.shape(), -1};
  record.inputs.reserve(inputs.size());
  for (const Var& x : inputs) {
    record.inputs.push_back({x.node(), x.shape()});
    wanted = wanted || x.needs_gradient();
  }
  const int node = wanted ? static_cast<int>(nodes_.size()) : -1;
  if (wanted) nodes_.push_back({std::move(record), std::move(backward)});
  if (observer_) observer_(TapeEvent::computed, node);
  return Var(std::move(y), this, node);
}

void Tape::backward(const Var& loss, std::span<Tensor> slot_gradients) {
  if (loss.size() != 1) throw ShapeError("backward: the loss has shape ", loss.shape(), ", wants a single number");
  backward(loss, Tensor::full(loss.shape(), 1), slot_gradients);
}

void Tape::backward(const Var& y, const Tensor& dy, std::span<Tensor> slot_gradients) {
  if (y.tape() != this || !y.needs_gradient())
    throw Error("backward: the result does not depend on anything on this tape");
  if (!gradients_.empty()) throw Error("backward: this tape has already been consumed");
  require_shape("backward", "the covector", dy.shape(), y.shape());
  gradients_.resize(nodes_.size());
  const auto for_slots = [&](auto body) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const Index slot = nodes_[i].record.slot;
      if (slot >= 0 && slot < std::ssize(slot_gradients)) body(slot_gradients[slot], i);
    }
  };
  // A parameter's gradient is added to the caller's tensor, not to one of its own.
  for_slots([&](Tensor& slot, std::size_t i) { gradients_[i] = std::move(slot); });
  Tensor& first = gradients_[y.node()];  // defined only if y is itself a parameter
  if (first.defined()) {
    if (!first.unique()) first = first.clone();
    kernels::accumulate(
        first, [](real g) { return g; }, dy);
  } else {
    first = dy;
  }
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    Node& node = nodes_[i];
    if (!node.backward) continue;  // a leaf keeps its gradient
    if (observer_) observer_(TapeEvent::backward_begins, static_cast<int>(i));
    if (gradients_[i].defined()) {
      Gradients gradients(*this, static_cast<int>(i), std::move(gradients_[i]));
      node.backward(gradients);
      if (check_ == Check::finite) check_gradients(node.record);
    }
    gradients_[i] = {};
    node.backward = nullptr;  // frees what the operation kept
    if (observer_) observer_(TapeEvent::backward_ends, static_cast<int>(i));
  }
  for_slots([&](Tensor& slot, std::size_t i) {
    if (gradients_[i].defined() && !gradients_[i].unique()) gradients_[i] = gradients_[i].clone();
    slot = gradients_[i];
  });
}

std::vector<Index> Tape::free_kept() {
  if (!gradients_.empty()) throw Error("free_kept: this tape has already been consumed");
  gradients_.resize(nodes_.size());
  std::vector<Index> kept(nodes_.size());
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    const Index before = memory_use().live_bytes;
    nodes_[i].backward = nullptr;
    kept[i] = before - memory_use().live_bytes;
  }
  return kept;
}

void Tape::check_gradients(const Record& record) const {
  for (const Record::Input& x : record.inputs) {
    if (x.node < 0) continue;
    const Tensor& gradient = gradients_[x.node];
    if (gradient.defined() && !all_finite(gradient)) {
      throw NotFiniteError("the gradient that ", record.op, " passes back is not finite");
    }
  }
}

Tensor Tape::gradient(const Var& variable) const {
  if (variable.tape() != this || !variable.needs_gradient()) throw Error("gradient: not a variable of this tape");
  if (gradients_.empty()) throw Error("gradient: call backward first");
  const Tensor& gradient = gradients_[variable.node()];
  return gradient.defined() ? gradient : Tensor::zeros(variable.shape());
}

std::vector<Record> Tape::records() const {
  std::vector<Record> records;
  for (const Node& node : nodes_) records.push_back(node.record);
  return records;
}

Var record(const char* op, Tensor y, std::span<const Var> inputs, Backward backward) {
  Tape* tape = nullptr;
  for (const Var& x : inputs) {
    if (x.tape() == nullptr || x.tape() == tape) continue;
    if (tape != nullptr) throw Error(op, ": its inputs are on two different tapes");
    tape = x.tape();
  }
  return tape == nullptr ? Var(std::move(y)) : tape->append(op, std::move(y), inputs, std::move(backward));
}

Var record(const char* op, Tensor y, std::initializer_list<Var> inputs, Backward backward) {
  return record(op, std::move(y), std::span(inputs.begin(), inputs.size()), std::move(backward));
}

}  // namespace reverie::inline REVERIE_PRECISION
