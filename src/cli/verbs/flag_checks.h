// Checks of one flag's value, for CLI::Option::check: the empty text, or what was found and what
// was expected ("--limit: " is put in front by CLI11).
#pragma once

#include <string>

namespace coxswain::cli::verbs {

// A script's "$UNSET" must not mean the same as no flag at all.
std::string WrongIfEmpty(const std::string& value);
// A whole number of 0 or more.
std::string WrongCount(const std::string& value);
// At most base::kMostIdempotencyKeyBytes, not empty.
std::string WrongKey(const std::string& value);
// One line of at most base::kMostReasonBytes; may be empty.
std::string WrongReason(const std::string& value);

// A duration above 0, at most base::kMostDrainTime.
std::string WrongDrainTime(const std::string& value);

}  // namespace coxswain::cli::verbs
