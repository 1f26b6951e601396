// What a run of the loop leaves behind: rows to commit, and all that may be seen outside only after
// that.
#pragma once

#include "coordinator/core/decisions.h"
#include "coordinator/core/views.h"

namespace coxswain::coordinator::runtime {

struct Outbox {
  uint64_t life = 0;  // of the tables that decided; older ones are void
  std::vector<core::Change> persist;
  std::vector<core::Action> send;
  std::vector<core::Reply> replies;
  std::vector<core::LiveJob> jobs;
  std::vector<core::LiveNode> nodes;
  std::optional<std::vector<core::LiveQueue>> queues;

  bool empty() const {
    return persist.empty() && send.empty() && replies.empty() && jobs.empty() && nodes.empty() &&
           !queues;
  }
};

}  // namespace coxswain::coordinator::runtime
