#pragma once
#include <chrono>
#include <functional>
#include <string>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// What long work shows on standard output: on a terminal one line (bar, facts, time left) that is drawn over and over,
/// in a pipe or file plain lines.
class Progress {
 public:
  /// `share`: how much was done before (a run that goes on); it tells nothing of the speed.
  explicit Progress(double share = 0);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// For a terminal: draws the line anew, now and then. `share` of the work is done; `facts` fit in about 50 columns.
  void update(double share, const std::string& facts);
  /// For a pipe: the same as a line of its own.
  void line(double share, const std::string& facts);
  /// A line that stays, anywhere.
  void note(const std::string& text);
  std::string elapsed() const;  ///< "12.3 s"
  /// Takes the drawn line away.
  void clear();

  /// What `generate` and `evaluate_bound` report to: shows the share, in a pipe every ten seconds. Throws Interrupted
  /// if the user wants to stop.
  std::function<bool(double)> reporter(const std::string& task);

 private:
  using Clock = std::chrono::steady_clock;
  std::string time_left(double share) const;

  bool terminal_;
  double share_before_;
  Clock::time_point start_ = Clock::now(), drawn_{};
  std::size_t drawn_columns_ = 0;
};

/// "0:07", "12:34", "1:02:03"
std::string duration_text(double seconds);

/// Columns of the terminal on standard output; 80 if it doesn't say.
int terminal_columns();

}  // namespace reverie::inline REVERIE_PRECISION
