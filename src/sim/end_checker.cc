#include "sim/end_checker.h"

#include <algorithm>

#include "sim/world.h"

namespace coxswain::sim {

using core::CheckpointState;
using core::JobState;

std::string EndChecker::JobLeft() const {
  const Rows& rows = world_.coordinator->rows();
  for (const auto& client : world_.clients) {
    if (client->refused()) continue;
    if (!client->job()) {
      return "the submission of job " + std::to_string(client->plan().number) +
             " is not accepted: " + client->why_refused();
    }
    bool retired = world_.row_checker.Retired(*client->job()) != nullptr;
    if (!retired && rows.FindJob(*client->job()) == nullptr) {
      return base::ToString(*client->job()) + " was acknowledged and is not in the store";
    }
  }
  for (const auto& [id, row] : rows.jobs) {
    if (core::IsFinal(row.state)) continue;
    return base::ToString(id) + " is " + core::ToString(row.state) + ": " + row.reason + "; " +
           world_.coordinator->Reason(id);
  }
  return "";
}

std::string EndChecker::MachineLeft() const {
  for (const auto& machine : world_.machines) {
    if (!machine->up()) return machine->name() + " is down";
    if (machine->worker() == nullptr) return machine->name() + " has no worker";
    if (!world_.coordinator->rows().nodes.contains(machine->identity->node)) {
      return machine->name() + " has a worker and is no node";
    }
    if (!machine->processes().empty()) {
      const auto& process = *machine->processes().begin()->second;
      return "a rank of " + base::ToString(process.key().job) + " that nobody wants runs on " +
             machine->name();
    }
    if (!machine->folders.empty()) {
      return "the end of a rank of " + base::ToString(machine->folders.begin()->first.job) +
             " on " + machine->name() + " is not acknowledged";
    }
  }
  for (const auto& [id, row] : world_.coordinator->rows().nodes) {
    if (!world_.IsSomeMachine(id)) return "node " + id.value + ", which is gone, is not forgotten";
  }
  return "";
}

std::string EndChecker::CheckpointLeft() const {
  const Rows& rows = world_.coordinator->rows();
  for (const auto& [id, row] : rows.checkpoints) {
    std::string name = base::ToString(id) + " of " + base::ToString(row.job) + " is ";
    if (row.state == CheckpointState::kOpen) return name + "open for ever";
    // On a disk that was lost, and whose machine was forgotten, nobody can do anything about it.
    if (row.uri.starts_with("file:") && !rows.nodes.contains(row.node)) continue;
    if (row.state == CheckpointState::kCommitted) return name + "not verified";
    if (row.collect && row.state != CheckpointState::kDeleted) return name + "not collected";
  }
  return "";
}

std::string EndChecker::WhatIsLeft() const {
  if (!world_.coordinator->deciding()) return "the coordinator does not decide";
  std::string left = JobLeft();
  if (left.empty()) left = MachineLeft();
  return left.empty() ? CheckpointLeft() : left;
}

std::string EndChecker::WhatIsUnexplained() const {
  if (!world_.coordinator->deciding()) return "";
  const Rows& rows = world_.coordinator->rows();
  for (const auto& [id, row] : rows.jobs) {
    if (core::IsFinal(row.state)) continue;
    auto attempt = rows.attempts.find({id, row.attempt});
    bool waits = attempt == rows.attempts.end() || attempt->second.ended;
    if (waits && world_.coordinator->Reason(id).empty()) return base::ToString(id);
  }
  return "";
}

void EndChecker::CheckEnds() {
  bool calm = std::none_of(world_.options.faults.begin(), world_.options.faults.end(),
                           [](bool on) { return on; });
  for (const auto& client : world_.clients) {
    if (!client->job()) continue;
    const core::JobRow* found = world_.coordinator->rows().FindJob(*client->job());
    const core::JobRow& row =
        found != nullptr ? *found : *world_.row_checker.Retired(*client->job());
    const JobPlan& plan = client->plan();
    bool broken = plan.bad_data || plan.not_finite_at > 0 || plan.crash_at > 0 ||
                  plan.out_of_memory_at > 0 || plan.request.time_limit.count() > 0;
    std::string is = base::ToString(row.id) + " is " + core::ToString(row.state) + ": ";
    if (calm && !broken && !client->cancelled() && row.state != JobState::kCompleted) {
      bool local = plan.request.local_store;
      if (plan.resume_by != ResumeBy::kNothing) {
        local |= world_.options.jobs[plan.resume_of - 1].request.local_store;
      }
      bool unfit = local && !world_.options.shared_files;
      if (!unfit) world_.journal.Fail(is + "though nothing went wrong: " + row.reason);
    }
    bool taken = world_.send_checker.cancelled().contains(row.id);
    bool ends = row.state == JobState::kCancelled || row.state == JobState::kCompleted ||
                row.state == JobState::kTimeout;
    bool forgotten = world_.journal.counts()[static_cast<size_t>(Counted::kBackups)] > 0;
    if (taken && !ends && row.cause != core::Cause::kUser && !forgotten) {
      world_.journal.Fail(is + "though its cancellation was acknowledged");
    }
    Counted end = row.state == JobState::kCompleted   ? Counted::kCompleted
                  : row.state == JobState::kFailed    ? Counted::kFailed
                  : row.state == JobState::kCancelled ? Counted::kCancelled
                                                      : Counted::kOtherEnds;
    world_.journal.Add(end);
    world_.journal.Mix(static_cast<uint64_t>(row.state) << 32 ^ row.attempt.value);
  }
}

}  // namespace coxswain::sim
