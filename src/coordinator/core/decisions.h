// What the core wants done about an event. Nothing of it may be seen outside before `persist` is
// committed.
#pragma once

#include "coordinator/core/events.h"

namespace coxswain::coordinator::core {

// An order to one worker's session. The shell adds the term.
struct Action {
  SessionId session;
  protocol::WorkerOrder order;
  bool close_session = false;  // after sending: for Rejected
};

enum class ReplyCode : uint8_t {
  kOk,
  kAlreadyExists,
  kNotFound,
  kFailedPrecondition,
  kResourceExhausted,
  kInvalidArgument,
  kUnavailable
};

// The answer to a waiting call. On kOk the call's object is read from the committed state.
struct Reply {
  CallId call;
  ReplyCode code = ReplyCode::kOk;
  std::string text;  // for people, when not OK
  JobId job;
  NodeId node;
  bool already_existed = false;
  std::vector<std::string> warnings;  // done, but something will not be as expected
  WallTime expected_start;            // of a dry run; 0: not known
};

// Why something is as it is: the current reason of a job, with numbers. Soft.
struct Explanation {
  JobId job;
  std::string text;  // "needs 4 CPU slots on one node; most free is 2 of 6 (node-a)"
};

struct Decisions {
  std::vector<Change> persist;  // one transaction, in this order
  std::vector<Action> send;
  std::vector<Reply> replies;
  std::vector<Explanation> why;
};

}  // namespace coxswain::coordinator::core
