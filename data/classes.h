#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"

namespace reverie::inline REVERIE_PRECISION {

/// Returns the number of each class of `names` among the classes of `expected`, matched by name, because two sets may
/// list the same classes in another order. If one side has no names but the numbers "0", "1", ..., and the other has
/// other names, as many, classes are matched by number. Throws UsageError, saying whose classes they are and listing
/// those that are missing or not expected.
std::vector<Index> match_classes(const std::vector<std::string>& names, const std::string& whose,
                                 const std::vector<std::string>& expected, const std::string& whose_expected);

/// Returns a set's labels as numbers among the `expected` classes, matched as above; one per sample. Throws UsageError
/// as above, and for a set without labels.
std::vector<Index> labels_among(const Dataset& set, const std::string& whose, const std::vector<std::string>& expected,
                                const std::string& whose_expected);

}  // namespace reverie::inline REVERIE_PRECISION
