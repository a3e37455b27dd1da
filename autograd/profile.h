#pragma once
#include <functional>

#include "autograd/flops.h"

namespace reverie::inline REVERIE_PRECISION {

/// A loss, a single number, recorded on the tape that is given: always the same work.
using RecordedLoss = std::function<Var(Tape& tape)>;

/// What a tape does for a loss, node by node, parameters included.
struct TapePlan {
  std::vector<Record> records;
  std::vector<Index> kept_bytes;  ///< as Tape::free_kept
  std::vector<Flops> flops;
  Index peak_bytes;  ///< the most that tensors held meanwhile, forward and backward, beyond what they held before
};
/// `slot_gradients` as for Tape::backward: what is added to them is of no interest.
TapePlan plan_tape(const RecordedLoss& loss, std::span<Tensor> slot_gradients);

/// Seconds that a tape takes for a loss. Of each node and of the whole it is the fastest of several runs, which other
/// work on the machine disturbs least.
struct TapeTimes {
  struct Seconds {
    double forward = 0, backward = 0;
    double total() const { return forward + backward; }
  };
  std::vector<Seconds> nodes;  ///< zero for parameters
  double constants = 0;        ///< operations on data alone, of which nothing is recorded
  Seconds whole, median;       ///< the fastest run (forward and backward apart), and the one in the middle
};
/// Runs `warm_up` times, then `runs` times with a clock. An operation's forward time is the time since the one before.
TapeTimes time_tape(const RecordedLoss& loss, std::span<Tensor> slot_gradients, int runs, int warm_up = 2);

}  // namespace reverie::inline REVERIE_PRECISION
