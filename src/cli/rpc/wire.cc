#include "cli/rpc/wire.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "absl/strings/numbers.h"
#include "cli/rpc/coordinator_clock.h"
#include "common/rpc/channel.h"
#include "common/rpc/error_details.h"
#include "coxswain/v1/coxswain.pb.h"

namespace coxswain::cli::rpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr std::chrono::seconds kPatience(30);

// gRPC's own texts for a connection that was refused, broken or closed; the coordinator's are
// others.
bool IsConnectionTrouble(const std::string& text) {
  for (const char* mark :
       {"onnect", "ocket", "GOAWAY", "eepalive", "roken pipe", "recvmsg", "sendmsg", "DNS",
        "name resolver", "RST_STREAM", "HTTP2", "tream removed"}) {
    if (text.find(mark) != std::string::npos) return true;
  }
  return text.empty();
}

constexpr char kMistakes[] = "coxswain/mistakes";

std::vector<config::Mistake> FromWire(const coxswain::v1::SubmitJobError& error) {
  std::vector<config::Mistake> mistakes;
  for (const auto& each : error.mistakes()) {
    mistakes.push_back({each.file(), each.line(), each.key(), each.text()});
  }
  return mistakes;
}

absl::Status InvalidArgument(const grpc::Status& status) {
  coxswain::v1::SubmitJobError error;
  if (!coxswain::rpc::FindDetail(status, &error) || error.mistakes().empty()) {
    return absl::InvalidArgumentError(status.error_message());
  }
  std::string lines;
  for (const config::Mistake& mistake : FromWire(error)) {
    lines += (lines.empty() ? "" : "\n") + mistake.ToString();
  }
  absl::Status out = absl::InvalidArgumentError(lines);
  out.SetPayload(kMistakes, absl::Cord(error.SerializeAsString()));
  return out;
}

absl::Status TimedOut(const std::string& trouble) {
  return absl::DeadlineExceededError("--timeout ran out: " + trouble);
}

// user@machine; metadata takes printable ASCII only.
std::string Person() {
  const passwd* user = getpwuid(geteuid());
  char machine[256] = "";
  gethostname(machine, sizeof machine - 1);
  std::string person = user ? user->pw_name : std::to_string(geteuid());
  person += "@" + std::string(machine);
  std::replace_if(
      person.begin(), person.end(), [](char c) { return c <= ' ' || c > '~'; }, '?');
  return person;
}

}  // namespace

Client::Wire::Wire(ClientOptions o) : options(std::move(o)), person(Person()) {}

bool HasMistakes(const absl::Status& status) { return status.GetPayload(kMistakes).has_value(); }

std::vector<config::Mistake> MistakesOf(const absl::Status& status) {
  coxswain::v1::SubmitJobError error;
  const auto payload = status.GetPayload(kMistakes);
  if (!payload || !error.ParseFromString(std::string(*payload))) return {};
  return FromWire(error);
}

void Client::Wire::Prepare(grpc::ClientContext* call, milliseconds limit) const {
  coxswain::rpc::Authorize(call, options.token);
  call->AddMetadata("coxswain-user", person);
  std::optional<SteadyTime> end = options.until;
  if (limit.count() > 0) {
    const SteadyTime by_limit = steady_clock::now() + limit;
    end = end ? std::min(*end, by_limit) : by_limit;
  }
  if (!end) return;
  call->set_deadline(system_clock::now() + std::chrono::duration_cast<system_clock::duration>(
                                               *end - steady_clock::now()));
}

void Client::Wire::HearClockOf(const grpc::ClientContext& call, base::WallTime sent) {
  const auto& told = call.GetServerInitialMetadata();
  const auto found = told.find("coxswain-time-us");
  if (found == told.end()) return;
  int64_t us = 0;
  if (!absl::SimpleAtoi(absl::string_view(found->second.data(), found->second.size()), &us)) return;
  HearClock(sent, base::WallNow(), base::WallTime{us});
}

bool Client::Wire::TimeIsUp() const {
  // gRPC's timers are a little early at times.
  return options.until && steady_clock::now() + milliseconds(5) >= *options.until;
}

absl::Status Client::Wire::Why(const grpc::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      if (!IsConnectionTrouble(status.error_message())) return coxswain::rpc::FromGrpc(status);
      return absl::UnavailableError("cannot reach " +
                                    coxswain::rpc::WhyFailed(options.server, status));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      if (TimeIsUp()) return absl::DeadlineExceededError("--timeout ran out");
      return absl::UnavailableError("cannot reach " + options.server + ": no answer in time");
    case grpc::StatusCode::INVALID_ARGUMENT:
      return InvalidArgument(status);
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::UnimplementedError(coxswain::rpc::WhyFailed(options.server, status));
    default:
      break;
  }
  return coxswain::rpc::FromGrpc(status);
}

std::optional<SteadyTime> Client::Wire::PatienceEnds(SteadyTime start) const {
  if (options.patience) return start + *options.patience;
  if (options.until) return std::nullopt;
  return start + kPatience;
}

absl::Status Client::Wire::Repeat(const std::function<grpc::Status(bool* heard)>& call) const {
  const std::optional<SteadyTime> patience_ends = PatienceEnds(steady_clock::now());
  milliseconds pause = options.first_pause;
  bool ever_heard = false;
  std::string trouble;
  while (true) {
    bool heard = false;
    const absl::Status why = Why(call(&heard));
    if (absl::IsDeadlineExceeded(why) && TimeIsUp() && !trouble.empty()) return TimedOut(trouble);
    if (!absl::IsUnavailable(why) || (options.given_up && *options.given_up)) return why;
    trouble = std::string(why.message());
    if (heard) pause = options.first_pause;
    ever_heard = ever_heard || heard;
    if (!ever_heard && patience_ends && steady_clock::now() > *patience_ends) return why;
    if (options.on_trouble) options.on_trouble(trouble);
    SteadyTime wake = steady_clock::now() + pause;
    if (options.until) wake = std::min(wake, *options.until);
    std::this_thread::sleep_until(wake);
    if (TimeIsUp()) return TimedOut(trouble);
    pause = std::min(pause * 2, milliseconds(2000));
  }
}

}  // namespace coxswain::cli::rpc
