// The whole state of a core at one moment, to go on from: what a recording begins with. A core made
// of it decides as the one it was taken from.
#pragma once

#include "coordinator/core/soft.h"

namespace coxswain::coordinator::core {

struct Image {
  Snapshot rows;  // all that the tables hold
  Soft soft;
};

}  // namespace coxswain::coordinator::core
