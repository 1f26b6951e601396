// Words and numbers for people, and the JSON of task arguments. Pure string work.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/protocol/worker_messages.h"
#include "coordinator/core/rows.h"

namespace coxswain::coordinator::core {

std::string Plural(uint64_t count, std::string_view noun);       // "1 rank", "2 ranks"
std::string TimesText(double factor);                            // "1.30 times"
std::string ClockTime(base::WallTime at);                        // "12:03:11 UTC"
std::string RanksText(const std::vector<base::Rank>& ranks);     // "rank 0", "ranks 0, 2"
std::string SignalName(int signal);                              // "SIGKILL", "signal 34"
std::string LastLine(std::string_view text, size_t most = 200);  // last non-empty line, shortened
std::string JsonQuote(std::string_view text);                    // with the quotes
std::string Hex8(uint64_t bits);                                 // low 32 bits, 8 hex digits
std::string StepText(int64_t step);                              // "step 5,109"
std::string ParentUri(std::string_view uri);                     // "a/b" -> "a"; no '/': itself

std::string MarksOf(const CheckpointRow& row);  // "", " (final)", " (final, the best so far)"
std::string JobText(const JobRow& job);         // "j12 (mnist)"

// "next release j12 (mnist) in about 40 min" and "it starts in about 40 min", or that the time it
// was expected at has passed.
std::string ReleaseText(const std::string& job, base::WallTime expected, base::WallTime now);
std::string StartText(base::WallTime expected, base::WallTime now);

}  // namespace coxswain::coordinator::core
