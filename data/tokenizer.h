#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// Splits captions into words and numbers the words. A word is a run of letters, digits, hyphens and apostrophes (and
/// of bytes outside ASCII), in lower case; everything else separates words. Token 0 is padding.
class Tokenizer {
 public:
  Tokenizer() = default;
  /// Knows every word of the captions, in alphabetical order; its length is that of the longest caption.
  explicit Tokenizer(std::span<const std::string> captions);
  /// As `words()` and `length()` gave them. Throws Error for words that are repeated or that are no words.
  Tokenizer(std::vector<std::string> words, Index length);

  /// The caption's tokens, `length()` of them, padded with 0 at the end. Throws UsageError for a word that it doesn't
  /// know, naming the nearest ones, and for a caption that is too long.
  std::vector<Index> encode(const std::string& caption) const;
  const std::vector<std::string>& words() const { return words_; }  ///< of tokens 1, 2, ...
  Index length() const { return length_; }                          ///< tokens of a caption
  Index size() const { return std::ssize(words_) + 1; }             ///< the number of tokens, with padding
  bool empty() const { return words_.empty(); }

 private:
  std::vector<std::string> words_;
  std::map<std::string, Index> tokens_;
  Index length_ = 0;
};

/// The words of a text, see Tokenizer.
std::vector<std::string> caption_words(const std::string& text);

}  // namespace reverie::inline REVERIE_PRECISION
