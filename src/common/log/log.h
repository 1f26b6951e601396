// The log of a program: one line per record on stderr,
//   2026-11-21T13:04:05.678901Z warning cox-worker[4711]: stream to 127.0.0.1:7071 broken, again in
//   2 s
// Thread-safe. Never blocks on anything but stderr. Not for pure cores: they explain themselves in
// their decisions.
//
// Secrets: nothing here knows what a text means, so callers leave tokens and `env:` values out; as
// a second line of defence, every value given to HideSecret is replaced by "***" wherever it
// appears.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace coxswain::log {

enum class Level { kDebug, kInfo, kWarn, kError };

// Once, at the start of main, before other threads. Until then records of kInfo and above are
// written under the name "coxswain".
void Init(std::string_view program, Level level);

// "debug", "info", "warn", "error"; nothing for any other text.
std::optional<Level> ParseLevel(std::string_view text);
const char* ToString(Level level);

// From now on this text is shown as "***". Values shorter than 8 bytes are ignored: hiding them
// would only make other words unreadable.
void HideSecret(std::string secret);

// True if records of this level are written: to save the cost of making a text.
bool Enabled(Level level);

// `text` is written as it is, but control characters (a newline above all) are escaped: one record
// is one line whatever a peer or a job sends.
void Write(Level level, std::string_view text);

inline void Debug(std::string_view text) { Write(Level::kDebug, text); }
inline void Info(std::string_view text) { Write(Level::kInfo, text); }
inline void Warn(std::string_view text) { Write(Level::kWarn, text); }
inline void Error(std::string_view text) { Write(Level::kError, text); }

// The line that Write would print for this text, without time and level. For tests and for other
// places that print what came from outside.
std::string OneLine(std::string_view text);

}  // namespace coxswain::log
