#include "sim/engine.h"

#include "sim/machine.h"
#include "sim/rank_process.h"
#include "sim/world.h"

namespace coxswain::sim {

namespace tc = trainer::core;
using base::Duration;
using base::milliseconds;
using base::seconds;

void Engine::Prepare() {
  process_.After(world_.dice.Span(milliseconds(50), seconds(4)), [this] {
    if (job_.bad_data) {
      return process_.Handle(tc::EngineFailed{"the data is wrong", protocol::kExitUserError,
                                              protocol::FailureKind::kData});
    }
    ready_ = true;
    phase_ = protocol::Phase::kWaiting;
    if (command_) Begin();
  });
}

void Engine::Take(tc::EngineCommand command) {
  if (command_) world_.journal.Fail("two commands for one engine");
  command_ = std::move(command);
  ++commands_;
  if (ready_) Begin();
}

void Engine::Begin() {
  std::visit([this](const auto& command) { Run(command); }, tc::EngineCommand(*command_));
}

// Never from within a call of the core.
void Engine::Answer(tc::Event event) {
  if (!command_) return;
  command_.reset();
  in_group_call_ = false;
  phase_ = protocol::Phase::kWaiting;
  process_.Handle(event);
}

void Engine::GiveUpAfter(Duration limit, const std::string& why) {
  in_group_call_ = true;
  process_.After(limit, [this, why, command = commands_] {
    if (command_ && commands_ == command && group_) group_->Break(why);
  });
}

void Engine::Run(const tc::JoinGroup& command) {
  if (group_) group_->Break("a rank has left for a newer generation");
  phase_ = protocol::Phase::kForming;
  rank_ = command.rank;
  generation_ = command.form.generation;
  plan_.batch = command.form.global_batch > 0 ? command.form.global_batch : job_.plan.batch;
  group_ = world_.groups.Of(&world_, process_.key().job, command.form);
  GiveUpAfter(process_.deadlines().FormGroup(), "the group did not form in time");
  group_->Join(rank_, shared_from_this());
}

void Engine::EnterLater(Duration compute, Collective kind, Said said) {
  GiveUpAfter(process_.deadlines().Collective(), "no progress in the collective");
  process_.After(compute, [this, kind, said, command = commands_, group = group_] {
    if (!command_ || commands_ != command || group != group_) return;
    phase_ = kind == Collective::kStep ? protocol::Phase::kAllReduce : protocol::Phase::kEvaluation;
    group_->Enter(rank_, kind, said);
  });
}

bool Engine::DiesInThisStep() {
  int64_t step = state_.step + 1;
  if (step == job_.crash_at && rank_ == 0) {
    process_.End({.signal = 11});
    return true;
  }
  if (step == job_.out_of_memory_at && rank_ == 0) {
    process_.End({.signal = 9, .oom_killed = true});
    return true;
  }
  return false;
}

void Engine::Run(const tc::RunStep& command) {
  phase_ = protocol::Phase::kForward;
  step_began_ = world_.queue.now();
  Duration usual = job_.step_time * (job_.plan.batch + plan_.batch) / (2 * job_.plan.batch);
  Duration compute = usual / 2 + world_.dice.Between(Duration(0), usual);
  process_.After(compute / 2, [this, at = commands_] {
    if (command_ && commands_ == at) DiesInThisStep();
  });
  EnterLater(compute, Collective::kStep, {command, {}});
}

void Engine::Run(const tc::Evaluate& command) {
  phase_ = protocol::Phase::kEvaluation;
  EnterLater(job_.step_time, Collective::kEvaluate, {{}, command});
}

void Engine::Run(const tc::TakeSnapshot& command) {
  phase_ = protocol::Phase::kCheckpoint;
  process_.After(world_.dice.Span(milliseconds(1), milliseconds(60)), [this, step = command.step] {
    process_.uploads().Keep(step, state_);
    Answer(tc::SnapshotTaken{step});
  });
}

void Engine::Run(const tc::ExportModel&) {
  phase_ = protocol::Phase::kExport;
  TryExport(milliseconds(200));
}

void Engine::TryExport(Duration pause) {
  process_.After(world_.dice.Span(milliseconds(5), milliseconds(300)), [this, pause] {
    if (!command_) return;
    if (!world_.blobs.away) {
      std::string wrong = Export(std::get<tc::ExportModel>(*command_));
      if (!wrong.empty()) {
        return Answer(
            tc::EngineFailed{wrong, protocol::kExitInfrastructure, protocol::FailureKind::kStore});
      }
      return Answer(tc::ModelExported{job_.request.store + "/" + process_.prefix() + "/model"});
    }
    process_.After(pause, [this, pause] { TryExport(std::min(pause * 2, Duration(seconds(2)))); });
  });
}

std::string Engine::Export(const tc::ExportModel& command) {
  TrainState state = state_;
  if (command.best) {
    std::string place = world_.blobs.Place(command.best->uri, process_.machine().index());
    Reading reading =
        world_.blobs.Read(place, command.best->uri, command.best->manifest_hash, false);
    if (reading.verdict != Reading::kWhole) return "the best checkpoint: " + reading.why;
    state = reading.state;
  }
  world_.state_checker.Exported(process_.key().job, job_, state, command.best.has_value());
  return "";
}

void Engine::Abort() {
  if (group_) group_->Break("freed");
}

void Engine::ProcessGone(bool told_peers) {
  if (!group_) return;
  if (!told_peers) return process_.machine().KeepSilent(group_);
  world_.queue.After(world_.dice.Span(milliseconds(1), milliseconds(40)),
                     [group = group_] { group->Break("a peer has closed its connection"); });
}

void Engine::TakeAgreed(const Group& group, base::Rank rank, const Agreed& agreed) {
  if (&group != group_.get() || !command_) return;
  has_state_ = agreed.has_state;
  state_ = agreed.state;
  tc::GroupFormed formed;
  if (rank == 0) formed = agreed.formed;
  formed.generation = generation_;
  formed.step = state_.step;
  formed.position = state_.position;
  formed.plan = plan_;
  Answer(formed);
}

void Engine::Complete(const Group& group, Collective kind, const Said& said) {
  if (&group != group_.get() || !command_) return;
  if (kind == Collective::kEvaluate) {
    const tc::Evaluate& best = said.best;
    return Answer(
        tc::Evaluated{1.0, 0.5, job_.MetricOf(state_), best.has_best, best.best, best.held_step});
  }
  if (state_.step + 1 == job_.not_finite_at) {
    return Answer(tc::NotFinite{state_.step + 1, "loss", {0}, "every gradient is finite"});
  }
  Step(said.step);
}

void Engine::Step(const tc::RunStep& flags) {
  if (state_.used != state_.position) {
    return world_.journal.Fail("a state at position " + std::to_string(state_.position) + " has " +
                               std::to_string(state_.used) + " samples in it");
  }
  tc::StepFinished finished;
  finished.samples = plan_.NextBatch(state_.position);
  has_state_ = true;
  ++state_.step;
  state_.position += finished.samples;
  state_.used += finished.samples;
  state_.history = base::Mix64(
      state_.history ^ base::Mix64(generation_.value << 32 ^ static_cast<uint64_t>(state_.step)));
  finished.step = state_.step;
  finished.position = state_.position;
  group_->Stepped(state_);
  finished.noise = job_.NoiseAt(state_.position);
  finished.loss = 1.0 / static_cast<double>(1 + state_.step);
  finished.took = world_.queue.now() - step_began_;
  finished.save = flags.save;
  finished.save_wanted = flags.save_wanted;
  finished.stop = flags.stop;
  finished.stop_with_save = flags.stop_with_save;
  Answer(finished);
}

void Engine::FailCollective(const Group& group, const std::string& why) {
  if (&group != group_.get() || !command_ || !in_group_call_) return;
  Answer(tc::CollectiveFailed{why});
}

}  // namespace coxswain::sim
