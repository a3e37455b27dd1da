#include "autograd/tape.h"

#include <algorithm>
#include <cmath>

#include "tensor/finite.h"
#include "tensor/kernels/elementwise.h"
#include "tensor/storage.h"

namespace reverie::inline REVERIE_PRECISION {

namespace {

bool all_finite(const Tensor& x) { return first_not_finite(x) == x.values().size(); }

}  // namespace

Var recomputable(Var y, Recompute recompute) {
  if (y.tape() != nullptr) y.recompute_ = std::make_shared<const Recompute>(std::move(recompute));
  return y;
}

int Gradients::node_of(int input) const { return tape_.nodes_[node_].record.inputs[input].node; }

Tensor* Gradients::existing(int input) {
  const int node = node_of(input);
  if (node < 0 || !tape_.gradients_[node].defined()) return nullptr;
  Tensor& gradient = tape_.gradients_[node];
  if (!gradient.unique()) gradient = gradient.clone();  // shared by `add`
  return &gradient;
}

Tensor* Gradients::gradient(int input) {
  if (Tensor* sum = existing(input)) return sum;
  const Record::Input& x = tape_.nodes_[node_].record.inputs[input];
  if (x.node < 0) return nullptr;
  return &(tape_.gradients_[x.node] = Tensor::zeros(x.shape));
}

void Gradients::compute(int input, const std::function<void(Tensor& dx, bool accumulate)>& compute) {
  if (!needs(input)) return;
  if (Tensor* sum = existing(input)) return compute(*sum, true);
  const std::vector<Record::Input>& inputs = tape_.nodes_[node_].record.inputs;
  Tensor dx = Tensor::uninitialized(inputs[input].shape);
  compute(dx, false);
  add(input, std::move(dx));
}

void Gradients::add(int input, Tensor gradient) {
  const Record& record = tape_.nodes_[node_].record;
  const Record::Input& x = record.inputs[input];
  if (x.node < 0) return;
  require_shape(record.op, "a gradient", gradient.shape(), x.shape);
  if (Tensor* sum = existing(input)) {
    kernels::accumulate(
        *sum, [](real g) { return g; }, gradient);
  } else {
    tape_.gradients_[x.node] = std::move(gradient);
  }
}

Var Tape::leaf(const char* op, Tensor value, Index slot) {
  nodes_.push_back({{op, {}, value.shape(), slot}, nullptr});
  return Var(std::move(value), this, std::ssize(nodes_) - 1);
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
  bool needed = false;
  Record record{op, {}, y.shape(), -1};
  record.inputs.reserve(inputs.size());
  for (const Var& x : inputs) {
    record.inputs.push_back({x.node(), x.shape()});
    needed = needed || x.needs_gradient();
  }
  const int node = needed ? std::ssize(nodes_) : -1;
  if (needed) nodes_.push_back({std::move(record), std::move(backward)});
  if (observer_) observer_(TapeEvent::computed, node);
  return Var(std::move(y), this, node);
}

void Tape::backward(const Var& loss, std::span<Tensor> slot_gradients) {
  if (loss.size() != 1) throw ShapeError("backward: expects a loss of a single number, got the shape ", loss.shape());
  backward(loss, Tensor::full(loss.shape(), 1), slot_gradients);
}

void Tape::backward(const Var& y, const Tensor& dy, std::span<Tensor> slot_gradients) {
  if (y.tape() != this || !y.needs_gradient()) throw Error("backward: the result depends on nothing on this tape");
  if (!gradients_.empty()) throw Error("backward: this tape has already been consumed");
  require_shape("backward", "the covector", dy.shape(), y.shape());
  gradients_.resize(nodes_.size());
  const auto for_slots = [&](auto body) {
    for (Index i = 0; i < std::ssize(nodes_); ++i) {
      const Index slot = nodes_[i].record.slot;
      if (slot >= 0 && slot < std::ssize(slot_gradients)) body(slot_gradients[slot], i);
    }
  };
  // Parameters' gradients are added to the caller's tensors directly.
  for_slots([&](Tensor& slot, Index i) { gradients_[i] = std::move(slot); });
  Tensor& first = gradients_[y.node()];  // defined only if y is itself a parameter
  if (first.defined()) {
    if (!first.unique()) first = first.clone();
    kernels::accumulate(
        first, [](real g) { return g; }, dy);
  } else {
    first = dy;
  }
  for (int i = std::ssize(nodes_); i-- > 0;) {
    Node& node = nodes_[i];
    if (!node.backward) continue;  // a leaf: its gradient stays
    if (observer_) observer_(TapeEvent::backward_begins, i);
    if (gradients_[i].defined()) {
      Gradients gradients(*this, i, std::move(gradients_[i]));
      node.backward(gradients);
      if (check_ == Check::finite) check_gradients(node.record);
    }
    gradients_[i] = {};
    node.backward = nullptr;  // frees the saved tensors
    if (observer_) observer_(TapeEvent::backward_ends, i);
  }
  for_slots([&](Tensor& slot, Index i) {
    if (gradients_[i].defined() && !gradients_[i].unique()) gradients_[i] = gradients_[i].clone();
    slot = gradients_[i];
  });
}

std::vector<Index> Tape::free_saved_tensors() {
  if (!gradients_.empty()) throw Error("free_saved_tensors: this tape has already been consumed");
  gradients_.resize(nodes_.size());
  std::vector<Index> bytes(nodes_.size());
  for (Index i = std::ssize(nodes_); i-- > 0;) {
    const Index before = memory_use().live_bytes;
    nodes_[i].backward = nullptr;
    bytes[i] = before - memory_use().live_bytes;
  }
  return bytes;
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
