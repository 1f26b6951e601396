// Numbers on the command lines of `cox-sim trace` and `cox-sim fleet`.
#pragma once

#include <absl/status/statusor.h>

#include <string>

namespace coxswain::sim::trace {

enum class NumberKind { kNumber, kWhole };

// InvalidArgument says what was found and what was expected of `flag`.
absl::StatusOr<double> ReadNumber(const std::string& flag, const std::string& text, double least,
                                  double most, NumberKind kind);

}  // namespace coxswain::sim::trace
