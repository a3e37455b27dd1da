#pragma once
#include <functional>

#include "autograd/flops.h"

namespace reverie::inline REVERIE_PRECISION {

/// Records a loss, a single number, on the given tape. Must do the same work every time.
using RecordedLoss = std::function<Var(Tape& tape)>;

/// The work and memory of a loss, node by node, parameters included.
struct TapePlan {
  std::vector<Record> records;
  std::vector<Index> saved_bytes;  ///< by Tape::free_saved_tensors
  std::vector<Flops> flops;
  Index peak_bytes;  ///< of tensors, during forward and backward, beyond those alive before
};
/// `slot_gradients` as for Tape::backward; their values are not used.
TapePlan plan_tape(const RecordedLoss& loss, std::span<Tensor> slot_gradients);

/// How long a loss takes, in seconds: for each node and in total, the fastest of several runs, because it is disturbed
/// least by other work on the machine.
struct TapeTimes {
  struct Seconds {
    double forward = 0, backward = 0;
    double total() const { return forward + backward; }
  };
  std::vector<Seconds> nodes;  ///< zero for parameters
  double constants = 0;        ///< operations on data alone, which are not recorded
  Seconds whole, median;       ///< the fastest run (forward and backward apart), and the median
};
/// Runs `warm_up` times untimed, then `runs` times. The forward time of an operation is the time since the one before
/// it.
TapeTimes time_tape(const RecordedLoss& loss, std::span<Tensor> slot_gradients, int runs, int warm_up = 2);

}  // namespace reverie::inline REVERIE_PRECISION
