#include "common/base/log_line.h"

#include <algorithm>

namespace coxswain::base {
namespace {

// The text up to the next blank, which is taken with it.
std::string_view TakeWord(std::string_view* line) {
  const std::string_view word = line->substr(0, line->find(' '));
  line->remove_prefix(std::min(line->size(), word.size() + 1));
  return word;
}

bool IsStamp(std::string_view word) {
  return word.size() == 27 && word[10] == 'T' && word[19] == '.' && word.back() == 'Z';
}

}  // namespace

bool IsOwnLogLine(std::string_view line) {
  if (!IsStamp(TakeWord(&line))) return false;
  const std::string_view level = TakeWord(&line);
  const bool known = level == "debug" || level == "info" || level == "warning" || level == "error";
  return known && line.starts_with("cox-") && line.find("]: ") != std::string_view::npos;
}

bool IsOwnLog(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.empty() && !IsOwnLogLine(line)) return false;
  }
  return true;
}

}  // namespace coxswain::base
