// What a segment of a recording consists of.
#pragma once

#include <string>

#include "coordinator/core/coordinator.h"
#include "coordinator/core/image.h"

namespace coxswain::coordinator::record {

// The first record.
struct Beginning {
  base::WallTime wall;
  std::string reason;  // "the core's life begins", "the last file is full"
  core::Settings settings;
  uint64_t digest = 0;  // of the core, Coordinator::Digest()
  core::Image image;
};

// What a turn decided, in short.
struct Verdict {
  uint64_t digest = 0;  // of all of it
  uint64_t changes = 0, orders = 0, replies = 0, reasons = 0;
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

struct TurnRecord {
  core::Event event;
  Verdict verdict;
};

// The last record, where a process had the time for it.
struct Ending {
  std::string reason;
  uint64_t digest = 0;  // of the core after the last turn; 0: not taken
};

}  // namespace coxswain::coordinator::record
