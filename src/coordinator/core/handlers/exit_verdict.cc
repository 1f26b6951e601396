#include "coordinator/core/handlers/exit_verdict.h"

#include <algorithm>

#include "common/base/log_line.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

using protocol::FailureKind;

bool FromOutside(int signal) { return signal == 1 || signal == 2 || signal == 9 || signal == 15; }

// "2026-11-21T17:08:53.851266Z info cox-trainer[31845]: ...": see common/log.
bool IsInfo(std::string_view line) {
  size_t space = line.find(' ');
  return space != std::string_view::npos && line.substr(space + 1).starts_with("info cox-");
}

// What a program has printed, without what is said about it.
std::string OfProgram(std::string_view log) {
  std::string out;
  while (!log.empty()) {
    const std::string_view line = log.substr(0, log.find('\n'));
    log.remove_prefix(std::min(log.size(), line.size() + 1));
    if (!base::IsOwnLogLine(line)) out.append(line).append("\n");
  }
  return out;
}

// Of a record that no process gave.
FailureKind KindOfNote(std::string_view note) {
  if (note.find("started") != std::string_view::npos &&
      note.find("restarted") == std::string_view::npos) {
    return FailureKind::kNotStarted;
  }
  return note.find("shim killed") == std::string_view::npos ? FailureKind::kLostNode
                                                            : FailureKind::kKilled;
}

}  // namespace

std::string LastWords(const protocol::ExitRecord& exit, bool own_program) {
  if (!exit.note.empty() || exit.oom_killed || FromOutside(exit.signal)) return "";
  if (own_program) return LastLine(OfProgram(exit.last_log));
  std::string last = LastLine(exit.last_log);
  return IsInfo(last) ? "" : last;
}

std::string ExitText(const protocol::ExitRecord& exit, bool own_program) {
  if (!exit.note.empty()) return exit.note;
  if (exit.oom_killed) return "was killed: out of memory";
  if (exit.signal != 0) {
    return (FromOutside(exit.signal) ? "was killed (" : "crashed (") + SignalName(exit.signal) +
           ")";
  }
  if (own_program) return "ended with exit code " + std::to_string(exit.code);
  switch (exit.code) {
    case protocol::kExitUserError:
      return "ended with an error of the job (exit code 10)";
    case protocol::kExitInfrastructure:
      return "lost its store, network or peers (exit code 11)";
    case protocol::kExitOutOfMemory:
      return "ran out of memory (exit code 12)";
    case protocol::kExitStopped:
      return "was stopped (exit code 13)";
    default:
      return "ended with exit code " + std::to_string(exit.code);
  }
}

ExitVerdict JudgeExit(const protocol::ExitRecord& exit, bool own_program) {
  std::string text = ExitText(exit, own_program);
  if (!exit.note.empty()) return {Cause::kInfrastructure, text, false, KindOfNote(exit.note)};
  if (exit.oom_killed) return {Cause::kOutOfMemory, text, false, FailureKind::kOutOfMemory};
  if (exit.signal != 0) {
    bool outside = FromOutside(exit.signal);
    return {outside ? Cause::kInfrastructure : Cause::kUser, text, exit.stopped_by_us,
            outside ? FailureKind::kKilled : FailureKind::kBug};
  }
  // It may have had its reasons, and it may have lost a peer: whatever library it trains with, that
  // ends in a code of the program's.
  if (own_program && exit.code != 0) return {Cause::kUser, text, true, FailureKind::kBug};
  switch (exit.code) {
    case protocol::kExitOk:
      return {Cause::kUser, "ended before the training was finished (exit code 0)", false,
              FailureKind::kBug};
    case protocol::kExitUserError:
      return {Cause::kUser, text, false, FailureKind::kSettings};
    case protocol::kExitInfrastructure:
      return {Cause::kInfrastructure, text, true, FailureKind::kLostPeer};
    case protocol::kExitOutOfMemory:
      return {Cause::kOutOfMemory, text, false, FailureKind::kOutOfMemory};
    case protocol::kExitStopped:
      return {Cause::kInfrastructure, text, exit.stopped_by_us, FailureKind::kKilled};
    default:
      return {Cause::kUser, text, false, FailureKind::kBug};
  }
}

}  // namespace coxswain::coordinator::core
