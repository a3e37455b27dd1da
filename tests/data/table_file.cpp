#include "data/table_file.h"

#include <doctest/doctest.h>

#include "tests/helpers.h"

using namespace reverie;

namespace {

std::vector<std::vector<std::string>> fields_of(const std::string& name, const std::string& text) {
  const TemporaryFolder folder;
  write_text(folder / name, text);
  std::vector<std::vector<std::string>> fields;
  for (const TableRow& row : read_table(folder / name)) fields.push_back(row.fields);
  return fields;
}

}  // namespace

TEST_CASE("tables: commas and quotes, tabs, or spaces; the marks of Windows are no text") {
  using Fields = std::vector<std::vector<std::string>>;
  CHECK(fields_of("a.csv", "a,b\r\n\r\n\"x, \"\"y\"\"\",\n,\n") == Fields{{"a", "b"}, {"x, \"y\"", ""}, {"", ""}});
  CHECK(fields_of("a.csv", "\"\",\"\"\"\",b") == Fields{{"", "\"", "b"}});
  CHECK(fields_of("a.tsv", "\xef\xbb\xbfone two\tb, \"c\"\t\n") == Fields{{"one two", "b, \"c\"", ""}});
  CHECK(fields_of("a.txt", " 1\t2  3 \n\n4\n") == Fields{{"1", "2", "3"}, {"4"}});
  CHECK(fields_of("a.txt", "").empty());
  CHECK(fields_of("a.tsv", "\xc3\xa9\tb") == Fields{{"\xc3\xa9", "b"}});
}

TEST_CASE("tables: quotes that don't fit and characters that can't be printed are errors that name the line") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& text) {
    write_text(folder / "a.csv", text);
    return error_of([&] { read_table(folder / "a.csv"); });
  };
  CHECK(contains(error("a,b\n\"a,b"), "a.csv: line 2 has a quote without end"));
  CHECK(contains(error("\"a\"b,c"), "line 1 has text after a quoted field"));
  CHECK(contains(error("a\"b\",c"), "line 1 has a quote inside a field"));
  CHECK(contains(error("a,\xff\n"), "line 1 has characters that are no printable UTF-8: \\xff"));
  CHECK(contains(error(std::string("a\0b", 3)), "no printable UTF-8"));
  CHECK(contains(error_of([&] { read_table(folder / "none.csv"); }), "can't be read"));
}
