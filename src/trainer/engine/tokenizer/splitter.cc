#define PCRE2_CODE_UNIT_WIDTH 8
#include "trainer/engine/tokenizer/splitter.h"

#include <pcre2.h>

namespace coxswain::trainer::tokenizer {
namespace {

constexpr char kSpaces[] =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
    "\\x{205f}\\x{3000}";

// Patterns of tokenizers are written for engines whose \s is Unicode's White_Space; that of PCRE2
// also matches U+180E.
std::string WithUnicodeSpaces(const std::string& pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char next = pattern[++i];
      if (next == 's') {
        out += in_class ? kSpaces : std::string("[") + kSpaces + "]";
      } else if (next == 'S' && !in_class) {
        out += std::string("[^") + kSpaces + "]";
      } else {
        out += {c, next};
      }
      continue;
    }
    if (c == '[' && !in_class) {
      in_class = true;
    } else if (c == ']') {
      in_class = false;
    }
    out.push_back(c);
  }
  return out;
}

std::string ErrorText(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

struct FreeMatch {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

}  // namespace

const char kGpt2Pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

struct Splitter::Compiled {
  pcre2_code* code = nullptr;
  ~Compiled() { pcre2_code_free(code); }
};

Splitter::Splitter(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Splitter::~Splitter() = default;

absl::StatusOr<std::unique_ptr<Splitter>> Splitter::Make(const std::string& pattern) {
  const std::string ours = WithUnicodeSpaces(pattern);
  int error = 0;
  PCRE2_SIZE at = 0;
  auto compiled = std::make_unique<Compiled>();
  compiled->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(ours.data()), ours.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK, &error, &at, nullptr);
  if (compiled->code == nullptr) {
    return absl::InvalidArgumentError("the pattern \"" + pattern +
                                      "\" cannot be compiled: " + ErrorText(error));
  }
  pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE);  // without it: slower, the same words
  return std::unique_ptr<Splitter>(new Splitter(std::move(compiled)));
}

absl::Status Splitter::Split(std::string_view text, const Word& word) const {
  std::unique_ptr<pcre2_match_data, FreeMatch> match(
      pcre2_match_data_create_from_pattern(compiled_->code, nullptr));
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t done = 0, from = 0;
  while (from < text.size()) {
    const int found = pcre2_match(compiled_->code, subject, text.size(), from, PCRE2_NO_UTF_CHECK,
                                  match.get(), nullptr);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) {
      return absl::InternalError("the tokenizer's pattern could not be matched at offset " +
                                 std::to_string(from) + ": " + ErrorText(found));
    }
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.get());
    const size_t begin = range[0], end = range[1];
    if (begin == end) {  // a match of nothing: try at the next character
      do ++from;
      while (from < text.size() && (text[from] & 0xc0) == 0x80);
      continue;
    }
    if (begin > done) {
      if (absl::Status status = word(text.substr(done, begin - done)); !status.ok()) return status;
    }
    if (absl::Status status = word(text.substr(begin, end - begin)); !status.ok()) return status;
    done = from = end;
  }
  return done < text.size() ? word(text.substr(done)) : absl::OkStatus();
}

}  // namespace coxswain::trainer::tokenizer
