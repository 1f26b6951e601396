// What an exit says about its cause.
#pragma once

#include "coordinator/core/rows.h"

namespace coxswain::coordinator::core {

struct ExitVerdict {
  Cause cause = Cause::kNone;
  std::string text;  // "was killed from outside (SIGKILL)"
  bool consequence =
      false;  // what survivors do when a peer dies: not the culprit if there is another
};

// Of a rank that had not been told to stop and had not finished.
ExitVerdict JudgeExit(const protocol::ExitRecord& exit);
// "was killed ..." for any exit.
std::string ExitText(const protocol::ExitRecord& exit);

}  // namespace coxswain::coordinator::core
