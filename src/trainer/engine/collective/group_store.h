// A generation's store: where its ranks find each other. Rank 0 hosts it.
#pragma once

#include <chrono>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "trainer/engine/collective/group.h"

namespace coxswain::trainer::engine {

inline std::chrono::milliseconds Milliseconds(base::Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

// With names of this generation's own. Throws what LibTorch throws when rank 0 is not there within
// limits.form.
c10::intrusive_ptr<c10d::Store> OpenGroupStore(const GroupSettings& settings,
                                               const GroupLimits& limits);

}  // namespace coxswain::trainer::engine
