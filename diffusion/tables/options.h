#pragma once
#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "diffusion/tables/table.h"
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Values of options by name.
using OptionValues = std::map<std::string, double, std::less<>>;

/// An option: a number that the caller may set.
struct OptionInfo {
  const char* name;
  double value;  ///< the default
  const char* meaning;
};

/// Returns the given values, and the defaults of the options that are not given. `what` names the options' owner in the
/// UsageError for an unknown option.
inline OptionValues complete(const std::string& what, std::span<const OptionInfo> known, const OptionValues& given) {
  for (const auto& [key, value] : given) {
    if (known.empty()) throw UsageError(what, " has no options; ", key, " was given");
    find_line(("option of " + what).c_str(), known, key);
  }
  OptionValues values = given;
  for (const OptionInfo& option : known) values.try_emplace(option.name, option.value);
  return values;
}

/// All options of the rows of a table, without repeats, in table order.
template <class Line>
std::vector<OptionInfo> all_options(std::span<const Line> table) {
  std::vector<OptionInfo> all;
  for (const Line& line : table) {
    for (const OptionInfo& option : line.options) {
      const auto same = [&](const OptionInfo& other) { return std::string_view(option.name) == other.name; };
      if (std::none_of(all.begin(), all.end(), same)) all.push_back(option);
    }
  }
  return all;
}

/// The options of a table's rows with their defaults, for configurations: "sigmoid: start = -3, end = 3; ...".
template <class Line>
std::string options_in(std::span<const Line> table) {
  std::string all;
  for (const Line& line : table) {
    std::string own;
    for (const OptionInfo& p : line.options) own += concat(own.empty() ? "" : ", ", p.name, " = ", p.value);
    if (!own.empty()) all += concat(all.empty() ? "" : "; ", line.name, ": ", own);
  }
  return all;
}

/// Throws UsageError "config: `KEY` WHAT" unless `holds`.
inline void require_option(bool holds, const char* key, const std::string& what) {
  if (!holds) throw UsageError("config: `", key, "` ", what);
}
/// Throws UsageError unless least <= value <= most; the bound keeps a typo from exhausting the memory.
inline void require_range(const char* key, Index value, Index least, Index most) {
  require_option(value >= least && value <= most, key, concat("is ", value, "; it must be from ", least, " to ", most));
}

}  // namespace reverie::inline REVERIE_PRECISION
