// What names an archive of code: "sha256:" and the SHA-256 of its bytes in 64 hexadecimal digits.
#pragma once

#include <string>
#include <string_view>

namespace coxswain::code {

inline constexpr std::string_view kIdPrefix = "sha256:";

// Says nothing of whether there is such an archive.
bool IsCodeId(std::string_view text);
std::string CodeIdOf(std::string_view archive);

}  // namespace coxswain::code
