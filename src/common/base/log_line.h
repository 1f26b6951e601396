// How the lines that our own programs log are told from those of a user's.
#pragma once

#include <string_view>

namespace coxswain::base {

// "2026-11-21T17:08:53.851266Z info cox-trainer[31845]: ...": see common/log.
bool IsOwnLogLine(std::string_view line);

// Nothing in `text` but such lines and empty ones.
bool IsOwnLog(std::string_view text);

}  // namespace coxswain::base
