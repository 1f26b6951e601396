// Texts put together. (Debian's Abseil is built for C++14: its StrCat and StrSplit do not know
// std::string_view, which this code speaks.)
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/strings/string_view.h"

namespace coxswain::trainer::blob {

inline std::string_view Std(absl::string_view text) { return {text.data(), text.size()}; }
inline absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

template <class Part>
void AppendPart(std::string* to, const Part& part) {
  if constexpr (std::is_same_v<Part, absl::string_view>) {
    to->append(part.data(), part.size());
  } else if constexpr (std::is_arithmetic_v<Part>) {
    static_assert(std::is_integral_v<Part> && !std::is_same_v<Part, bool>);
    to->append(std::to_string(part));
  } else {
    to->append(std::string_view(part));
  }
}

// Texts and whole numbers, one after another.
template <class... Parts>
std::string Cat(const Parts&... parts) {
  std::string text;
  (AppendPart(&text, parts), ...);
  return text;
}

// The parts of `text` between separators; one part if there is none.
inline std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == text.npos) return parts;
    text.remove_prefix(at + 1);
  }
}

}  // namespace coxswain::trainer::blob
