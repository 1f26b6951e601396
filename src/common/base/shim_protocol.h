// What a worker and the shims of its ranks agree on: the files of a rank's folder, the lines on a
// shim's Unix socket, and the exit record. Text only; whoever reads and writes it stands elsewhere.
//
// Lines on the socket, each ended by '\n'. Worker to shim:
//   status             answered by `running` or `exited`
//   subscribe          as status, and again whenever it changes
//   signal N           to the rank's first process; answered by `ok` or `error TEXT`
//   stop GRACE_MS      SIGTERM to the rank's process group, SIGKILL to all its processes after the
//                      grace; a later stop may only shorten it; answered by `ok`
//   release            the exit record has been taken: the shim may go, even if no disk took it
// Shim to worker:
//   running PID START_TICKS, exited RECORD (EncodeExit, escaped), ok, error TEXT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/fields.h"
#include "common/base/time.h"

namespace coxswain::base {

// Names within a rank's folder.
inline constexpr char kShimSocketFile[] = "shim.sock";  // mode 0600
inline constexpr char kShimLockFile[] = "shim.lock";    // flock held for as long as the shim lives
inline constexpr char kExitFile[] = "exit";             // EncodeExit; there only when complete
inline constexpr char kRankProcessFile[] = "process";   // EncodeIdentity of the rank's process
// Logs: "stdout.0", "stdout.8388608": named by the offset of their first byte, gapless.

// How the rank's first process ended.
struct ShimExit {
  int code = 0;    // 127 with a note: the program could not be started
  int signal = 0;  // 0: ended by exit(code)
  bool oom_killed = false;
  bool stopped = false;  // a stop had been asked for before
  WallTime started, ended;
  int64_t user_us = 0, system_us = 0, peak_rss_bytes = 0;
  std::string last_log;  // last lines of stderr, else stdout, at most 4 KiB
  std::string note;
  friend bool operator==(const ShimExit&, const ShimExit&) = default;
};
std::string EncodeExit(const ShimExit& exit);
// Nothing for a text that was cut short or is not an exit record.
std::optional<ShimExit> DecodeExit(std::string_view text);

// One process for certain: a process number is used again, but not with the same start and boot.
struct ProcessIdentity {
  int64_t pid = 0;
  uint64_t start_ticks = 0;  // /proc/PID/stat, field 22
  std::string boot_id;       // /proc/sys/kernel/random/boot_id
  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};
std::string EncodeIdentity(const ProcessIdentity& identity);
std::optional<ProcessIdentity> DecodeIdentity(std::string_view text);

}  // namespace coxswain::base
