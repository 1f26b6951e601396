#include "common/config/quantities.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>
#include <span>

#include "common/base/utf8.h"

namespace coxswain::config {
namespace {

struct Unit {
  std::string_view name;
  int64_t amount;
};

constexpr Unit kTimeUnits[] = {{"d", 86'400'000'000}, {"h", 3'600'000'000}, {"m", 60'000'000},
                               {"s", 1'000'000},      {"ms", 1'000},        {"us", 1}};
constexpr Unit kSizeUnits[] = {{"TiB", int64_t{1} << 40},
                               {"GiB", int64_t{1} << 30},
                               {"MiB", int64_t{1} << 20},
                               {"KiB", int64_t{1} << 10},
                               {"TB", 1'000'000'000'000},
                               {"GB", 1'000'000'000},
                               {"MB", 1'000'000},
                               {"KB", 1'000},
                               {"kB", 1'000},
                               {"B", 1}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Reads "12.5GiB" off the front of `text`; the unit is the longest run of letters.
std::optional<int64_t> TakeAmount(std::string_view* text, std::span<const Unit> units) {
  size_t digits = 0;
  while (digits < text->size() && (IsDigit((*text)[digits]) || (*text)[digits] == '.')) ++digits;
  size_t end = digits;
  while (end < text->size() && !IsDigit((*text)[end])) ++end;
  double amount = 0;
  const auto [stop, error] = std::from_chars(text->data(), text->data() + digits, amount);
  if (digits == 0 || error != std::errc() || stop != text->data() + digits) return std::nullopt;
  for (const Unit& unit : units) {
    if (text->substr(digits, end - digits) != unit.name) continue;
    const double total = amount * static_cast<double>(unit.amount);
    if (total > 9e18) return std::nullopt;
    text->remove_prefix(end);
    return static_cast<int64_t>(total);
  }
  return std::nullopt;
}

}  // namespace

std::optional<base::Duration> ParseDuration(std::string_view text) {
  if (text == "0") return base::Duration(0);
  if (text.empty()) return std::nullopt;
  int64_t total = 0;
  while (!text.empty()) {
    const std::optional<int64_t> part = TakeAmount(&text, kTimeUnits);
    if (!part || *part > std::numeric_limits<int64_t>::max() - total) return std::nullopt;
    total += *part;
  }
  return base::Duration(total);
}

std::string FormatDuration(base::Duration duration) {
  int64_t rest = duration.count();
  if (rest <= 0) return "0s";
  std::string text;
  for (const Unit& unit : kTimeUnits) {
    if (rest < unit.amount) continue;
    text += std::to_string(rest / unit.amount) + std::string(unit.name);
    rest %= unit.amount;
  }
  return text;
}

std::optional<int64_t> ParseSize(std::string_view text) {
  if (text == "0") return 0;
  const std::optional<int64_t> bytes = TakeAmount(&text, kSizeUnits);
  return text.empty() ? bytes : std::nullopt;
}

std::string FormatSize(int64_t bytes) {
  for (const Unit& unit : std::span(kSizeUnits).first(4)) {
    if (bytes < unit.amount) continue;
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.2f",
                  static_cast<double>(bytes) / static_cast<double>(unit.amount));
    std::string text = digits;
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text + std::string(unit.name);
  }
  return std::to_string(bytes) + "B";
}

std::optional<HostPort> ParseHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[]/ ") != std::string_view::npos) {
    return std::nullopt;
  }
  HostPort out{std::string(host), 0};
  const auto [stop, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (digits.empty() || error != std::errc() || stop != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return out;
}

bool IsLoopback(std::string_view host) {
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") &&
          host.find_first_not_of("0123456789.") == std::string_view::npos);
}

std::string Escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t bad = FindBadByte(text);
    out += text.substr(0, bad);
    if (bad == std::string_view::npos) break;
    const size_t length = std::max<size_t>(1, base::Utf8Length(text.substr(bad)));
    for (char c : text.substr(bad, length)) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(c));
      out += escaped;
    }
    text.remove_prefix(bad + length);
  }
  return out;
}

std::string Quoted(std::string_view text) {
  constexpr size_t kLongest = 80;
  size_t end = std::min(text.size(), kLongest);
  const auto inside = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
  // Not in the middle of a character.
  for (int i = 0; i < 3 && end < text.size() && end > 0 && inside(text[end]); ++i) --end;
  const char* quote = text.find('"') == std::string_view::npos ? "\"" : "'";
  return quote + Escaped(text.substr(0, end)) + (end < text.size() ? "..." : "") + quote;
}

size_t FindBadByte(std::string_view text, std::string_view allowed) {
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x20 || byte == 0x7f) {
      if (allowed.find(text[at]) == std::string_view::npos) return at;
      ++at;
      continue;
    }
    const size_t length = base::Utf8Length(text.substr(at));
    const std::string_view rest = text.substr(at);
    if (length == 0 || base::StartsWithC1(rest) || base::StartsWithHidden(rest)) return at;
    at += length;
  }
  return std::string_view::npos;
}

}  // namespace coxswain::config
