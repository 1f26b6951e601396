// Numbers and lists as people read them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace coxswain::cli::output {

std::string Count(int64_t n);  // "8,120"
std::string Joined(const std::vector<std::string>& words, const char* between);
std::string Labels(const std::map<std::string, std::string>& labels);  // "a=1,b=2"
std::string Percent(double fraction);                                  // "88.01 %"
std::string Number(double value);             // "0.3122", "1.2e-05", "8,120": four digits
std::string Clock(int64_t ms);                // "0:42", "1:02:03"
std::string Ago(int64_t us, int64_t now_us);  // "12s ago", "3h ago"; empty for 0
std::string When(int64_t us);                 // "2026-11-21 13:04:05" in local time; empty for 0
std::string WhenMinute(int64_t us);           // without the seconds: of what is not known better
// "code 1", "signal 9 (Killed)".
std::string ExitWords(int code, int signal);

}  // namespace coxswain::cli::output
