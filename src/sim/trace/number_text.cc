#include "sim/trace/number_text.h"

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

std::optional<double> ReadNumber(const std::string& text, const NumberRange& range) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !(value >= range.least && value <= range.most)) {
    return std::nullopt;
  }
  if (range.kind == NumberKind::kWhole && value != std::floor(value)) return std::nullopt;
  return value;
}

std::string Expected(const NumberRange& range) {
  const char* what = range.kind == NumberKind::kWhole ? "a whole number" : "a number";
  if (range.most == kAny) return absl::StrCat(what, " of at least ", Text(range.least));
  return absl::StrCat(what, " from ", Text(range.least), " to ", Text(range.most));
}

absl::StatusOr<double> ReadFlag(const std::string& flag, const std::string& text,
                                const NumberRange& range) {
  if (std::optional<double> value = ReadNumber(text, range)) return *value;
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": found '", text, "', expected ", Expected(range)));
}

}  // namespace coxswain::sim::trace
