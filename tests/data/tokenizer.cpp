#include "data/tokenizer.h"

#include <doctest/doctest.h>

#include "tests/helpers.h"

using namespace reverie;

TEST_CASE("words are runs of letters, digits, hyphens, apostrophes and bytes outside ASCII, in lower case") {
  CHECK(caption_words("A Cat,  flat-style; don't (2x)") ==
        std::vector<std::string>{"a", "cat", "flat-style", "don't", "2x"});
  CHECK(caption_words("  ,. ").empty());
  CHECK(caption_words("caf\u00e9") == std::vector<std::string>{"caf\u00e9"});
}

TEST_CASE("a tokenizer numbers its words from 1, pads with 0, and survives its own words") {
  const std::vector<std::string> captions = {"a red cat", "A dog", ""};
  const Tokenizer tokenizer{std::span(captions)};
  CHECK(tokenizer.words() == std::vector<std::string>{"a", "cat", "dog", "red"});
  CHECK(tokenizer.size() == 5);
  CHECK(tokenizer.length() == 3);
  CHECK(tokenizer.encode("red, red dog") == std::vector<Index>{4, 4, 3});
  CHECK(tokenizer.encode("Dog") == std::vector<Index>{3, 0, 0});
  CHECK(tokenizer.encode("") == std::vector<Index>{0, 0, 0});
  const Tokenizer again(tokenizer.words(), tokenizer.length());
  CHECK(again.encode("a cat") == tokenizer.encode("a cat"));
  CHECK(Tokenizer().empty());
}

TEST_CASE(
    "a tokenizer names unknown words with their neighbours, captions that are too long, and words that are none") {
  const std::vector<std::string> captions = {"a large green circle"};
  const Tokenizer tokenizer{std::span(captions)};
  const std::string unknown = error_of([&] { tokenizer.encode("a large greem circle"); });
  CHECK(contains(unknown, "doesn't know the word \"greem\""));
  CHECK(contains(unknown, "are green, "));
  CHECK(contains(error_of([&] { tokenizer.encode("a a a a a"); }), "has 5 words; the model takes at most 4"));
  CHECK_THROWS_AS(Tokenizer({"a", "a"}, 1), Error);
  CHECK_THROWS_AS(Tokenizer({"Not lower"}, 1), Error);
  CHECK_THROWS_AS(Tokenizer({"a"}, 0), Error);
}
