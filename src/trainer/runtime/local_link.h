// The coordinator of a rank that runs without one (--standalone): answers at once, writes nothing
// down.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "trainer/runtime/trainer_link.h"

namespace coxswain::trainer {

struct LocalSettings {
  base::Rank rank = 0;
  uint32_t world_size = 1;
  std::string store_address;  // of rank 0
  std::string store;          // where checkpoints go; used by a world of one
  std::string prefix;         // below it
  std::string resume_from;    // URI of a checkpoint; empty: start afresh
  int64_t global_batch = 0;   // samples per step; 0: as the job file says
  std::string metrics_path;   // file for points, one JSON line each; empty: none
};

class LocalLink : public TrainerLink {
 public:
  explicit LocalLink(LocalSettings settings) : settings_(std::move(settings)) {}
  ~LocalLink() override;
  void Start(LinkEvents events) override;
  void SendReport(protocol::TrainerReport report) override;
  void SendMetrics(std::vector<protocol::MetricPoint> points) override;
  bool Flush(base::Duration limit) override;
  void Stop() override;

 private:
  void Run();
  void Answer(const protocol::TrainerReport& report);
  void Show(const protocol::TrainerProgress& progress);
  protocol::FormGeneration Form() const;

  const LocalSettings settings_;
  LinkEvents events_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<protocol::TrainerReport> inbox_;
  bool stopping_ = false, idle_ = true;
  uint64_t checkpoints_ = 0;  // the link's thread
  std::string hash_;
  base::Time shown_;
  std::thread thread_;
};

}  // namespace coxswain::trainer
