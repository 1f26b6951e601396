// Starts the rank's program as a child of this process, in a session and process group of its own.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace coxswain::shim {

struct Child {
  pid_t pid = -1;
  int stdout_fd = -1;  // read ends, non-blocking
  int stderr_fd = -1;
  int exec_fd = -1;     // ends without a byte when the program runs; else holds errno (an int)
  std::string problem;  // not empty: not even a process could be made
};

// `program`: the path, then the arguments. The environment and the current folder are this
// process's. The child gets SIGKILL when this process dies.
Child StartChild(const std::vector<std::string>& program);

}  // namespace coxswain::shim
