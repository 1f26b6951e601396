#include "cli/output/words.h"

#include <cstdio>
#include <cstring>
#include <ctime>

#include "common/base/byte_text.h"

namespace coxswain::cli::output {
namespace {

template <class... Args>
std::string Format(const char* format, Args... args) {
  char text[96];
  std::snprintf(text, sizeof text, format, args...);
  return text;
}

std::string Local(int64_t us, const char* format) {
  if (us == 0) return "";
  const time_t seconds = static_cast<time_t>(us / 1'000'000);
  tm local{};
  localtime_r(&seconds, &local);
  char text[32];
  std::strftime(text, sizeof text, format, &local);
  return text;
}

}  // namespace

std::string Count(int64_t n) { return base::CountText(n); }

std::string Joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::string Labels(const std::map<std::string, std::string>& labels) {
  std::vector<std::string> words;
  for (const auto& [key, value] : labels) words.push_back(key + "=" + value);
  return Joined(words, ",");
}

std::string Percent(double fraction) { return Format("%.2f %%", fraction * 100); }

std::string Number(double value) { return base::NumberText(value); }

std::string Clock(int64_t ms) {
  const long s = static_cast<long>((ms + 999) / 1000);
  if (s >= 3600) return Format("%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  return Format("%ld:%02ld", s / 60, s % 60);
}

std::string Ago(int64_t us, int64_t now_us) {
  if (us == 0) return "";
  const long s = static_cast<long>((now_us - us) / 1'000'000);
  if (s < 60) return Format("%lds ago", s < 0 ? 0 : s);
  if (s < 3600) return Format("%ldm ago", s / 60);
  if (s < 86400) return Format("%ldh ago", s / 3600);
  return Format("%ldd ago", s / 86400);
}

std::string When(int64_t us) { return Local(us, "%Y-%m-%d %H:%M:%S"); }

std::string WhenMinute(int64_t us) { return Local(us, "%Y-%m-%d %H:%M"); }

std::string ExitWords(int code, int signal) {
  if (signal != 0) return Format("signal %d (%s)", signal, strsignal(signal));
  return Format("code %d", code);
}

}  // namespace coxswain::cli::output
