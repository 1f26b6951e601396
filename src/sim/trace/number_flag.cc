#include "sim/trace/number_flag.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <cmath>

#include "common/base/byte_text.h"

namespace coxswain::sim::trace {
namespace {

std::string Text(double number) {
  return number == std::floor(number) ? base::CountText(static_cast<int64_t>(number))
                                      : absl::StrCat(number);
}

}  // namespace

absl::StatusOr<double> ReadNumber(const std::string& flag, const std::string& text, double least,
                                  double most, NumberKind kind) {
  double value = 0;
  const bool whole = kind == NumberKind::kWhole;
  bool good = absl::SimpleAtod(text, &value) && value >= least && value <= most;
  if (good && (!whole || value == std::floor(value))) return value;
  return absl::InvalidArgumentError(absl::StrCat(flag, ": found '", text, "', expected a ",
                                                 whole ? "whole " : "", "number from ", Text(least),
                                                 " to ", Text(most)));
}

}  // namespace coxswain::sim::trace
