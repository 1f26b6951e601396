#include "cli/verbs/log_follower.h"

#include <utility>

namespace coxswain::cli::verbs {

LogFollower::LogFollower(rpc::ClientOptions options, const output::Terminal& terminal,
                         LogLines::Print print)
    : options_(std::move(options)), terminal_(terminal), print_(std::move(print)) {
  options_.given_up = given_up_;
}

LogFollower::~LogFollower() {
  GiveUp();
  WaitForEnd();
}

void LogFollower::Follow(const std::string& job) {
  thread_ = std::thread([this, job] {
    auto client = rpc::Client::Make(options_);
    if (!client.ok()) return;
    LogLines lines(terminal_, true, true, print_);
    rpc::LogRequest request;
    request.job = job;
    request.follow = true;
    // What cannot be read is no trouble of the job's: `cox logs` would say why.
    (void)(*client)->Logs(request, [&](const rpc::LogChunk& chunk) { lines.Take(chunk); });
  });
}

void LogFollower::WaitForEnd() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace coxswain::cli::verbs
