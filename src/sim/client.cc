#include "sim/client.h"

#include <algorithm>

#include "sim/place_checker.h"
#include "sim/world.h"

namespace coxswain::sim {

using base::Duration;
using base::milliseconds;
using base::seconds;

namespace {

constexpr size_t kMostCandidates = 8;
constexpr int kMostRefusals = 40;  // of a job that waits for another one's checkpoint

}  // namespace

void Client::Begin() {
  world_.queue.At(plan_.submit_at, [this] { Submit(); });
  if (plan_.cancel_at) world_.queue.At(*plan_.cancel_at, [this] { Cancel(); });
}

void Client::Again(Duration low, Duration high) {
  world_.queue.After(world_.dice.Span(low, high), [this] { Submit(); });
}

void Client::Submit() {
  if (refused_) return;
  uint64_t call = ++calls_;
  world_.journal.Add(call == 1 ? Counted::kSubmitted : Counted::kRepeats);
  CoordinatorHost& coordinator = *world_.coordinator;
  if (!coordinator.up()) return Again(milliseconds(200), seconds(3));
  // What the shell does before the core is asked: a key of a job that has ended.
  if (const core::JobRow* row = coordinator.rows().FindKey(Key());
      row != nullptr && core::IsFinal(row->state)) {
    return Answered(call, core::Reply{.job = row->id, .already_existed = true});
  }
  core::JobSubmitted event{.request = plan_.request};
  event.submitted_by = plan_.user;
  event.spec_yaml = "sim-job " + std::to_string(plan_.number);
  event.idempotency_key = Key();
  event.request_digest = event.spec_yaml;
  bool known = coordinator.rows().FindKey(Key()) != nullptr;
  if (!known && !Resolve(&event)) return Refused("there is no checkpoint to resume from");
  Send(call, event);
}

void Client::Send(uint64_t call, const core::JobSubmitted& event) {
  auto make = [&](core::CallId id) {
    core::JobSubmitted numbered = event;
    numbered.call = id;
    return core::EventBody(numbered);
  };
  Duration back = world_.dice.Between(world_.options.delay_low, world_.options.delay_high);
  world_.coordinator->Call(make, [this, call, back](std::optional<core::Reply> reply) {
    world_.queue.After(back, [this, call, reply] { Answered(call, reply); });
  });
  world_.queue.After(seconds(25), [this, call] {
    if (answered_ < call && calls_ == call) Submit();  // nobody answers
  });
}

bool Client::Resolve(core::JobSubmitted* event) const {
  if (plan_.resume_by == ResumeBy::kNothing) return true;
  const Client& other = *world_.clients[plan_.resume_of - 1];
  std::vector<protocol::RestoreCandidate> found;
  for (const auto& [id, row] : world_.coordinator->rows().checkpoints) {
    if (row.job != other.job() || !core::CanRestore(row)) continue;
    found.insert(found.begin(), {row.id, row.uri, row.manifest_hash});
    event->request.resume_node = row.uri.starts_with("file:") ? row.node : base::NodeId();
  }
  if (found.empty()) return false;
  event->resume_uri = found.front().uri;
  if (plan_.resume_by == ResumeBy::kUri) {
    event->request.resume_node = {};
    event->allow_uncommitted = plan_.number % 2 == 0;
    return true;
  }
  found.resize(std::min(found.size(), plan_.resume_by == ResumeBy::kJob ? kMostCandidates : 1));
  event->request.resume_from = std::move(found);
  return true;
}

// Is it worth another try? That it never fits is only true of the machines known by now.
void Client::Refused(const std::string& why) {
  world_.journal.Say([&] { return "client of " + Key() + ": refused: " + why; });
  bool never = plan_.bad_data || !CouldFit(world_.options.machines, plan_.request) ||
               why.find("not one place") != std::string::npos;
  why_refused_ = why;
  bool patient = plan_.resume_by == ResumeBy::kNothing || ++refusals_ < kMostRefusals;
  if (never || !patient) {
    refused_ = !job_;
    return;
  }
  Again(seconds(2), seconds(8));
}

void Client::Answered(uint64_t call, const std::optional<core::Reply>& reply) {
  answered_ = std::max(answered_, call);
  if (!reply) return Again(milliseconds(200), seconds(3));
  if (reply->code != core::ReplyCode::kOk) return Refused(reply->text);
  if (job_ && *job_ != reply->job && !MayBeAnother()) {
    return world_.journal.Fail(Key() + " has made two jobs: " + base::ToString(*job_) + " and " +
                               base::ToString(reply->job));
  }
  if (job_ != reply->job) job_known_at_ = world_.queue.now();
  job_ = reply->job;
  if (world_.dice.Percent(world_.options.repeat_percent)) Again(milliseconds(1), seconds(30));
}

// The first job of this key is gone: with an older store, or by retention, once the key may be
// forgotten (or a clock says so).
bool Client::MayBeAnother() const {
  const Counts& counts = world_.journal.counts();
  auto happened = [&](Counted what) { return counts[static_cast<size_t>(what)] > 0; };
  if (happened(Counted::kBackups)) return true;
  if (!world_.options.retention || world_.row_checker.Retired(*job_) == nullptr) return false;
  bool forgotten = world_.queue.now() - job_known_at_ >= world_.options.retention->window;
  return forgotten || happened(Counted::kClockJumps);
}

void Client::Cancel() {
  if (!job_) {
    if (!refused_) world_.queue.After(seconds(1), [this] { Cancel(); });
    return;
  }
  if (!cancelled_) world_.journal.Add(Counted::kCancels);
  cancelled_ = true;
  auto make = [&](core::CallId id) {
    return core::EventBody(core::CancelRequested{id, *job_, "", plan_.cancel_saves});
  };
  world_.coordinator->Call(make, [this, job = *job_](std::optional<core::Reply> reply) {
    if (!reply) world_.queue.After(seconds(1), [this] { Cancel(); });
    if (reply && reply->code == core::ReplyCode::kOk) world_.send_checker.CancelTaken(job);
  });
}

void Client::CancelIfNeverFits() {
  if (!CouldFit(world_.options.machines, plan_.request)) Cancel();
  if (plan_.resume_by == ResumeBy::kNothing) return;
  // What it begins with may be on a machine that is too small for it, or has other labels.
  world_.queue.After(seconds(600), [this] {
    const core::JobRow* row = job_ ? world_.coordinator->rows().FindJob(*job_) : nullptr;
    if (row != nullptr && row->state == core::JobState::kPending) Cancel();
  });
}

void Client::StoreWentBack() {
  if (!job_) return;
  const core::JobRow* row = world_.coordinator->rows().FindJob(*job_);
  if (row != nullptr && row->idempotency_key == Key()) return;
  job_.reset();
  cancelled_ = false;
  Again(seconds(1), seconds(5));
}

}  // namespace coxswain::sim
