#include "apps/progress.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <iomanip>
#include <iostream>

#include "apps/interrupt.h"
#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

void print(const std::string& text) {
  constexpr int milliseconds = 100;
  pollfd output{STDOUT_FILENO, POLLOUT, 0};
  for (int ready = 0; ready == 0 || (ready < 0 && errno == EINTR);) {
    ready = ::poll(&output, 1, milliseconds);
    if (ready <= 0 && interrupted()) return;
  }
  std::cout << text << std::flush;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<Index>(std::ceil(std::max(0.0, seconds)));
  std::ostringstream out;
  out << std::setfill('0');
  if (whole >= 3600) out << whole / 3600 << ":" << std::setw(2);
  out << whole / 60 % 60 << ":" << std::setw(2) << whole % 60;
  return out.str();
}

int terminal_columns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

Progress::Progress(double share) : terminal_(::isatty(STDOUT_FILENO) == 1), share_before_(share) {}

std::string Progress::time_left(double share) const {
  if (share <= share_before_) return "";
  return "  " + duration_text(seconds_since(start_) * (1 - share) / (share - share_before_)) + " left";
}

void Progress::update(double share, const std::string& facts) {
  constexpr double redraw_seconds = 0.1;
  constexpr std::size_t longest_bar = 30, shortest_bar = 8;
  if (!terminal_ || (drawn_columns_ > 0 && seconds_since(drawn_) < redraw_seconds)) return;
  const auto columns = static_cast<std::size_t>(std::max(2, terminal_columns())) - 1;  // the last one would wrap
  std::string text = facts + time_left(share);
  if (text.size() + shortest_bar + 3 <= columns) {
    const std::size_t bar = std::min(longest_bar, columns - text.size() - 3);
    const auto full = std::min(bar, static_cast<std::size_t>(std::max(0.0, share) * static_cast<double>(bar)));
    text = concat("[", std::string(full, '#'), std::string(bar - full, '.'), "] ", text);
  }
  text.resize(std::min(text.size(), columns));
  const std::size_t drawn = text.size();
  if (drawn < drawn_columns_) text.resize(std::min(drawn_columns_, columns), ' ');  // erase the rest of a longer line
  print('\r' + text);
  drawn_columns_ = drawn;
  drawn_ = Clock::now();
}

void Progress::line(double share, const std::string& facts) {
  if (!terminal_) print(facts + time_left(share) + '\n');
}

void Progress::note(const std::string& text) {
  clear();
  print(text + '\n');
}

std::string Progress::elapsed() const { return concat(std::fixed, std::setprecision(1), seconds_since(start_), " s"); }

void Progress::clear() {
  if (drawn_columns_ == 0) return;
  print('\r' + std::string(drawn_columns_, ' ') + '\r');
  drawn_columns_ = 0;
}

std::function<bool(double)> Progress::reporter(const std::string& task) {
  constexpr double seconds_between_lines = 10;
  return [this, task, last = Clock::now()](double share) mutable {
    if (interrupted()) throw Interrupted();
    const std::string facts = concat(task, "  ", static_cast<int>(100 * share), "%");
    update(share, facts);
    if (seconds_since(last) >= seconds_between_lines) {
      line(share, facts);
      last = Clock::now();
    }
    return true;
  };
}

}  // namespace reverie::inline REVERIE_PRECISION
