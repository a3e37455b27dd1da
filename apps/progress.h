#pragma once
#include <chrono>
#include <functional>
#include <string>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Prints and flushes a text. Drops it if standard output is closed, or if a signal was noted while nobody reads it (a
/// paused pager or terminal), because output must not keep the work from ending.
void print(const std::string& text);

/// Shows the progress of long work on standard output: on a terminal one line (bar, facts, time left), redrawn in
/// place; in a pipe or file plain lines.
class Progress {
 public:
  /// `share` of the work was done by an earlier run and doesn't count for the time left.
  explicit Progress(double share = 0);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// On a terminal, redraws the line, at most every 0.1 s. `share` of the work is done; `facts` fit in about 50
  /// columns.
  void update(double share, const std::string& facts);
  /// In a pipe or file, prints the same as a separate line.
  void line(double share, const std::string& facts);
  /// Prints a permanent line.
  void note(const std::string& text);
  std::string elapsed() const;  ///< "12.3 s"
  /// Erases the drawn line.
  void clear();

  /// Returns a callback for `generate` and `evaluate_bound` that shows the share of work done, in a pipe every ten
  /// seconds. Throws Interrupted after a signal.
  std::function<bool(double)> reporter(const std::string& task);

 private:
  using Clock = std::chrono::steady_clock;
  std::string time_left(double share) const;

  bool terminal_;
  double share_before_;
  Clock::time_point start_ = Clock::now(), drawn_{};
  std::size_t drawn_columns_ = 0;
};

/// Formats a duration: "0:07", "12:34", "1:02:03".
std::string duration_text(double seconds);

/// Returns the width of the terminal on standard output; 80 if unknown.
int terminal_columns();

}  // namespace reverie::inline REVERIE_PRECISION
