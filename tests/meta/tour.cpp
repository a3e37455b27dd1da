// The pages of docs/tour quote the sources as they are, and show figures that are there and small.
#include <doctest/doctest.h>

#include "tests/meta/sources.h"

using namespace reverie;
namespace fs = std::filesystem;

namespace {

/// How `scripts/tour --check` judges pages, and what it says.
struct Judgement {
  bool good;
  std::string messages;
};

Judgement check(const std::string& pages) {
  const TemporaryFolder folder;
  const std::string messages = folder / "messages";
  const bool good =
      std::system(("'" + root() + "/scripts/tour' --check " + pages + " 2> '" + messages + "'").c_str()) == 0;
  return {good, read_text(messages)};
}

}  // namespace

TEST_CASE("the tour quotes the sources as they are") {
  const Judgement judgement = check("");
  CHECK_MESSAGE(judgement.good, judgement.messages);
}

TEST_CASE("a quote that differs from its source, or whose source is gone, is found") {
  const TemporaryFolder folder;
  const std::string page = folder / "page.md";
  const std::string good =
      "<!-- quote: data/image_set.h | inline real to_real( -->\n```cpp\n"
      "inline real to_real(std::uint8_t pixel) { return pixel / 127.5 - 1; }\n```\nText.\n";
  write_text(page, good);
  CHECK_MESSAGE(check(page).good, check(page).messages);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    write_text(page, text.replace(text.find(from), from.size(), to));
    const Judgement judgement = check(page);
    CHECK_FALSE(judgement.good);
    return judgement.messages;
  };
  CHECK(contains(changed("127.5", "128"), "differs from its source"));
  CHECK(contains(changed("data/image_set.h |", "data/no_set.h |"), "there is no file data/no_set.h"));
  CHECK(contains(changed("to_real( -->", "to_unreal( -->"), "0 lines with \"inline real to_unreal(\""));
  CHECK(contains(changed("to_real( -->", "to_real( | no such line -->"), "no end to the quote"));
  CHECK(contains(changed("inline real to_real( -->", "e -->"), "expects 1"));
}

TEST_CASE("the tour's figures are there, small, and all shown") {
  std::set<std::string> shown;
  for (const auto& entry : fs::directory_iterator(root() + "/docs/tour")) {
    if (entry.path().extension() != ".md") continue;
    for (const std::string& name : matches(read_text(entry.path()), R"(!\[[^\]]*\]\(figures/([^)]+)\))"))
      shown.insert(name);
  }
  CHECK(!shown.empty());
  for (const std::string& name : shown) {
    const std::string path = root() + "/docs/tour/figures/" + name;
    REQUIRE_MESSAGE(fs::exists(path), name);
    CHECK_MESSAGE(fs::file_size(path) < 40'000, name, " has ", fs::file_size(path), " bytes");
  }
  for (const auto& entry : fs::directory_iterator(root() + "/docs/tour/figures"))
    CHECK_MESSAGE(shown.contains(entry.path().filename()), entry.path().string(), " is shown nowhere");
}
