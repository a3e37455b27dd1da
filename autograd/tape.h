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

/// Makes a tensor again that was computed before, to the same bits.
using Remake = std::function<Tensor()>;

/// A tensor, the tape that it is on (or none) and its place there. Without a tape nothing is recorded: the same code
/// then only computes. A Var whose gradient nobody wants (data, noise) has a tape but no place.
class Var {
 public:
  Var() = default;
  Var(Tensor value) : value_(std::move(value)) {}  // NOLINT: a tensor is a Var without a tape

  const Tensor& value() const { return value_; }
  /// The tensor, for whoever may write to it; what stays still tells its shape and its place on the tape.
  Tensor take_value() { return std::move(value_); }
  const Shape& shape() const { return value_.shape(); }
  int rank() const { return value_.rank(); }
  Index extent(int axis) const { return value_.extent(axis); }
  Index size() const { return value_.size(); }
  real item() const { return value_.item(); }
  Tape* tape() const { return tape_; }
  bool needs_gradient() const { return node_ >= 0; }
  int node() const { return node_; }  ///< place on the tape, -1 for none

 private:
  friend class Tape;
  friend class Kept;
  friend Var remade(Var y, Remake remake);
  Var(Tensor value, Tape* tape, int node) : value_(std::move(value)), tape_(tape), node_(node) {}

  Tensor value_;
  Tape* tape_ = nullptr;
  int node_ = -1;
  std::shared_ptr<const Remake> remake_;
};

/// y, with a way to make its value again: backward functions that need it then don't keep it. For results that take
/// less time to compute twice than memory to keep, from what is kept anyway. Without a tape nobody keeps anything.
Var remade(Var y, Remake remake);

/// What a backward function keeps of an input: the tensor, or the way to make it again.
class Kept {
 public:
  explicit Kept(const Var& x) : remake_(x.remake_) {
    if (!remake_) value_ = x.value();
  }
  Tensor value() const { return remake_ ? (*remake_)() : value_; }

  bool is_remade() const { return remake_ != nullptr; }

 private:
  Tensor value_;
  std::shared_ptr<const Remake> remake_;
};

/// What the backward function of an operation y = f(x_0, x_1, ...) sees: dL/dy, and where dL/dx_i has to be added.
class Gradients {
 public:
  const Tensor& output() const { return output_; }
  /// Whether anybody wants dL/dx_i.
  bool wants(int input) const { return node_of(input) >= 0; }
  /// Where to add dL/dx_i (zeros when first asked for), or null if nobody wants it.
  Tensor* wanted(int input);
  /// The same, but null where nothing has been added yet.
  Tensor* started(int input);
  /// dL/dx_i by compute(dx, accumulate), which adds to dx or, where nothing has been added yet, writes all of it.
  void compute(int input, const std::function<void(Tensor& dx, bool accumulate)>& compute);
  /// Adds `gradient` to dL/dx_i: where nothing was there yet, by sharing its memory.
  void give(int input, Tensor gradient);
  /// dL/dy itself, to be given on; others may hold it too, so that only a `unique` one may be written to.
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

/// A NaN or an infinity, and where it came from.
struct NotFiniteError : Error {
  using Error::Error;
};

/// One recorded operation, as the tape tells of it.
struct Record {
  struct Input {
    int node;  ///< -1: no gradient wanted
    Shape shape;
  };
  const char* op;
  std::vector<Input> inputs;
  Shape output;
  Index slot = -1;  ///< of a parameter
};

/// What a tape is doing: an operation has been computed, and stands at `node` (-1: its result is a constant, of which
/// nothing is recorded); or `backward` turns to a node, and leaves it, what it kept freed.
enum class TapeEvent { computed, backward_begins, backward_ends };
using TapeObserver = std::function<void(TapeEvent event, int node)>;

/// The record of one forward pass. Append order is topological order, so `backward` walks it from the end, without
/// recursion, and frees each operation's captured tensors as soon as they have served. A tape is made for one training
/// step (of one shard), used once and by one thread.
class Tape {
 public:
  /// `finite`: every result and every gradient is looked at, and the first that has a NaN or an infinity throws
  /// NotFiniteError, naming the operation. Slow: for explaining a step that has already gone wrong.
  enum class Check { none, finite };
  explicit Tape(Check check = Check::none) : check_(check) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// A tensor whose gradient nobody wants; what is computed from it and parameters is recorded here.
  Var constant(Tensor value) { return Var(std::move(value), this, -1); }
  /// A leaf whose gradient the tape's `gradient` tells after `backward`.
  Var variable(Tensor value);
  /// A parameter: a leaf whose gradient is added to slot_gradients[slot] of `backward`. Asking again gives the same
  /// leaf.
  Var parameter(const Tensor& value, Index slot);
  /// `observer` is told of everything that happens from now on: for timing.
  void observe(TapeObserver observer) { observer_ = std::move(observer); }
  /// From now on parameters are constants: for gradients with respect to `variable`s alone.
  void freeze_parameters() { frozen_ = true; }

  /// Appends y = op(inputs); free function `record` below is how operations call it.
  Var append(const char* op, Tensor y, std::span<const Var> inputs, Backward backward);

  /// Adds dL/dp of every parameter to its slot, where L is `loss`, a single number. A slot without a tensor gets one
  /// when there is something to add: in the middle of `backward`, when what the forward pass kept is on its way out.
  /// Consumes the tape. If it throws, the slots have lost their tensors.
  void backward(const Var& loss, std::span<Tensor> slot_gradients = {});
  /// The same for L = sum(y * dy), with a covector `dy` of y's shape.
  void backward(const Var& y, const Tensor& dy, std::span<Tensor> slot_gradients);
  /// After `backward`: dL/dx of a `variable`; zeros if L does not depend on it.
  Tensor gradient(const Var& variable) const;

  std::vector<Record> records() const;
  /// How many bytes of tensors each node keeps for `backward`, a tensor that several keep counted for the first of
  /// them. Not by a formula: what the operations captured is freed, last first, and the memory that comes back counted.
  /// Consumes the tape; tensors that somebody else holds (the caller's Vars, the parameters) are free of charge.
  std::vector<Index> free_kept();

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

/// The result of an operation: recorded on the inputs' tape if they have one, merely wrapped if not. Every operation
/// ends with this call; what its backward function captures is what the operation keeps in memory.
Var record(const char* op, Tensor y, std::span<const Var> inputs, Backward backward);
Var record(const char* op, Tensor y, std::initializer_list<Var> inputs, Backward backward);

}  // namespace reverie::inline REVERIE_PRECISION
