// The worker's core: what the coordinator's orders lead to. All are safe to repeat.
#include "worker/core/worker.h"

#include <algorithm>
#include <utility>

namespace coxswain::worker::core {
namespace {

constexpr size_t kMostWaitingOrders = 64;

}  // namespace

void Worker::Obey(const protocol::StartRank& start) {
  if (ending_) return Say("rank " + ToString(start.key) + " not started: the worker is ending");
  RankEntry* entry = ranks_.Find(start.key);
  if (entry == nullptr) return Launch(start);
  if (entry->start.incarnation == start.incarnation) {  // a repeated order
    return TellState(*entry);
  }
  if (!entry->Live()) {
    ranks_.Erase(start.key);
    return Launch(start);
  }
  if (entry->next && entry->next->incarnation == start.incarnation) return;
  entry->next = start;
  Say("rank " + ToString(start.key) + ": the old process is ended first");
  Do(SignalRank{start.key, entry->start.incarnation, base::Duration(0)});
}

void Worker::Launch(const protocol::StartRank& start) {
  RankEntry entry;
  entry.start = start;
  std::string problem = WhyGpusCannotBeGiven(start);
  if (problem.empty()) {
    ranks_.Insert(std::move(entry));
    return Do(LaunchRank{start});
  }
  entry.state = protocol::RankState::kExited;
  entry.exit.emplace();
  entry.exit->code = 127;
  entry.exit->started = entry.exit->ended = event_->wall;
  entry.exit->note = "the program could not be started: " + problem;
  Say("rank " + ToString(start.key) + ": " + entry.exit->note);
  TellState(ranks_.Insert(std::move(entry)));
}

std::string Worker::WhyGpusCannotBeGiven(const protocol::StartRank& start) const {
  for (const std::string& uuid : start.gpu_uuids) {
    const auto& gpus = settings_.inventory.gpus;
    auto gpu =
        std::find_if(gpus.begin(), gpus.end(), [&](const auto& g) { return g.uuid == uuid; });
    if (gpu == gpus.end()) return "there is no GPU " + uuid + " on this node";
    if (!gpu->available) return "GPU " + uuid + ": " + gpu->why_not;
    if (const RankEntry* holder = ranks_.HolderOf(uuid)) {
      return "GPU " + uuid + " is held by rank " + ToString(holder->start.key);
    }
  }
  return "";
}

void Worker::Obey(const protocol::StopRank& stop) {
  RankEntry* entry = ranks_.Find(stop.key);
  if (entry == nullptr || !entry->Live()) return;
  entry->next.reset();
  Say("stopping rank " + ToString(stop.key) + ": " + stop.reason);
  Do(SignalRank{stop.key, entry->start.incarnation, stop.grace, stop.jobs_grace});
}

void Worker::Obey(const protocol::ToTrainer& order) {
  RankEntry* entry = ranks_.Find(order.key, order.incarnation);
  if (entry == nullptr || !entry->Live()) {
    return Say("order for rank " + ToString(order.key) + " dropped: that process is not here");
  }
  if (entry->connection) return Do(SendToTrainer{entry->connection, order.order});
  if (entry->waiting.size() >= kMostWaitingOrders) entry->waiting.erase(entry->waiting.begin());
  entry->waiting.push_back(order.order);
}

void Worker::Obey(const protocol::AcknowledgeExit& acknowledged) {
  RankEntry* entry = ranks_.Find(acknowledged.key, acknowledged.incarnation);
  if (entry == nullptr || entry->Live()) return;
  Do(RecordAcknowledgement{acknowledged.key, acknowledged.incarnation});
  ranks_.Erase(acknowledged.key);
  ForgetWhenEmpty(acknowledged.key.job);
}

void Worker::Obey(const protocol::AcknowledgeMetrics& acknowledged) {
  Do(TrimMetrics{acknowledged.job, acknowledged.batch});
}

void Worker::Obey(const protocol::ReadLog& request) { Do(ServeLog{request}); }

void Worker::Obey(const protocol::ForgetJob& forget) {
  to_forget_.insert(forget.job);
  ForgetWhenEmpty(forget.job);
}

void Worker::ForgetWhenEmpty(base::JobId job) {
  if (!to_forget_.contains(job) || ranks_.AnyOf(job)) return;
  to_forget_.erase(job);
  Do(ForgetFolder{job});
}

void Worker::Obey(const protocol::StartTask& task) {
  TaskEntry* entry = tasks_.Find(task.task);
  if (entry == nullptr) {
    tasks_.Queue(task);
    return StartTasks();
  }
  if (!entry->result) return;
  entry->told = true;
  Report(*entry->result);
}

}  // namespace coxswain::worker::core
