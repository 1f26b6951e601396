// What a run of the loop leaves behind: rows to commit, and all that may be seen outside only after
// that.
#pragma once

#include <iterator>

#include "coordinator/core/decisions.h"
#include "coordinator/core/views.h"

namespace coxswain::coordinator::runtime {

// To its end.
template <class T>
void MoveTo(std::vector<T>* to, std::vector<T> from) {
  if (to->empty()) {
    *to = std::move(from);
  } else {
    to->insert(to->end(), std::make_move_iterator(from.begin()),
               std::make_move_iterator(from.end()));
  }
}

struct Outbox {
  uint64_t life = 0;  // of the tables that decided; older ones are void
  std::vector<core::Change> persist;
  std::vector<core::Action> send;
  std::vector<core::Reply> replies;
  std::vector<core::LiveJob> jobs;
  std::vector<core::LiveNode> nodes;
  std::vector<core::HeardNode> heard;
  std::optional<std::vector<core::LiveQueue>> queues;

  // What was decided after it, in the same life.
  void Add(Outbox next) {
    MoveTo(&persist, std::move(next.persist));
    MoveTo(&send, std::move(next.send));
    MoveTo(&replies, std::move(next.replies));
    MoveTo(&jobs, std::move(next.jobs));
    MoveTo(&nodes, std::move(next.nodes));
    MoveTo(&heard, std::move(next.heard));
    if (next.queues) queues = std::move(next.queues);
  }
  bool empty() const {
    return persist.empty() && send.empty() && replies.empty() && jobs.empty() && nodes.empty() &&
           heard.empty() && !queues;
  }
};

}  // namespace coxswain::coordinator::runtime
