// Cuts a text into words by a pattern, as the pre-tokenizers of a tokenizer.json do.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace coxswain::trainer::tokenizer {

// GPT-2's words.
extern const char kGpt2Pattern[];

// One compiled pattern. Immutable.
class Splitter {
 public:
  // INVALID_ARGUMENT: no pattern that PCRE2 can compile; says where and why.
  static absl::StatusOr<std::unique_ptr<Splitter>> Make(const std::string& pattern);
  ~Splitter();

  // What each match, and each gap between matches, is given to ("isolated"). `text` is valid UTF-8.
  // Returns what `word` said, unless the pattern could not be matched: INTERNAL.
  using Word = std::function<absl::Status(std::string_view)>;
  absl::Status Split(std::string_view text, const Word& word) const;

 private:
  struct Compiled;
  explicit Splitter(std::unique_ptr<Compiled> compiled);
  const std::unique_ptr<Compiled> compiled_;
};

}  // namespace coxswain::trainer::tokenizer
