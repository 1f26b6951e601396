// Numbers in the files and on the command lines of cox-sim.
#pragma once

#include <absl/status/statusor.h>

#include <limits>
#include <optional>
#include <string>

namespace coxswain::sim::trace {

inline constexpr double kAny = std::numeric_limits<double>::max();  // no upper end
enum class NumberKind { kNumber, kWhole };
struct NumberRange {
  double least = 0, most = kAny;
  NumberKind kind = NumberKind::kNumber;
};

// Nothing: it is none, or not in the range.
std::optional<double> ReadNumber(const std::string& text, const NumberRange& range);
// "a whole number from 1 to 100,000", "a number of at least 0".
std::string Expected(const NumberRange& range);

// InvalidArgument says what was found and what was expected of `flag`.
absl::StatusOr<double> ReadFlag(const std::string& flag, const std::string& text,
                                const NumberRange& range);

}  // namespace coxswain::sim::trace
