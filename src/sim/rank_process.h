// One rank's process: the real TrainerCore, its shell's rules (trainer/runtime/shell.cc), its
// engine and its uploads, and its socket to the worker (trainer/rpc/worker_client.cc).
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "sim/engine.h"
#include "sim/stream.h"
#include "sim/upload_loop.h"
#include "trainer/core/trainer_core.h"

namespace coxswain::sim {

class Machine;

class RankProcess : public std::enable_shared_from_this<RankProcess> {
 public:
  RankProcess(World* world, Machine* machine, protocol::StartRank start, const JobPlan& job,
              int64_t pid);

  void Begin();  // once, after it is held by a shared_ptr

  // Signals. Frozen (SIGSTOP) it does nothing until it is thawed or killed.
  void Terminate();
  void Freeze() { frozen_ = true; }
  void Thaw();
  // The process is gone; `exit` lacks times. `told_peers`: false when the machine lost its power.
  void End(protocol::ExitRecord exit, bool told_peers = true);

  // Runs now, or when it is thawed; never once it is gone.
  void Deliver(std::function<void()> call);
  void After(base::Duration delay, std::function<void()> call);
  void Handle(const trainer::core::Event& event);
  void BreakSocket();

  bool alive() const { return alive_; }
  bool frozen() const { return frozen_; }
  const protocol::RankKey& key() const { return start_.key; }
  base::Incarnation incarnation() const { return start_.incarnation; }
  const protocol::StartRank& start() const { return start_; }
  const std::string& prefix() const { return start_.state_prefix; }
  const base::Deadlines& deadlines() const { return deadlines_; }
  int64_t pid() const { return pid_; }
  Machine& machine() const { return machine_; }
  UploadLoop& uploads() { return uploads_; }
  const Engine& engine() const { return *engine_; }

 private:
  void CarryOut(const trainer::core::Decisions& decisions);
  void Do(const trainer::core::Action& action);
  void Send(const protocol::TrainerReport& report);
  void SendNow(const protocol::TrainerReport& report);
  void ArmTimer();
  void Connect(base::Duration pause);
  void Opened(base::Duration pause);
  void Leave();

  World& world_;
  Machine& machine_;
  const protocol::StartRank start_;
  const JobPlan& job_;
  const int64_t pid_;
  const base::Deadlines deadlines_;
  trainer::core::TrainerCore core_;
  std::shared_ptr<Engine> engine_;
  UploadLoop uploads_;
  bool alive_ = true, frozen_ = false;
  std::deque<std::function<void()>> waiting_;  // for the thaw
  std::optional<trainer::core::Exit> exit_;
  std::optional<base::Time> timer_at_;
  std::shared_ptr<Stream> socket_;
  bool open_ = false, missing_ = false;
  std::optional<protocol::TrainerReport> progress_, last_words_;
};

}  // namespace coxswain::sim
