#pragma once
#include <string>
#include <vector>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

struct TableRow {
  Index line;  ///< in the file, from 1
  std::vector<std::string> fields;
};

/// Reads a table of text in UTF-8: X.csv has commas between fields, which may stand in double quotes (RFC 4180); X.tsv
/// has tabs; any other file has spaces. Empty lines are no rows. Throws Error, naming the line, for quotes that don't
/// fit and for characters that can't be printed.
std::vector<TableRow> read_table(const std::string& path);

}  // namespace reverie::inline REVERIE_PRECISION
