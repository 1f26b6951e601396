#include "common/base/duration_text.h"

#include <algorithm>

namespace coxswain::base {
namespace {

std::string Two(int64_t large, const char* of_large, int64_t small, const char* of_small) {
  std::string text = std::to_string(large) + of_large;
  return small == 0 ? text : text + " " + std::to_string(small) + of_small;
}

}  // namespace

std::string DurationText(Duration duration) {
  const int64_t tenths = std::max<int64_t>(0, duration.count()) / 100'000;
  const int64_t s = tenths / 10;
  if (s < 60) {
    return std::to_string(s) + (tenths % 10 == 0 ? "" : "." + std::to_string(tenths % 10)) + " s";
  }
  if (s < 3600) return Two(s / 60, " min", s < 600 ? s % 60 : 0, " s");
  if (s < 86400) return Two(s / 3600, " h", s % 3600 / 60, " min");
  return Two(s / 86400, " d", s % 86400 / 3600, " h");
}

std::string AboutText(Duration duration) {
  constexpr Duration kMinute = seconds(60), kHour = 60 * kMinute;
  if (duration < kMinute) return "less than a minute";
  const Duration unit = duration < 24 * kHour ? kMinute : kHour;
  return "about " + DurationText((duration + unit / 2) / unit * unit);
}

std::string InText(Duration duration) {
  return duration.count() <= 0 ? "any moment" : "in " + AboutText(duration);
}

}  // namespace coxswain::base
