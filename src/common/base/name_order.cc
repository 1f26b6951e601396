#include "common/base/name_order.h"

#include <algorithm>

namespace coxswain::base {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The run of digits at the beginning, without leading zeros; taken off `text`.
std::string_view TakeNumber(std::string_view* text) {
  size_t end = std::find_if_not(text->begin(), text->end(), IsDigit) - text->begin();
  std::string_view number = text->substr(0, end);
  text->remove_prefix(end);
  number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
  return number;
}

}  // namespace

bool NameBefore(std::string_view a, std::string_view b) {
  std::string_view left = a, right = b;
  while (!left.empty() && !right.empty()) {
    if (IsDigit(left.front()) && IsDigit(right.front())) {
      std::string_view n = TakeNumber(&left), m = TakeNumber(&right);
      if (n.size() != m.size()) return n.size() < m.size();
      if (n != m) return n < m;
    } else {
      if (left.front() != right.front()) return left.front() < right.front();
      left.remove_prefix(1);
      right.remove_prefix(1);
    }
  }
  if (left.empty() && right.empty()) return a < b;  // "a1" and "a01"
  return left.empty();
}

}  // namespace coxswain::base
