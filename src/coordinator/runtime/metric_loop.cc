#include "coordinator/runtime/metric_loop.h"

#include <absl/strings/str_cat.h>

#include "common/base/clock.h"

namespace coxswain::coordinator::runtime {

constexpr uint64_t kMostWaitingPoints = 500'000;
constexpr int kPrunesAtOnce = 100;
constexpr base::Duration kLongestPause = base::seconds(1);  // while the store fails
constexpr size_t kMostMissed = 100'000;                     // those of sessions that are gone

MetricLoop::MetricLoop(std::unique_ptr<store::MetricStore> store, base::Duration pause, Hooks hooks)
    : store_(std::move(store)),
      pause_(pause),
      hooks_(std::move(hooks)),
      thread_([this] { Run(); }) {}

MetricLoop::~MetricLoop() { Stop(); }

void MetricLoop::Stop() {
  queue_.Close();
  if (thread_.joinable()) thread_.join();
}

void MetricLoop::Append(core::SessionId session, core::NodeId node, protocol::MetricBatch batch) {
  const bool dropped = waiting_points_ > kMostWaitingPoints;
  if (dropped) batch.points.clear();
  waiting_points_ += batch.points.size();
  queue_.Push(Item{session, {std::move(node), std::move(batch)}, {}, {}, dropped});
}

void MetricLoop::DeleteJobs(std::vector<core::JobId> jobs) {
  if (!jobs.empty()) queue_.Push(Item{{}, {}, std::move(jobs), {}});
}

void MetricLoop::Prune(const store::MetricLimits& limits) { queue_.Push(Item{{}, {}, {}, limits}); }

void MetricLoop::Then(std::function<void()> call) {
  Item item;
  item.then = call;
  if (!queue_.Push(std::move(item))) call();
}

void MetricLoop::Run() {
  for (auto items = queue_.TakeAll(); !items.empty(); items = queue_.TakeAll()) {
    std::vector<Item> batches;
    std::vector<std::function<void()>> calls;
    for (Item& item : items) {
      if (item.then) {
        calls.push_back(std::move(item.then));
      } else if (item.limits || !item.delete_jobs.empty()) {
        Maintain(item);
      } else {
        waiting_points_ -= item.batch.batch.points.size();
        if (!IsMissed(item)) batches.push_back(std::move(item));
      }
    }
    if (!batches.empty()) Store(std::move(batches));
    for (const std::function<void()>& call : calls) call();
    queue_.WaitClosed(Pause());
    AskAgain();
  }
}

bool MetricLoop::IsMissed(const Item& item) {
  const uint64_t batch = item.batch.batch.batch;
  auto missed = missed_.find({item.session, item.batch.batch.job});
  if (missed != missed_.end() && batch > missed->second) {  // sent before it was asked for
    Miss(item);
    return true;
  }
  if (missed != missed_.end()) missed_.erase(missed);  // it comes again
  if (item.dropped) Miss(item);
  return item.dropped;
}

void MetricLoop::Miss(const Item& item) {
  if (missed_.size() >= kMostMissed) missed_.clear();
  const Stream stream(item.session, item.batch.batch.job);
  missed_[stream] = item.batch.batch.batch;
  to_ask_.insert(stream);
}

void MetricLoop::AskAgain() {
  for (const auto& [session, job] : to_ask_) hooks_.acknowledge(session, {job, 0});
  to_ask_.clear();
}

base::Duration MetricLoop::Pause() {
  failing_pause_ = problem_.empty() ? pause_ : std::min(failing_pause_ * 2, kLongestPause);
  return std::max(pause_, failing_pause_);
}

// One that cannot be stored holds up itself alone.
void MetricLoop::Store(std::vector<Item> items) {
  std::string wait;
  if (absl::Status status = StoreTogether(items); !status.ok()) {
    std::vector<Item> alone;
    for (Item& item : items) {
      alone.clear();
      alone.push_back(std::move(item));
      if (IsMissed(alone.front())) continue;
      status = StoreTogether(alone);
      if (!status.ok()) Miss(alone.front());
      const store::NodeBatch& batch = alone.front().batch;
      if (!status.ok() && wait.empty()) {
        wait = absl::StrCat("metrics wait on the workers, of ", base::ToString(batch.batch.job),
                            " and perhaps of others: ", std::string(status.message()));
      }
    }
  }
  if (wait != problem_) hooks_.problem(wait);
  problem_ = wait;
}

absl::Status MetricLoop::StoreTogether(std::vector<Item>& items) {
  std::set<core::JobId> jobs;
  uint64_t points = 0;
  std::vector<store::NodeBatch> batches;
  for (Item& item : items) {
    jobs.insert(item.batch.batch.job);
    points += item.batch.batch.points.size();
    batches.push_back(std::move(item.batch));
  }
  const bool shed = shed_;
  if (shed) {
    for (store::NodeBatch& b : batches) {
      b.batch.dropped += b.batch.points.size();
      b.batch.points.clear();
    }
  }
  absl::Status status = store_->Append(batches, base::WallNow());
  for (size_t i = 0; i < items.size(); ++i) items[i].batch = std::move(batches[i]);
  // Shedding says what it lost where it can, but goes on without.
  if (!status.ok() && !shed) return status;
  if (!shed) stored_ += points;
  for (const Item& item : items) {
    hooks_.acknowledge(item.session, {item.batch.batch.job, item.batch.batch.batch});
  }
  hooks_.changed(jobs);
  return absl::OkStatus();
}

void MetricLoop::Maintain(const Item& item) {
  absl::Status status = store_->DeleteJobs(item.delete_jobs);
  if (status.ok() && item.limits) PruneAll(*item.limits);
}

void MetricLoop::PruneAll(const store::MetricLimits& limits) {
  for (int i = 0; i < kPrunesAtOnce; ++i) {
    absl::StatusOr<size_t> pruned = store_->Prune(limits, base::WallNow());
    if (!pruned.ok() || *pruned == 0) return;  // tried again with the next round of retention
  }
}

}  // namespace coxswain::coordinator::runtime
