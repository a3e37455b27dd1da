#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

class Tape;

/// Computes a tensor again that was computed before, to the same bits.
using Recompute = std::function<Tensor()>;

/// A tensor and, if there is a tape, its node there. Without a tape the same code only computes and records nothing. A
/// Var whose gradient is not needed (data, noise) has a tape, but no node.
class Var {
 public:
  Var() = default;
  Var(Tensor value) : value_(std::move(value)) {}  // NOLINT: a tensor is a Var without a tape

  const Tensor& value() const& { return value_; }
  Tensor value() && { return std::move(value_); }
  /// Moves the tensor out so that the caller may overwrite it; the Var keeps its shape and its position on the tape.
  Tensor take_value() { return std::move(value_); }
  const Shape& shape() const& { return value_.shape(); }
  Shape shape() && { return value_.shape(); }
  int rank() const { return value_.rank(); }
  Index extent(int axis) const { return value_.extent(axis); }
  Index size() const { return value_.size(); }
  real item() const { return value_.item(); }
  Tape* tape() const { return tape_; }
  bool needs_gradient() const { return node_ >= 0; }
  int node() const { return node_; }  ///< position on the tape, -1 for none

 private:
  friend class Tape;
  friend class SavedTensor;
  friend Var recomputable(Var y, Recompute recompute);
  Var(Tensor value, Tape* tape, int node) : value_(std::move(value)), tape_(tape), node_(node) {}

  Tensor value_;
  Tape* tape_ = nullptr;
  int node_ = -1;
  std::shared_ptr<const Recompute> recompute_;
};

/// Returns y with a way to compute it again, so that backward functions that need y do not save it. For results that
/// are cheap to recompute from tensors that are saved anyway.
Var recomputable(Var y, Recompute recompute);

/// An input that a backward function needs: it saves the tensor or, if the input is recomputable, recomputes it.
class SavedTensor {
 public:
  explicit SavedTensor(const Var& x) : recompute_(x.recompute_) {
    if (!recompute_) value_ = x.value();
  }
  Tensor value() const { return recompute_ ? (*recompute_)() : value_; }
  bool is_recomputed() const { return recompute_ != nullptr; }

 private:
  Tensor value_;
  std::shared_ptr<const Recompute> recompute_;
};

/// The argument of the backward function of y = f(x_0, x_1, ...): it reads dL/dy and adds to each dL/dx_i.
/// Adds, because a value that is used twice, as x in y = g(x) + h(x), gets a gradient from each use, and the chain rule
/// sums them: dL/dx = dL/dg g'(x) + dL/dh h'(x). An operation sees only its own use.
class Gradients {
 public:
  const Tensor& output() const { return output_; }  ///< dL/dy
  /// Whether dL/dx_i is needed.
  bool needs(int input) const { return node_of(input) >= 0; }
  /// dL/dx_i, to add to (zeros at first); null if it is not needed.
  Tensor* gradient(int input);
  /// The same, but also null while nothing has been added to it.
  Tensor* existing(int input);
  /// Calls compute(dx, accumulate), which adds to dL/dx_i or, if nothing has been added yet, overwrites it.
  void compute(int input, const std::function<void(Tensor& dx, bool accumulate)>& compute);
  /// Adds `gradient` to dL/dx_i. If nothing has been added yet, dL/dx_i shares its memory.
  void add(int input, Tensor gradient);
  /// Moves dL/dy out, to pass it on. Write to it only if it is `unique`: other nodes may share it.
  Tensor take_output() { return std::move(output_); }

 private:
  friend class Tape;
  Gradients(Tape& tape, int node, Tensor output) : tape_(tape), node_(node), output_(std::move(output)) {}
  int node_of(int input) const;
  Tape& tape_;
  int node_;
  Tensor output_;
};

using Backward = std::function<void(Gradients&)>;

/// Thrown for a NaN or an infinity; names the operation that produced it.
struct NotFiniteError : Error {
  using Error::Error;
};

/// The description of one recorded operation.
struct Record {
  struct Input {
    int node;  ///< -1: needs no gradient
    Shape shape;
  };
  const char* op;
  std::vector<Input> inputs;
  Shape output;
  Index slot = -1;  ///< a parameter's slot; -1 for anything else
};

/// An operation has been computed, as node `node` (-1: its result is a constant and is not recorded); or `backward`
/// enters a node, or leaves it with its saved tensors freed.
enum class TapeEvent { computed, backward_begins, backward_ends };
using TapeObserver = std::function<void(TapeEvent event, int node)>;

/// The record of one forward pass. Operations are appended in the order they run, which is a topological order, so
/// `backward` walks it from the end, without recursion, and frees each operation's saved tensors once they have been
/// used. Make a tape for one training step of one shard; use it once, from one thread.
class Tape {
 public:
  /// `finite`: checks every result and every gradient, and throws NotFiniteError at the first NaN or infinity. Slow:
  /// for explaining a step that has already gone wrong.
  enum class Check { none, finite };
  explicit Tape(Check check = Check::none) : check_(check) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// A tensor that needs no gradient. What is computed from it and from parameters is still recorded.
  Var constant(Tensor value) { return Var(std::move(value), this, -1); }
  /// A leaf with a gradient: read it with `gradient` after `backward`.
  Var variable(Tensor value);
  /// A parameter: a leaf whose gradient `backward` adds to slot_gradients[slot]. The same slot gives the same leaf.
  Var parameter(const Tensor& value, Index slot);
  /// Calls `observer` for every event from now on, for timing.
  void observe(TapeObserver observer) { observer_ = std::move(observer); }
  /// Treats parameters as constants from now on, for gradients with respect to `variable`s alone.
  void freeze_parameters() { frozen_ = true; }

  /// Appends y = op(inputs). Operations call it through the function `record` below.
  Var append(const char* op, Tensor y, std::span<const Var> inputs, Backward backward);

  /// Adds dL/dp of every parameter to its slot, where L is `loss`, a single number. An empty slot gets a tensor when
  /// its gradient is first added to; by then `backward` has freed part of the saved tensors. Consumes the tape. If it
  /// throws, the slots have lost their tensors.
  void backward(const Var& loss, std::span<Tensor> slot_gradients = {});
  /// The same for L = sum(y * dy), with a covector `dy` of y's shape.
  void backward(const Var& y, const Tensor& dy, std::span<Tensor> slot_gradients);
  /// Returns dL/dx of a `variable` after `backward`: zeros if L does not depend on it.
  Tensor gradient(const Var& variable) const;

  std::vector<Record> records() const;
  /// Returns how many bytes each node's saved tensors take; a tensor saved by several nodes counts for the first. It
  /// frees them, last node first, and measures the memory that comes back, so tensors that are also held elsewhere (by
  /// the caller, as parameters) count nothing. Consumes the tape.
  std::vector<Index> free_saved_tensors();

 private:
  friend class Gradients;
  struct Node {
    Record record;
    Backward backward;
  };
  Var leaf(const char* op, Tensor value, Index slot);
  void check_gradients(const Record& record) const;

  Check check_;
  TapeObserver observer_;
  bool frozen_ = false;
  std::vector<Node> nodes_;
  std::vector<Tensor> gradients_;  // dL/d(node), present only while needed
  std::unordered_map<Index, Var> parameters_;
};

/// Returns the result of an operation: recorded if an input is on a tape, else only wrapped. Every operation ends with
/// this call. The tensors that `backward` captures are the memory that the operation saves.
Var record(const char* op, Tensor y, std::span<const Var> inputs, Backward backward);
Var record(const char* op, Tensor y, std::initializer_list<Var> inputs, Backward backward);

}  // namespace reverie::inline REVERIE_PRECISION
