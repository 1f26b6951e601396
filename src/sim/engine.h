// A rank's engine: one command of the trainer's core at a time, each answered by one event. What it
// computes is a count of samples; what it loses, and when, is as in trainer/engine.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "sim/group.h"
#include "sim/options.h"
#include "trainer/core/decisions.h"
#include "trainer/core/events.h"

namespace coxswain::sim {

class RankProcess;

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  Engine(World* world, RankProcess* process, const JobPlan& job)
      : world_(*world), process_(*process), job_(job), plan_(job.plan) {}

  void Prepare();  // loads data and model; commands wait meanwhile
  void Take(trainer::core::EngineCommand command);
  void Abort();  // frees it from a collective
  void ProcessGone(bool told_peers);

  RankProcess& process() const { return process_; }
  bool has_state() const { return has_state_; }
  const TrainState& state() const { return state_; }
  protocol::Phase phase() const { return phase_; }

  // From the group.
  void Restore(const std::shared_ptr<Group>& group);
  void TakeAgreed(const Group& group, base::Rank rank, const Agreed& agreed);
  void Complete(const Group& group, Collective kind, const Said& said);
  void FailCollective(const Group& group, const std::string& why);

 private:
  void Run(const trainer::core::JoinGroup& command);
  void Run(const trainer::core::RunStep& command);
  void Run(const trainer::core::TakeSnapshot& command);
  void Run(const trainer::core::Evaluate& command);
  void Run(const trainer::core::ExportModel& command);
  void Begin();  // the command that waits
  void EnterLater(base::Duration compute, Collective kind, Said said);
  void GiveUpAfter(base::Duration limit, const std::string& why);
  bool DiesInThisStep();
  void Step(const trainer::core::RunStep& flags);
  void TryExport(base::Duration pause);
  // Of the best checkpoint, or of the state. Not empty: why it cannot be.
  std::string Export(const trainer::core::ExportModel& command);
  void TryRestore(const std::shared_ptr<Group>& group, size_t candidate, Agreed agreed,
                  base::Time give_up, std::optional<Reading> newest_named);
  void EndRestore(const std::shared_ptr<Group>& group, std::optional<Agreed> agreed,
                  const std::string& why, int code);
  void Answer(trainer::core::Event event);

  World& world_;
  RankProcess& process_;
  const JobPlan& job_;
  bool ready_ = false;
  std::optional<trainer::core::EngineCommand> command_;  // being done, or waiting for Prepare
  uint64_t commands_ = 0;
  bool in_group_call_ = false;  // the command is a collective
  base::Rank rank_ = 0;
  base::Generation generation_;
  std::shared_ptr<Group> group_;
  protocol::Phase phase_ = protocol::Phase::kStarting;
  bool has_state_ = false;
  TrainState state_;
  trainer::core::TrainingPlan plan_;  // the job file's, with the generation's batch
  base::Time step_began_;
};

}  // namespace coxswain::sim
