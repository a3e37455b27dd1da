#pragma once
#include <span>
#include <string>
#include <string_view>

#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {

/// The line called `name` in a table of lines with a member `name`. Schedules, predictions, losses and samplers are
/// such tables; the program, its help and the tests iterate them. Throws UsageError, listing all, for another name.
template <class Line>
const Line& find_line(const char* what, std::span<const Line> table, std::string_view name) {
  std::string known;
  for (const Line& line : table) {
    if (name == line.name) return line;
    known += (known.empty() ? "" : ", ") + std::string(line.name);
  }
  throw UsageError("unknown ", what, " \"", name, "\"; there are: ", known);
}

}  // namespace reverie::inline REVERIE_PRECISION
