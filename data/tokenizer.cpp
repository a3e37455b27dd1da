#include "data/tokenizer.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "data/edit_distance.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

bool in_word(unsigned char c) { return std::isalnum(c) || c == '-' || c == '\'' || c >= 0x80; }

std::string nearest_words(const std::string& word, std::vector<std::string> known) {
  const auto shown = known.begin() + std::min<std::ptrdiff_t>(3, std::ssize(known));
  std::stable_sort(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
    return edit_distance(word, a) < edit_distance(word, b);
  });
  std::string list;
  for (auto near = known.begin(); near != shown; ++near) list += (list.empty() ? "" : ", ") + *near;
  return list;
}

std::set<std::string> distinct_words(std::span<const std::string> captions) {
  std::set<std::string> words;
  for (const std::string& caption : captions) {
    for (const std::string& word : caption_words(caption)) words.insert(word);
  }
  return words;
}

}  // namespace

std::vector<std::string> caption_words(const std::string& text) {
  std::vector<std::string> words;
  bool inside = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (in_word(byte)) {
      if (!inside) words.emplace_back();
      words.back() += static_cast<char>(std::tolower(byte));
    }
    inside = in_word(byte);
  }
  return words;
}

Tokenizer::Tokenizer(std::span<const std::string> captions) {
  const std::set<std::string> words = distinct_words(captions);
  Index longest = 0;
  for (const std::string& caption : captions) longest = std::max<Index>(longest, std::ssize(caption_words(caption)));
  *this = Tokenizer(std::vector<std::string>(words.begin(), words.end()), longest);
}

Tokenizer::Tokenizer(std::vector<std::string> words, Index length) : words_(std::move(words)), length_(length) {
  if (words_.empty() != (length < 1)) throw Error("tokenizer: ", words_.size(), " words for captions of ", length);
  for (const std::string& word : words_) {
    if (caption_words(word) != std::vector{word}) throw Error("tokenizer: \"", word, "\" is not a word in lower case");
    if (!tokens_.emplace(word, std::ssize(tokens_) + 1).second) throw Error("tokenizer: \"", word, "\" comes twice");
  }
}

std::vector<Index> Tokenizer::encode(const std::string& caption) const {
  std::vector<Index> tokens;
  for (const std::string& word : caption_words(caption)) {
    const auto token = tokens_.find(word);
    if (token == tokens_.end()) {
      throw UsageError("caption \"", caption, "\": the model doesn't know the word \"", word, "\"; the nearest of its ",
                       words_.size(), " words are ", nearest_words(word, words_));
    }
    tokens.push_back(token->second);
  }
  if (std::ssize(tokens) > length_) {
    throw UsageError("caption \"", caption, "\": has ", tokens.size(), " words; the model takes at most ", length_);
  }
  tokens.resize(static_cast<std::size_t>(length_));
  return tokens;
}

}  // namespace reverie::inline REVERIE_PRECISION
