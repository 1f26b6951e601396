// Worlds by the thousand: each seed twice, which must give one digest.
#pragma once

#include <cstdint>

namespace coxswain::sim {

struct ExploreOptions {
  uint64_t first = 1, last = 1;  // seeds, both included
  unsigned jobs = 1;             // processes
  bool verbose = false;          // tell all that happens, as it happens
};

// Prints findings and, at the end, what happened in all worlds together. The exit status: 0 if no
// checker found anything, 1 otherwise.
int Explore(const ExploreOptions& options);

}  // namespace coxswain::sim
