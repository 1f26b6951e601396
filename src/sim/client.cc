#include "sim/client.h"

#include "sim/world.h"

namespace coxswain::sim {

namespace core = coordinator::core;
using base::Duration;
using base::milliseconds;
using base::seconds;

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
  auto make = [&](core::CallId id) {
    core::JobSubmitted event{.call = id, .request = plan_.request};
    event.spec_yaml = "sim-job " + std::to_string(plan_.number);
    event.idempotency_key = Key();
    event.request_digest = event.spec_yaml;
    return core::EventBody(event);
  };
  Duration back = world_.dice.Between(world_.options.delay_low, world_.options.delay_high);
  coordinator.Call(make, [this, call, back](std::optional<core::Reply> reply) {
    world_.queue.After(back, [this, call, reply] { Answered(call, reply); });
  });
  world_.queue.After(seconds(25), [this, call] {
    if (answered_ < call && calls_ == call) Submit();  // nobody answers
  });
}

void Client::Answered(uint64_t call, const std::optional<core::Reply>& reply) {
  answered_ = std::max(answered_, call);
  if (!reply) return Again(milliseconds(200), seconds(3));
  if (reply->code != core::ReplyCode::kOk) {
    world_.journal.Say([&] { return "client of " + Key() + ": refused: " + reply->text; });
    bool final = plan_.bad_data || reply->text.find("has room for") != std::string::npos ||
                 reply->text.find("not one place") != std::string::npos;
    if (final) {
      refused_ = !job_;
      return;
    }
    return Again(seconds(2), seconds(8));
  }
  bool lost = job_ && *job_ != reply->job;
  if (lost && world_.journal.counts()[static_cast<size_t>(Counted::kBackups)] == 0) {
    return world_.journal.Fail(Key() + " has made two jobs: " + base::ToString(*job_) + " and " +
                               base::ToString(reply->job));
  }
  job_ = reply->job;
  if (world_.dice.Percent(world_.options.repeat_percent)) Again(milliseconds(1), seconds(30));
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
  uint64_t room = 0;
  for (const MachinePlan& machine : world_.options.machines) {
    uint64_t here = machine.cpus / plan_.request.cpus;
    if (plan_.request.gpus > 0) here = std::min<uint64_t>(here, machine.gpus / plan_.request.gpus);
    room += here;
  }
  if (room < plan_.request.workers) Cancel();
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
