#include "cli/verbs/flag_checks.h"

#include "cli/output/words.h"
#include "common/base/limits.h"
#include "common/config/quantities.h"

namespace coxswain::cli::verbs {
namespace {

std::string TooLong(const std::string& value, size_t most) {
  return "found " + output::Count(static_cast<int64_t>(value.size())) +
         " bytes, expected at most " + std::to_string(most);
}

}  // namespace

std::string WrongIfEmpty(const std::string& value) {
  return value.empty() ? "found nothing, expected a value (an unset variable?)" : "";
}

std::string WrongCount(const std::string& value) {
  const bool digits = !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
  return digits ? "" : "found " + config::Quoted(value) + ", expected a whole number of 0 or more";
}

std::string WrongKey(const std::string& value) {
  return value.size() > base::kMostIdempotencyKeyBytes
             ? TooLong(value, base::kMostIdempotencyKeyBytes)
             : WrongIfEmpty(value);
}

std::string WrongDrainTime(const std::string& value) {
  const std::optional<base::Duration> in = config::ParseDuration(value);
  if (in && in->count() > 0 && *in <= base::kMostDrainTime) return "";
  return "found " + config::Quoted(value) +
         ", expected a duration from now such as 10m or 2h, of " + "at most " +
         config::FormatDuration(base::kMostDrainTime);
}

std::string WrongReason(const std::string& value) {
  if (value.size() > base::kMostReasonBytes) return TooLong(value, base::kMostReasonBytes);
  return config::FindBadByte(value) == std::string::npos
             ? ""
             : "found " + config::Quoted(value) +
                   ", expected one line of UTF-8 without control characters";
}

}  // namespace coxswain::cli::verbs
