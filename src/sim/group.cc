#include "sim/group.h"

#include "sim/engine.h"
#include "sim/machine.h"
#include "sim/rank_process.h"
#include "sim/world.h"

namespace coxswain::sim {

using base::Duration;
using base::milliseconds;

template <class Call>
void Group::ForEach(const Call& call) {
  for (const auto& [rank, seat] : seats_) {
    Duration delay = world_.dice.Between(Duration(20), milliseconds(2));
    world_.queue.After(delay, [self = shared_from_this(), seat = seat, rank = rank, call] {
      if (auto engine = seat.lock()) engine->process().Deliver([=] { call(rank, *engine); });
    });
  }
}

void Group::Join(base::Rank rank, const std::shared_ptr<Engine>& engine) {
  seats_[rank] = engine;
  if (broken_) return Break("the group is broken already");
  AgreeIfAllJoined();
}

// Machines that are cut off from the others only matter to groups that span several.
bool Group::Reachable() const {
  std::set<const Machine*> machines;
  bool cut = false;
  for (const auto& [rank, seat] : seats_) {
    auto engine = seat.lock();
    if (!engine) continue;
    machines.insert(&engine->process().machine());
    cut |= engine->process().machine().cut_data;
  }
  return machines.size() < 2 || !cut;
}

void Group::AgreeIfAllJoined() {
  if (broken_ || agreeing_ || seats_.size() < form_.members.size() || !Reachable()) return;
  for (const auto& [rank, seat] : seats_) {
    if (seat.expired()) return;
  }
  agreeing_ = true;
  Duration takes = world_.dice.Span(milliseconds(2), milliseconds(200));
  world_.queue.After(takes, [self = shared_from_this()] { self->Agree(); });
}

// The most advanced survivor's state goes to all; without one, rank 0 restores.
void Group::Agree() {
  if (broken_) return;
  Agreed agreed;
  for (const auto& [rank, seat] : seats_) {
    auto engine = seat.lock();
    if (!engine) return;  // its death breaks the group
    if (!engine->has_state()) continue;
    if (agreed.has_state && engine->state().step <= agreed.state.step) continue;
    agreed.has_state = true;
    agreed.state = engine->state();
  }
  if (agreed.has_state) return Tell(agreed);
  auto first = seats_.begin()->second.lock();
  first->process().Deliver([engine = first, self = shared_from_this()] { engine->Restore(self); });
}

void Group::Restored(std::optional<Agreed> agreed, bool failed) {
  if (failed) return Break("rank 0 could not restore a checkpoint");
  if (!broken_) Tell(*agreed);
}

void Group::Tell(const Agreed& agreed) {
  world_.journal.Add(Counted::kGenerations);
  world_.state_checker.Formed(job_, form_, agreed);
  ForEach([self = shared_from_this(), agreed](base::Rank rank, Engine& engine) {
    if (!self->broken_) engine.TakeAgreed(*self, rank, agreed);
  });
}

void Group::Enter(base::Rank rank, Collective kind, const Said& said) {
  if (broken_) return Break("the group is broken");
  if (running_ && *running_ != kind) {
    return world_.journal.Fail("the ranks of " + base::ToString(job_) + " generation " +
                               std::to_string(form_.generation.value) +
                               " do not agree on what comes next: rank " + std::to_string(rank) +
                               (kind == Collective::kStep ? " steps" : " evaluates") +
                               ", others do not");
  }
  if (!running_) said_ = {};
  running_ = kind;
  entered_.insert(rank);
  if (rank == 0) said_.best = said.best;
  said_.step.save |= said.step.save;
  said_.step.save_wanted |= said.step.save_wanted;
  said_.step.stop |= said.step.stop;
  said_.step.stop_with_save |= said.step.stop_with_save;
  CompleteIfAllEntered();
}

void Group::CompleteIfAllEntered() {
  if (broken_ || !running_ || entered_.size() < form_.members.size() || !Reachable()) return;
  Collective kind = *running_;
  const Said said = said_;
  running_.reset();
  entered_.clear();
  if (kind == Collective::kStep) world_.journal.Add(Counted::kSteps);
  ForEach([self = shared_from_this(), kind, said](base::Rank, Engine& engine) {
    if (!self->broken_) engine.Complete(*self, kind, said);
  });
}

void Group::Break(const std::string& why) {
  bool first = !std::exchange(broken_, true);
  if (first) world_.journal.Add(Counted::kCollectivesFailed);
  ForEach([self = shared_from_this(), why](base::Rank, Engine& engine) {
    engine.FailCollective(*self, why);
  });
}

void Group::Stepped(const TrainState& state) {
  world_.state_checker.Stepped(job_, state);
  if (newest_.step < state.step) newest_ = state;
  if (newest_.step > state.step || newest_ == state) return;
  world_.journal.Fail("the ranks of " + base::ToString(job_) + " generation " +
                      std::to_string(form_.generation.value) + " are at positions " +
                      std::to_string(newest_.position) + " and " + std::to_string(state.position) +
                      " after step " + std::to_string(state.step));
}

void Group::Resume() {
  AgreeIfAllJoined();
  CompleteIfAllEntered();
}

std::shared_ptr<Group> GroupTable::Of(World* world, base::JobId job,
                                      const protocol::FormGeneration& form) {
  std::weak_ptr<Group>& entry = groups_[{job, form.generation, form.members.front().incarnation}];
  std::shared_ptr<Group> group = entry.lock();
  if (!group) entry = group = std::make_shared<Group>(world, job, form);
  return group;
}

void GroupTable::BreakOne(uint64_t bits) {
  std::vector<std::shared_ptr<Group>> live;
  for (const auto& [key, weak] : groups_) {
    std::shared_ptr<Group> group = weak.lock();
    if (group && !group->broken()) live.push_back(std::move(group));
  }
  if (!live.empty()) live[bits % live.size()]->Break("connection reset by peer");
}

void GroupTable::ResumeAll() {
  for (auto it = groups_.begin(); it != groups_.end();) {
    std::shared_ptr<Group> group = it->second.lock();
    it = group ? std::next(it) : groups_.erase(it);
    if (group) group->Resume();
  }
}

}  // namespace coxswain::sim
