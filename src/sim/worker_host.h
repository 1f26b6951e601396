// One life of one worker process: the real worker core, and the rules of its shell
// (worker/runtime): identity on disk before acts, one link with back-off, trainers' sockets, tasks.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "sim/dice.h"
#include "sim/stream.h"
#include "sim/task_runner.h"
#include "worker/core/worker.h"

namespace coxswain::sim {

struct World;
class Machine;
class RankProcess;

class WorkerHost {
 public:
  WorkerHost(World* world, Machine* machine);
  ~WorkerHost();

  void Begin();
  void Feed(worker::core::EventBody body);
  // The process is gone; nothing of it happens any more. `silently`: with the machine's power.
  void Gone(bool silently);
  void RequestStop() { Feed(worker::core::StopRequested{}); }

  void BreakStream(const std::string& why);
  void PathOpen();  // what was held on the stream goes on
  void KillTask();

  // A trainer's socket: opened, hello, reports.
  void Accept(std::shared_ptr<Stream> socket, worker::TrainerIdentity identity,
              const std::shared_ptr<RankProcess>& process);
  void TrainerHello(const std::shared_ptr<Stream>& socket);
  void TrainerSaid(const std::shared_ptr<Stream>& socket, const protocol::TrainerReport& report);

  // In this life only.
  void After(base::Duration delay, std::function<void()> call);
  Machine& machine() const { return machine_; }
  worker::ConnectionId NewConnection() { return last_ = last_.Next(); }
  const worker::core::Worker& core() const { return core_; }

 private:
  struct Trainer {
    std::shared_ptr<Stream> socket;
    worker::TrainerIdentity identity;
    std::weak_ptr<RankProcess> process;
  };

  void ArmTimer();
  void ObserveGpus();
  void Connect();
  void Open();
  void Lost(const std::string& why);
  void LoseTrainer(worker::ConnectionId connection);
  Trainer* FindTrainer(const std::shared_ptr<Stream>& socket, worker::ConnectionId* id);

  void Do(const worker::core::SendReport& act);
  void Do(const worker::core::DropStream& act);
  void Do(const worker::core::LaunchRank& act);
  void Do(const worker::core::SignalRank& act);
  void Do(const worker::core::RecordAcknowledgement& act);
  void Do(const worker::core::SendToTrainer& act);
  void Do(const worker::core::RefuseTrainer& act);
  void Do(const worker::core::LaunchTask& act) { tasks_.Launch(act); }
  void Do(const worker::core::SendTask& act) { tasks_.Run(act); }
  void Do(const worker::core::AcknowledgeTask& act) { tasks_.Acknowledge(act); }
  void Do(const worker::core::StopTask& act) { tasks_.Stop(act.task); }
  void Do(const worker::core::ServeLog&) {}
  void Do(const worker::core::BeginRelay&) {}
  void Do(const worker::core::EndRelay&) {}
  void Do(const worker::core::TrimMetrics&) {}
  void Do(const worker::core::ForgetFolder&) {}
  void Do(const worker::core::Exit& act);

  World& world_;
  Machine& machine_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  worker::core::Worker core_;
  base::Incarnation incarnation_;
  const base::Deadlines deadlines_;
  std::optional<base::Time> timer_at_;
  std::shared_ptr<Stream> stream_;
  base::Duration pause_;
  worker::ConnectionId last_;
  std::map<worker::ConnectionId, Trainer> trainers_;
  TaskRunner tasks_;
};

}  // namespace coxswain::sim
