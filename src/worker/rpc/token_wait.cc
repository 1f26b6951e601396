#include "worker/runtime/token_wait.h"

#include <poll.h>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/log/log.h"
#include "common/rpc/reconnect_policy.h"
#include "common/rpc/token.h"

namespace coxswain::worker {
namespace {

// True: the process is asked to end, or whoever started it has.
bool EndsWithin(base::Duration pause, int signal_fd, int lifeline_fd) {
  pollfd ends[] = {{signal_fd, POLLIN, 0}, {lifeline_fd, POLLIN, 0}};  // poll skips a -1
  int limit_ms = static_cast<int>(pause.count() / 1000) + 1;
  return poll(ends, 2, limit_ms) > 0;
}

}  // namespace

absl::StatusOr<std::string> WaitForToken(const std::string& path, int signal_fd, int lifeline_fd) {
  log::Info(absl::StrCat("waiting for the coordinator's token in ", path));
  rpc::ReconnectPolicy pauses(base::Deadlines{}, static_cast<uint64_t>(base::WallNow().us));
  while (!EndsWithin(pauses.Next(), signal_fd, lifeline_fd)) {
    absl::StatusOr<std::string> token = rpc::ReadToken(path);
    if (!absl::IsNotFound(token.status())) return token;
  }
  return absl::CancelledError("ended while waiting for the coordinator's token");
}

}  // namespace coxswain::worker
