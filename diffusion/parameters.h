#pragma once
#include <map>
#include <span>
#include <string>

#include "diffusion/table.h"

namespace reverie::inline REVERIE_PRECISION {

/// Values of parameters by name.
using ParameterValues = std::map<std::string, double, std::less<>>;

/// A parameter that the caller may set.
struct ParameterInfo {
  const char* name;
  double value;  ///< if the caller says nothing
  const char* meaning;
};

/// The given values, and the table's for parameters that are not given. `what` names the parameters' owner in the
/// UsageError for a parameter that it hasn't got.
inline ParameterValues complete(const std::string& what, std::span<const ParameterInfo> known,
                                const ParameterValues& given) {
  for (const auto& [key, value] : given) find_line(("parameter of " + what).c_str(), known, key);
  ParameterValues values = given;
  for (const ParameterInfo& parameter : known) values.try_emplace(parameter.name, parameter.value);
  return values;
}

}  // namespace reverie::inline REVERIE_PRECISION
