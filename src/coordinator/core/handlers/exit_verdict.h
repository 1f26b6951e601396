// What an exit says about its cause.
#pragma once

#include "coordinator/core/rows.h"

namespace coxswain::coordinator::core {

struct ExitVerdict {
  Cause cause = Cause::kNone;
  std::string text;  // "was killed from outside (SIGKILL)"
  bool consequence =
      false;  // what survivors do when a peer dies: not the culprit if there is another
  protocol::FailureKind kind = protocol::FailureKind::kNone;
};

// Of a rank that had not been told to stop and had not finished. `own_program`: its codes are those
// of a program of the user's.
ExitVerdict JudgeExit(const protocol::ExitRecord& exit, bool own_program = false);
// The last line of its log, if it may tell why: not of a process that was killed from outside or
// for lack of memory, and no line that only tells how things went well. Of a program of the user's,
// its own last line, not one that its trainer has logged. Empty: none.
std::string LastWords(const protocol::ExitRecord& exit, bool own_program);
// "was killed ..." for any exit.
std::string ExitText(const protocol::ExitRecord& exit, bool own_program = false);

}  // namespace coxswain::coordinator::core
