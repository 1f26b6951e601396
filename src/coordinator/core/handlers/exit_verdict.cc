#include "coordinator/core/handlers/exit_verdict.h"

#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

bool FromOutside(int signal) { return signal == 1 || signal == 2 || signal == 9 || signal == 15; }

}  // namespace

std::string ExitText(const protocol::ExitRecord& exit) {
  if (!exit.note.empty()) return exit.note;
  if (exit.oom_killed) return "was killed: out of memory";
  if (exit.signal != 0) {
    return (FromOutside(exit.signal) ? "was killed (" : "crashed (") + SignalName(exit.signal) +
           ")";
  }
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

ExitVerdict JudgeExit(const protocol::ExitRecord& exit) {
  std::string text = ExitText(exit);
  if (!exit.note.empty()) return {Cause::kInfrastructure, text, false};
  if (exit.oom_killed) return {Cause::kOutOfMemory, text, false};
  if (exit.signal != 0) {
    return {FromOutside(exit.signal) ? Cause::kInfrastructure : Cause::kUser, text,
            exit.stopped_by_us};
  }
  switch (exit.code) {
    case protocol::kExitOk:
      return {Cause::kUser, "ended before the training was finished (exit code 0)", false};
    case protocol::kExitInfrastructure:
      return {Cause::kInfrastructure, text, true};
    case protocol::kExitOutOfMemory:
      return {Cause::kOutOfMemory, text, false};
    case protocol::kExitStopped:
      return {Cause::kInfrastructure, text, exit.stopped_by_us};
    default:
      return {Cause::kUser, text, false};
  }
}

}  // namespace coxswain::coordinator::core
