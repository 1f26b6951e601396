// The worker's deciding core. One thread, no I/O, no clock, no randomness: the same beginning and
// the same events give the same decisions.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/deadlines.h"
#include "worker/core/decisions.h"
#include "worker/core/events.h"
#include "worker/core/rank_table.h"
#include "worker/core/task_table.h"

namespace coxswain::worker::core {

struct Settings {
  base::Deadlines deadlines;      // until a Welcome tells the cluster's lease
  base::Incarnation incarnation;  // of this process
  std::string coordinator;        // its address, for messages
  protocol::Inventory inventory;  // all but GPUs and conditions
};

// A rank that an earlier life of this worker left: running, or ended and not yet acknowledged.
struct FoundRank {
  protocol::StartRank start;
  int64_t pid = 0;
  std::optional<protocol::ExitRecord> exit;
};

class Worker {
 public:
  Worker(Settings settings, Identity identity, std::vector<FoundRank> found);

  Decisions Decide(const Event& event);

  // When TimePassed must come at the latest; nothing: never.
  std::optional<base::Time> NextDeadline() const;

  // Whose metric points come on this connection; nothing if it is not a rank's.
  std::optional<protocol::RankKey> RankOn(ConnectionId connection) const;

  bool Lives(const protocol::RankKey& key) const;
  // Of the process that was launched for it; 0: none was.
  base::Incarnation TaskIncarnation(base::TaskId task) const;

  const protocol::Inventory& inventory() const { return settings_.inventory; }
  // The whole state as text, for tests and for finding out what is wrong.
  std::string Dump() const;
  uint64_t Digest() const;

 private:
  enum class Session { kNone, kGreeting, kWelcomed };

  // worker.cc: the stream, time, inventory, the end.
  void On(const LinkConnected&);
  void On(const LinkDisconnected&);
  void On(const OrderReceived&);
  void On(const GpusObserved&);
  void On(const ConditionsObserved&);
  void On(const StopRequested&);
  void On(const LifelineClosed&);
  void On(const TimePassed&);
  void Obey(const protocol::Welcome&);
  void Obey(const protocol::Rejected&);
  void SendHello();
  void SendHeartbeat(bool with_inventory);
  void RefreshInventory();
  bool ProcessesAreOurs(const std::string& gpu_uuid) const;
  void ExitWhenEmpty();
  // orders.cc: what the coordinator wants.
  void Obey(const protocol::StartRank&);
  void Obey(const protocol::StopRank&);
  void Obey(const protocol::ToTrainer&);
  void Obey(const protocol::AcknowledgeExit&);
  void Obey(const protocol::AcknowledgeMetrics&);
  void Obey(const protocol::ReadLog&);
  void Obey(const protocol::StartTask&);
  void Obey(const protocol::ForgetJob&);
  void Launch(const protocol::StartRank& start);
  std::string WhyGpusCannotBeGiven(const protocol::StartRank& start) const;
  void ForgetWhenEmpty(base::JobId job);
  // processes.cc: ranks, trainers and tasks.
  void On(const RankRunning&);
  void On(const RankEnded&);
  void On(const TrainerConnected&);
  void On(const TrainerReported&);
  void On(const TrainerDisconnected&);
  void On(const TaskReported&);
  void On(const TaskProcessEnded&);
  void OnTaskConnected(const TrainerConnected&);
  void EndTask(TaskEntry& entry, protocol::TaskEnded result);
  void StartTasks();
  void ForgetTasks();
  void TellState(RankEntry& entry);
  void TellWhatWaited();

  void Do(Act act) { out_.acts.push_back(std::move(act)); }
  void Say(std::string text) { out_.why.push_back(std::move(text)); }
  void Warn(std::string text) { out_.warnings.push_back(std::move(text)); }
  void Report(protocol::WorkerReport report);  // dropped unless welcomed

  Settings settings_;
  Identity identity_;
  Session session_ = Session::kNone;
  protocol::Inventory told_inventory_;  // what the coordinator was told on this stream
  std::string last_loss_;               // of the link: said once per change
  std::string last_warning_;            // of a Welcome: likewise
  bool ever_welcomed_ = false;
  bool ending_ = false;  // the lifeline is closed
  RankTable ranks_;
  TaskTable tasks_;
  std::set<base::JobId> to_forget_;
  std::vector<GpuFacts> gpus_;
  // When the last rank on a GPU ended: what is seen there until two leases later may still be its
  // own.
  std::map<std::string, base::Time> gpu_released_;
  std::optional<base::Time> next_heartbeat_;

  // Of the Decide call that runs.
  const Event* event_ = nullptr;
  Decisions out_;
};

}  // namespace coxswain::worker::core
