#include "data/table_file.h"

#include <sstream>

#include "data/input_file.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

std::vector<std::string> split_at_spaces(const std::string& line) {
  std::istringstream words(line);
  std::vector<std::string> fields;
  for (std::string word; words >> word;) fields.push_back(word);
  return fields;
}

std::vector<std::string> split_at(char separator, const std::string& line) {
  std::istringstream parts(line + separator);
  std::vector<std::string> fields;
  for (std::string part; std::getline(parts, part, separator);) fields.push_back(part);
  return fields;
}

// A field may stand in quotes, where "" is a quote.
std::vector<std::string> split_csv(const std::string& line, const std::string& where) {
  std::vector<std::string> fields(1);
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == ',') {
      fields.emplace_back();
    } else if (line[i] != '"') {
      fields.back() += line[i];
    } else {
      if (!fields.back().empty()) throw Error(where, " has a quote inside a field; write it twice, in a quoted field");
      for (++i; i < line.size() && (line[i] != '"' || line.substr(i, 2) == "\"\""); ++i) {
        fields.back() += line[i];
        if (line[i] == '"') ++i;
      }
      if (i >= line.size()) throw Error(where, " has a quote without end");
      if (i + 1 < line.size() && line[i + 1] != ',') throw Error(where, " has text after a quoted field");
    }
  }
  return fields;
}

}  // namespace

std::vector<TableRow> read_table(const std::string& path) {
  constexpr std::uint64_t max_bytes = std::uint64_t{1} << 28;
  std::string text = InputFile(path).text(max_bytes);
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);  // the mark that Windows puts before UTF-8
  std::istringstream lines(text);
  std::vector<TableRow> rows;
  Index number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string where = concat(path, ": line ", ++number);
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == line.npos) continue;
    std::vector<std::string> fields = path.ends_with(".csv")   ? split_csv(line, where)
                                      : path.ends_with(".tsv") ? split_at('\t', line)
                                                               : split_at_spaces(line);
    for (const std::string& field : fields)
      if (printable(field) != field) throw Error(where, " has characters that are no printable UTF-8: ", field);
    rows.push_back({number, std::move(fields)});
  }
  return rows;
}

}  // namespace reverie::inline REVERIE_PRECISION
