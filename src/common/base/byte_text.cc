#include "common/base/byte_text.h"

#include <cmath>
#include <cstdio>
#include <iterator>

namespace coxswain::base {
namespace {

std::string WithCommas(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

}  // namespace

std::string CountText(int64_t count) {
  auto size = static_cast<uint64_t>(count);
  return count < 0 ? "-" + WithCommas(0 - size) : WithCommas(size);
}

std::string NumberText(double value) {
  if (!std::isfinite(value)) {
    return std::isnan(value) ? "NaN" : value < 0 ? "-infinite" : "infinite";
  }
  const double size = std::abs(value);
  if (size >= 999.95 && size < 1e18) return CountText(std::llround(value));
  char text[32];
  std::snprintf(text, sizeof text, size < 1e-3 ? "%.3g" : "%.4g", value);
  return text;
}

std::string RangedText(int64_t now, int64_t least, int64_t most) {
  if (least >= most) return CountText(now > 0 ? now : least);
  return (now > 0 ? CountText(now) : "-") + " (" + CountText(least) + "-" + CountText(most) + ")";
}

std::string SlotsText(int64_t cpus, int64_t gpus) {
  std::string text;
  if (gpus >= 0) text = CountText(gpus) + (gpus == 1 ? " GPU" : " GPUs");
  if (cpus < 0) return text;
  return text + (text.empty() ? "" : " and ") + CountText(cpus) +
         (cpus == 1 ? " CPU slot" : " CPU slots");
}

std::string HeldText(int64_t cpus, int64_t gpus) {
  return SlotsText(cpus > 0 ? cpus : -1, gpus > 0 ? gpus : -1);
}

std::string BytesText(uint64_t bytes) {
  static constexpr const char* kUnits[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
  // In 1024ths of the unit, from KiB on.
  uint64_t parts = bytes;
  size_t unit = bytes < 1024 ? 0 : 1;
  while (unit > 0 && parts >> 20 != 0 && unit + 1 < std::size(kUnits)) {
    parts = parts >> 10;
    ++unit;
  }
  if (unit == 0) return std::to_string(bytes) + kUnits[0];
  uint64_t tenths = (parts * 10 + 512) >> 10;
  std::string text = std::to_string(tenths / 10);
  if (tenths < 1000 && tenths % 10 != 0) text += "." + std::to_string(tenths % 10);
  return text + kUnits[unit];
}

std::string ExactBytesText(uint64_t bytes) {
  std::string exact = WithCommas(bytes) + (bytes == 1 ? " byte" : " bytes");
  return bytes < 1024 ? exact : BytesText(bytes) + " (" + exact + ")";
}

}  // namespace coxswain::base
