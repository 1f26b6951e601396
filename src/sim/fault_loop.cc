#include "sim/fault_loop.h"

#include <algorithm>

#include "sim/world.h"

namespace coxswain::sim {

using base::Duration;
using base::milliseconds;
using base::seconds;

void FaultLoop::Begin() {
  for (size_t i = 0; i < kFaults; ++i) {
    if (world_.options.faults[i]) enabled_.push_back(static_cast<Fault>(i));
  }
  if (!enabled_.empty()) Next();
}

void FaultLoop::Next() {
  Duration mean = world_.options.fault_pause;
  world_.queue.After(world_.dice.Span(mean / 8, mean * 2), [this] {
    if (stopped_) return;
    Strike(world_.dice.Pick(enabled_));
    Next();
  });
}

void FaultLoop::BatchMoved() {
  if (!world_.options.strike_batch_moves || enabled_.empty()) return;
  world_.queue.After(world_.dice.Span(milliseconds(1), seconds(1)), [this] {
    if (!stopped_) Strike(world_.dice.Pick(enabled_));
  });
}

Machine& FaultLoop::AnyMachine() { return *world_.dice.Pick(world_.machines); }

std::shared_ptr<RankProcess> FaultLoop::AnyRank() {
  std::vector<std::shared_ptr<RankProcess>> all;
  for (const auto& machine : world_.machines) {
    for (const auto& [key, process] : machine->processes()) all.push_back(process);
  }
  return all.empty() ? nullptr : world_.dice.Pick(all);
}

void FaultLoop::Strike(Fault fault) {
  world_.journal.Say([&] { return "fault: " + std::string(ToString(fault)); });
  if (StrikeCoordinator(fault) || StrikeMachine(fault) || StrikeRank(fault)) return;
  StrikeStores(fault);
}

bool FaultLoop::StrikeCoordinator(Fault fault) {
  CoordinatorHost& coordinator = *world_.coordinator;
  Dice& dice = world_.dice;
  switch (fault) {
    case Fault::kKillCoordinator:
      coordinator.Crash(dice.Span(milliseconds(100), seconds(40)));
      return true;
    case Fault::kRefuseCommits:
      coordinator.refuses_writes = true;
      world_.queue.After(dice.Span(milliseconds(10), seconds(20)),
                         [&coordinator] { coordinator.refuses_writes = false; });
      return true;
    case Fault::kSlowCommits:
      coordinator.commit_slowness = dice.Between(10, 500);
      world_.queue.After(dice.Span(milliseconds(100), seconds(10)),
                         [&coordinator] { coordinator.commit_slowness = 1; });
      return true;
    case Fault::kLoseSync:
      coordinator.lose_next_sync = true;
      return true;
    case Fault::kStallCoordinator:
      if (coordinator.up()) coordinator.Stall(dice.Span(milliseconds(100), seconds(40)));
      return true;
    case Fault::kRestoreBackup:
      RestoreBackup();
      return true;
    case Fault::kJumpClock: {
      world_.journal.Add(Counted::kClockJumps);
      Duration by = dice.Between(Duration(seconds(-3600)), Duration(seconds(3600)));
      (dice.Percent(50) ? coordinator.wall_jump : AnyMachine().wall_jump) += by;
      return true;
    }
    default:
      return false;
  }
}

void FaultLoop::MakeBackup() {
  const Rows& rows = world_.coordinator->rows();
  bool starts = std::any_of(rows.ranks.begin(), rows.ranks.end(),
                            [](const auto& e) { return e.second.pid == 0 && !e.second.exit; });
  if (backup_ || stopped_) return;
  if (starts || !world_.options.backup_of_starts) {
    backup_ = rows;
  } else {
    world_.queue.After(milliseconds(20), [this] { MakeBackup(); });
  }
}

void FaultLoop::RestoreBackup() {
  CoordinatorHost& coordinator = *world_.coordinator;
  if (restored_) return;
  if (!backup_) return MakeBackup();
  restored_ = true;
  coordinator.Crash(seconds(2));
  world_.queue.After(seconds(1), [this, &coordinator] {
    if (coordinator.up()) return;
    coordinator.RestoreBackup(*backup_);
    for (auto& client : world_.clients) client->StoreWentBack();
  });
}

void FaultLoop::CutMachine(Machine& machine, Fault fault) {
  bool both = fault == Fault::kCutBoth;
  bool data = fault == Fault::kCutData || (both && world_.dice.Percent(50));
  machine.Cut(both || fault == Fault::kCutUp, both || fault == Fault::kCutDown, data);
  world_.queue.After(world_.dice.Span(milliseconds(500), seconds(60)),
                     [&machine] { machine.Cut(false, false, false); });
}

bool FaultLoop::StrikeMachine(Fault fault) {
  Machine& machine = AnyMachine();
  Dice& dice = world_.dice;
  switch (fault) {
    case Fault::kKillWorker:
      machine.EndWorker(dice.Span(milliseconds(100), seconds(60)));
      return true;
    case Fault::kStopWorker:
      if (machine.worker() != nullptr) machine.worker()->RequestStop();
      return true;
    case Fault::kCrashMachine:
      machine.Crash(dice.Span(seconds(2), seconds(90)));
      return true;
    case Fault::kCutUp:
    case Fault::kCutDown:
    case Fault::kCutBoth:
    case Fault::kCutData:
      CutMachine(machine, fault);
      return true;
    case Fault::kBreakStream:
      if (machine.worker() != nullptr) machine.worker()->BreakStream("connection reset by peer");
      return true;
    case Fault::kKillTask:
      if (machine.worker() != nullptr) machine.worker()->KillTask();
      return true;
    case Fault::kFillDisk:
      machine.disk_full = true;
      world_.queue.After(dice.Span(seconds(1), seconds(30)),
                         [&machine] { machine.disk_full = false; });
      return true;
    case Fault::kCloneDisk:
      Clone();
      return true;
    case Fault::kForget:
      Forget(machine);
      return true;
    default:
      return false;
  }
}

// Another machine comes up with a copy of this one's disk.
void FaultLoop::Clone() {
  Machine& from = AnyMachine();
  Machine& to = AnyMachine();
  if (cloned_ || &from == &to || !from.identity || !to.processes().empty()) return;
  // Its own disk is lost with that: nothing may be on it.
  for (const auto& [id, row] : world_.coordinator->rows().checkpoints) {
    if (to.identity && row.node == to.identity->node) return;
  }
  cloned_ = true;
  world_.journal.Add(Counted::kClones);
  to.EndWorker(seconds(1));
  to.identity = from.identity;
  to.folders = from.folders;
  to.clone_of = from.index();
}

bool FaultLoop::StrikeRank(Fault fault) {
  std::shared_ptr<RankProcess> rank = AnyRank();
  auto kill = [&](protocol::ExitRecord exit) {
    world_.journal.Add(Counted::kRankKills);
    if (rank) rank->End(exit);
    return true;
  };
  switch (fault) {
    case Fault::kKillRank:
      return kill({.signal = 9});
    case Fault::kOutOfMemory:
      return kill({.signal = 9, .oom_killed = true});
    case Fault::kCrashRank:
      return kill({.signal = 11});
    case Fault::kHangRank:
      if (!rank) return true;
      world_.journal.Add(Counted::kHangs);
      rank->Freeze();
      world_.queue.After(world_.dice.Span(milliseconds(100), seconds(120)),
                         [rank] { rank->Thaw(); });
      return true;
    case Fault::kKillShim:
      if (rank) rank->machine().KillShim(*rank);
      return true;
    case Fault::kBreakSocket:
      if (rank) rank->BreakSocket();
      return true;
    default:
      return false;
  }
}

void FaultLoop::StrikeStores(Fault fault) {
  std::string uri;
  switch (fault) {
    case Fault::kBlobOutage:
      world_.journal.Add(Counted::kBlobOutages);
      world_.blobs.away = true;
      world_.queue.After(world_.dice.Span(milliseconds(100), seconds(60)),
                         [this] { world_.blobs.away = false; });
      return;
    case Fault::kDamageBlob:
      if (world_.blobs.DamageOne(world_.dice.Bits(), &uri)) world_.journal.Add(Counted::kDamaged);
      return;
    case Fault::kDrain:
      return Drain();
    case Fault::kBreakGroup:
      return world_.groups.BreakOne(world_.dice.Bits());
    default:
      return;  // kCancel: the clients
  }
}

// Somebody believes that a machine is gone for good; it may be, and it may come back.
void FaultLoop::Forget(Machine& machine) {
  if (!machine.identity) return;
  if (world_.dice.Percent(70)) machine.EndWorker(world_.dice.Span(seconds(6), seconds(90)));
  world_.queue.After(world_.dice.Span(milliseconds(500), seconds(30)), [this, &machine] {
    if (!machine.identity) return;
    auto make = [&](core::CallId id) {
      return core::EventBody(core::ForgetRequested{id, machine.identity->node});
    };
    world_.coordinator->Call(make, [this](std::optional<core::Reply> reply) {
      bool done = reply && reply->code == core::ReplyCode::kOk;
      if (done) world_.journal.Add(Counted::kForgotten);
    });
  });
}

void FaultLoop::Drain() {
  Machine& machine = AnyMachine();
  if (!machine.identity) return;
  bool undo = world_.dice.Percent(30);
  world_.journal.Add(Counted::kDrains);
  // Only in worlds that have more than one policy: the others stay what they were.
  base::WallTime by;
  if (world_.options.scheduling.replan != base::seconds(60) && world_.dice.Percent(40)) {
    by = world_.Wall({}) + world_.dice.Span(seconds(5), seconds(120));
  }
  auto make = [&](core::CallId id) {
    return core::EventBody(
        core::DrainRequested{id, machine.identity->node, "maintenance", undo, by});
  };
  world_.coordinator->Call(make, [](std::optional<core::Reply>) {});
}

void FaultLoop::DrainNothing() {
  for (const auto& [id, row] : world_.coordinator->rows().nodes) {
    if (!row.draining) continue;
    auto make = [&](core::CallId call) {
      return core::EventBody(core::DrainRequested{call, id, "", true});
    };
    world_.coordinator->Call(make, [](std::optional<core::Reply>) {});
  }
}

// What no machine is any more: its disk has become a copy of another's. Only people know that.
void FaultLoop::ForgetLost() {
  for (const auto& [id, row] : world_.coordinator->rows().nodes) {
    if (world_.IsSomeMachine(id)) continue;
    auto make = [&](core::CallId call) { return core::EventBody(core::ForgetRequested{call, id}); };
    world_.coordinator->Call(make, [this](std::optional<core::Reply> reply) {
      if (reply && reply->code != core::ReplyCode::kOk) {
        world_.journal.Say([&] { return "people: cannot forget it: " + reply->text; });
      }
    });
  }
}

void FaultLoop::SetInOrder() {
  DrainNothing();
  ForgetLost();
  // A call that was under way may still drain one; a node may not be forgotten before its lease
  // ends.
  world_.queue.After(seconds(5), [this] { SetInOrder(); });
}

}  // namespace coxswain::sim
