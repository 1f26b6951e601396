#include "coordinator/core/coordinator.h"

#include "common/base/check.h"
#include "coordinator/core/handlers/cancel_handler.h"
#include "coordinator/core/handlers/drain_handler.h"
#include "coordinator/core/handlers/gone_queue_handler.h"
#include "coordinator/core/handlers/node_handler.h"
#include "coordinator/core/handlers/placement_handler.h"
#include "coordinator/core/handlers/session_handler.h"
#include "coordinator/core/handlers/store_work_handler.h"
#include "coordinator/core/handlers/submit_handler.h"
#include "coordinator/core/handlers/time_handler.h"
#include "coordinator/core/image.h"
#include "coordinator/core/live_views.h"
#include "coordinator/core/run_times.h"

namespace coxswain::coordinator::core {

struct Coordinator::State {
  Settings settings;
  Tables tables;
  Soft soft;
};

Coordinator::Coordinator(Settings settings, Snapshot snapshot, base::Time now, WallTime wall)
    : state_(std::make_unique<State>()) {
  state_->settings = std::move(settings);
  state_->tables = Tables(snapshot);
  for (const auto& [id, row] : state_->tables.nodes()) {
    state_->soft.stale_capacity.insert(id);
    state_->soft.changed_nodes.insert(id);
  }
  for (const auto& [id, row] : state_->tables.jobs().live()) {
    state_->soft.changed_jobs.insert(id);
    state_->soft.jobs[id].reason = row.reason;
  }
  for (const RunTime& each : snapshot.run_times) {
    LearnRunTime(&state_->soft, each.user, each.name, each.ran);
  }
  Turn turn(state_->settings, &state_->tables, &state_->soft, now, wall, 0);
  ResumeJobs(turn);
  for (JobId job : state_->tables.waiting()) {
    turn.Explain(job, "the coordinator has just started; waiting for workers");
  }
  Decisions none = turn.Finish();
  CHECK(none.persist.empty() && none.send.empty()) << "a start decides nothing";
}

Coordinator::Coordinator(Settings settings, Image image) : state_(std::make_unique<State>()) {
  state_->settings = std::move(settings);
  state_->tables = Tables(image.rows);
  state_->soft = std::move(image.soft);
}

Coordinator::~Coordinator() = default;
Coordinator::Coordinator(Coordinator&&) noexcept = default;

Decisions Coordinator::Decide(const Event& event) {
  Turn turn(state_->settings, &state_->tables, &state_->soft, event.now, event.wall, event.entropy);
  turn.plans = !event.more;
  TellGoneQueues(turn);
  std::visit([&](const auto& body) { Handle(turn, body); }, event.body);
  if (event.more) {
    PlaceJobsSoon(turn);
  } else {
    PlaceJobs(turn);
  }
  DoStoreWork(turn);
  return turn.Finish();
}

std::optional<base::Time> Coordinator::NextDeadline() const { return NextTimer(state_->soft); }

uint64_t Coordinator::HardDigest() const { return state_->tables.Digest(); }

uint64_t Coordinator::Digest() const {
  RowHash hash;
  hash.Add(state_->tables.Digest());
  state_->soft.AddTo(hash);
  return hash.value();
}

Image Coordinator::TakeImage() const { return {state_->tables.Rows(), state_->soft}; }

std::vector<LiveJob> Coordinator::TakeChangedJobs() {
  return core::TakeChangedJobs(state_->tables, &state_->soft);
}

std::optional<std::vector<LiveQueue>> Coordinator::TakeChangedQueues(WallTime now, bool anyway) {
  return core::TakeChangedQueues(state_->tables, state_->settings.scheduling, now, anyway,
                                 &state_->soft);
}

std::vector<LiveNode> Coordinator::TakeChangedNodes() {
  return core::TakeChangedNodes(state_->tables, &state_->soft);
}

std::vector<HeardNode> Coordinator::TakeHeardNodes() { return core::TakeHeardNodes(&state_->soft); }

}  // namespace coxswain::coordinator::core
