// What a rank stores: snapshots and the jobs of its upload thread, one after another, each tried
// again while the store is away. As trainer/runtime/checkpoint_work.cc and
// trainer/blob/upload_loop.cc.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>

#include "sim/blob_store.h"
#include "trainer/core/decisions.h"

namespace coxswain::sim {

struct World;
class RankProcess;

class UploadLoop {
 public:
  UploadLoop(World* world, RankProcess* process) : world_(*world), process_(*process) {}

  void Keep(int64_t step, const TrainState& state) { snapshots_[step] = state; }
  void Do(const trainer::core::StartUpload& action);
  void Do(const trainer::core::StoreManifest& action);
  void Do(const trainer::core::StoreCommitted& action);
  void Do(const trainer::core::DropSave& action);
  std::string waiting_for() const { return waiting_ ? "the checkpoint store" : ""; }

 private:
  struct Job {
    std::string uri;
    std::function<void()> work;    // the store is there
    std::function<void()> failed;  // it was away for too long
    bool cancelled = false;
  };
  void Add(Job job);
  void Try(base::Duration pause, base::Time give_up);
  void Next();

  World& world_;
  RankProcess& process_;
  std::map<int64_t, TrainState> snapshots_;  // by step
  std::deque<Job> jobs_;                     // front: being done
  bool waiting_ = false;
};

}  // namespace coxswain::sim
