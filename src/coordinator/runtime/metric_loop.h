// The one thread that writes metrics.db: batches of all workers in one transaction, then the
// acknowledgements. What could not be stored is asked for again, by an acknowledgement of batch 0,
// and until it comes nothing that follows it is taken: an acknowledgement is one of all before it,
// too. So nothing here needs to be kept when the store fails. It owns the MetricStore.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "coordinator/runtime/session_table.h"
#include "coordinator/runtime/work_queue.h"
#include "coordinator/store/metric_store.h"

namespace coxswain::coordinator::runtime {

class MetricLoop {
 public:
  struct Hooks {
    std::function<void(core::SessionId, const protocol::AcknowledgeMetrics&)> acknowledge;
    std::function<void(const std::set<core::JobId>&)> changed;
    // Empty: all is well again.
    std::function<void(const std::string& problem)> problem;
  };

  // `pause`: the least time between two commits, to leave the disk to the state; also the pause
  // after a failed one.
  MetricLoop(std::unique_ptr<store::MetricStore> store, base::Duration pause, Hooks hooks);
  ~MetricLoop();

  // Returns at once. Dropped, and asked for again, when too much waits.
  void Append(core::SessionId session, core::NodeId node, protocol::MetricBatch batch);
  void DeleteJobs(std::vector<core::JobId> jobs);
  void Prune(const store::MetricLimits& limits);
  // After all that was appended before; at once when stopped.
  void Then(std::function<void()> call);
  // While true, points are acknowledged and not stored: the disk is kept for the state.
  void Shed(bool shed) { shed_ = shed; }
  void Stop();
  uint64_t stored_points() const { return stored_; }
  // Left out by full buffers on the way, or shed here.
  uint64_t dropped_points() const { return store_->dropped_points(); }

 private:
  struct Item {
    core::SessionId session;
    store::NodeBatch batch;  // unless one of these:
    std::vector<core::JobId> delete_jobs;
    std::optional<store::MetricLimits> limits;
    bool dropped = false;  // its points are gone already
    std::function<void()> then{};
  };
  using Stream = std::pair<core::SessionId, core::JobId>;
  void Run();
  void Store(std::vector<Item> items);
  // It was not kept, or follows one that was not.
  bool IsMissed(const Item& item);
  void Miss(const Item& item);
  void AskAgain();
  // After a round.
  base::Duration Pause();
  absl::Status StoreTogether(std::vector<Item>& items);
  void Maintain(const Item& item);
  void PruneAll(const store::MetricLimits& limits);

  std::unique_ptr<store::MetricStore> store_;
  const base::Duration pause_;
  const Hooks hooks_;
  std::atomic<bool> shed_ = false;
  std::atomic<uint64_t> stored_ = 0, waiting_points_ = 0;
  std::string problem_;  // as told; empty: none
  base::Duration failing_pause_{};
  std::map<Stream, uint64_t> missed_;  // the highest batch that has come since
  std::set<Stream> to_ask_;
  WorkQueue<Item> queue_;
  std::thread thread_;
};

}  // namespace coxswain::coordinator::runtime
