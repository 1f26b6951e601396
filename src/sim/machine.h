// One machine: its disk, its shims and their processes, its path to the coordinator. What the shim
// and worker/process do is here; the worker's own process is worker_host.h.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "sim/options.h"
#include "sim/rank_process.h"
#include "sim/stream.h"
#include "worker/core/worker.h"

namespace coxswain::sim {

class WorkerHost;

// <data>/jobs/jN/aN/rN on the machine's disk.
struct RankFolder {
  protocol::StartRank start;
  std::string boot_id;
  int64_t pid = 0;  // 0: not yet executed
  std::optional<protocol::ExitRecord> exit;
  bool stop_ordered = false;
  bool shim_lives = true;
};

class Machine {
 public:
  Machine(World* world, uint32_t index, const MachinePlan& plan);
  ~Machine();

  WorkerHost* worker() const { return worker_.get(); }
  void StartWorker();
  // It is gone now, and comes again after `pause` if the machine is up.
  void EndWorker(base::Duration pause, bool silently = false);
  // Exit of the worker's own will: 78 (a wrong setting) is not started again by its supervisor.
  void WorkerExited(int code);

  void Crash(base::Duration down);  // power lost; boots again
  bool up() const { return up_; }
  void Cut(bool up, bool down, bool data);  // what is true is cut from now on; all false: healed
  bool IsCut() const { return path.cut_up || path.cut_down; }
  void KeepSilent(std::shared_ptr<Group> group) { silent_.push_back(std::move(group)); }

  // Shims. Launch false: the disk is full.
  bool Launch(const protocol::StartRank& start);
  void Signal(const protocol::RankKey& key, base::Duration grace);
  void Acknowledge(const protocol::RankKey& key) { folders.erase(key); }
  void KillShim(RankProcess& process);
  // Of the folders that a worker finds at its start. Ends what is left of a killed shim's rank.
  std::vector<worker::core::FoundRank> FindRanks();
  void Ended(RankProcess& process, protocol::ExitRecord exit);

  uint32_t index() const { return index_; }
  const MachinePlan& plan() const { return plan_; }
  std::string name() const { return "m" + std::to_string(index_); }
  std::string address() const { return "10.0.0." + std::to_string(index_ + 1); }
  std::string GpuUuid(uint32_t gpu) const { return name() + "-gpu" + std::to_string(gpu); }
  const std::string& boot_id() const { return boot_id_; }
  const std::map<protocol::RankKey, std::shared_ptr<RankProcess>>& processes() const {
    return processes_;
  }

  // The disk.
  std::optional<worker::core::Identity> identity;
  std::map<protocol::RankKey, RankFolder> folders;
  bool disk_full = false;

  Path path;                                                          // to the coordinator
  Path local{false, false, base::Duration(30), base::Duration(400)};  // sockets within the machine
  bool cut_data = false;                                              // from other machines
  base::Duration wall_jump{};
  std::optional<uint32_t> clone_of;  // its disk was copied from this machine's

 private:
  void Boot();
  void StartProcess(const protocol::StartRank& start);
  void TellWorker(const protocol::RankKey& key, base::Incarnation incarnation,
                  const protocol::ExitRecord& exit);

  World& world_;
  const uint32_t index_;
  const MachinePlan plan_;
  std::string boot_id_;
  bool up_ = true;
  uint64_t boots_ = 0, worker_lives_ = 0, cuts_ = 0;
  int64_t last_pid_ = 100;
  std::unique_ptr<WorkerHost> worker_;
  std::map<protocol::RankKey, std::shared_ptr<RankProcess>> processes_;
  std::vector<std::shared_ptr<Group>> silent_;  // whose members here died without a word
};

}  // namespace coxswain::sim
