#include "sim/machine.h"

#include "sim/worker_host.h"
#include "sim/world.h"

namespace coxswain::sim {

using base::Duration;
using base::milliseconds;
using base::seconds;

constexpr int kExitConfig = 78;

Machine::Machine(World* world, uint32_t index, const MachinePlan& plan)
    : world_(*world), index_(index), plan_(plan) {
  path.delay_low = world->options.delay_low;
  path.delay_high = world->options.delay_high;
  boot_id_ = name() + "-boot0";
}

Machine::~Machine() = default;

void Machine::StartWorker() {
  if (!up_ || worker_) return;
  if (!identity) {
    identity.emplace();
    identity->node = base::NodeId("n-" + std::to_string(index_) + "-" +
                                  std::to_string(world_.dice.Bits() % 100000));
  }
  world_.journal.Add(Counted::kWorkerStarts);
  ++worker_lives_;
  worker_ = std::make_unique<WorkerHost>(&world_, this);
  worker_->Begin();
}

void Machine::EndWorker(Duration pause, bool silently) {
  if (worker_) {
    std::unique_ptr<WorkerHost> gone = std::move(worker_);
    gone->Gone(silently);
    // Not destroyed within a call of its own.
    world_.queue.After(Duration(0), [kept = std::shared_ptr<WorkerHost>(std::move(gone))] {});
  }
  world_.queue.After(pause, [this, boots = boots_] {
    if (boots == boots_) StartWorker();
  });
}

void Machine::WorkerExited(int code) {
  world_.journal.Say([&] { return name() + ": the worker exits with " + std::to_string(code); });
  if (code != kExitConfig) return EndWorker(world_.dice.Span(milliseconds(100), seconds(5)));
  // An operator reads why: this disk, or the one it was copied from, gets an identity of its own.
  EndWorker(world_.dice.Span(seconds(5), seconds(30)));
  for (auto& machine : world_.machines) {
    if (!machine->clone_of) continue;
    bool concerned = machine.get() == this || world_.machines[*machine->clone_of].get() == this;
    if (!concerned) continue;
    machine->clone_of.reset();
    machine->identity.reset();
    if (machine.get() != this) machine->EndWorker(seconds(1));
  }
}

void Machine::Crash(Duration down) {
  if (!up_) return;
  world_.journal.Say([&] { return name() + " loses its power"; });
  world_.journal.Add(Counted::kMachineCrashes);
  up_ = false;
  ++boots_;
  EndWorker(Duration(0), true);  // does not come back before the boot
  for (auto& [key, process] : std::map(processes_)) process->End({.signal = 9}, false);
  // What was written last and not synced is gone. Exit records are synced.
  std::erase_if(folders, [&](const auto& e) { return !e.second.exit && world_.dice.Percent(20); });
  world_.queue.After(down, [this] { Boot(); });
}

void Machine::Boot() {
  world_.journal.Say([&] { return name() + " boots"; });
  up_ = true;
  boot_id_ = name() + "-boot" + std::to_string(boots_);
  for (auto& group : std::exchange(silent_, {})) group->Break("connection reset by peer");
  StartWorker();
}

void Machine::Cut(bool up, bool down, bool data) {
  path.cut_up = up;
  path.cut_down = down;
  cut_data = data;
  uint64_t cut = ++cuts_;
  if (!up && !down) {
    if (worker_) worker_->PathOpen();
  } else {
    world_.journal.Add(Counted::kCuts);
    Duration found = world_.dice.Between(seconds(5), seconds(11));
    world_.queue.After(found, [this, cut] {
      if (cut == cuts_ && worker_)
        worker_->BreakStream("keep-alive: the other side does not answer");
    });
  }
  if (!data) world_.groups.ResumeAll();
}

bool Machine::Launch(const protocol::StartRank& start) {
  if (disk_full) return false;
  folders[start.key] = {.start = start, .boot_id = boot_id_};
  world_.queue.After(world_.dice.Span(milliseconds(2), milliseconds(60)),
                     [this, start, boots = boots_] {
                       if (boots == boots_) StartProcess(start);
                     });
  return true;
}

void Machine::StartProcess(const protocol::StartRank& start) {
  auto folder = folders.find(start.key);
  bool ours = folder != folders.end() && folder->second.start.incarnation == start.incarnation &&
              !folder->second.exit;
  if (!ours) return;
  if (folder->second.stop_ordered) {
    protocol::ExitRecord exit{.signal = 15, .stopped_by_us = true};
    folder->second.exit = exit;
    return TellWorker(start.key, start.incarnation, exit);
  }
  int64_t pid = ++last_pid_;
  folder->second.pid = pid;
  if (processes_.contains(start.key)) {
    return world_.journal.Fail("two processes of one rank on " + name());
  }
  auto process =
      std::make_shared<RankProcess>(&world_, this, start, world_.PlanOf(start.spec_yaml), pid);
  processes_[start.key] = process;
  world_.journal.Add(Counted::kRankStarts);
  world_.process_checker.Started(*this, *process);
  process->Begin();
  world_.queue.After(world_.dice.Between(Duration(50), milliseconds(2)),
                     [this, key = start.key, incarnation = start.incarnation, pid] {
                       if (!worker_ || !processes_.contains(key)) return;
                       worker_->Feed(worker::core::RankRunning{key, incarnation, pid});
                     });
}

void Machine::Signal(const protocol::RankKey& key, Duration grace) {
  auto folder = folders.find(key);
  if (folder == folders.end() || folder->second.exit) return;
  folder->second.stop_ordered = true;
  auto found = processes_.find(key);
  if (found == processes_.end()) return;
  std::shared_ptr<RankProcess> process = found->second;
  process->Terminate();
  world_.queue.After(grace, [weak = std::weak_ptr(process)] {
    if (auto still = weak.lock()) still->End({.signal = 9});
  });
}

void Machine::Ended(RankProcess& process, protocol::ExitRecord exit) {
  processes_.erase(process.key());
  world_.journal.Add(Counted::kRankExits);
  auto folder = folders.find(process.key());
  bool ours =
      folder != folders.end() && folder->second.start.incarnation == process.incarnation() && up_;
  if (!ours || !folder->second.shim_lives) return;
  exit.ended = world_.Wall(wall_jump);
  exit.stopped_by_us = folder->second.stop_ordered;
  folder->second.exit = exit;
  TellWorker(process.key(), process.incarnation(), exit);
}

void Machine::TellWorker(const protocol::RankKey& key, base::Incarnation incarnation,
                         const protocol::ExitRecord& exit) {
  world_.journal.Say([&] {
    return name() + ": " + base::ToString(key.job) + " attempt " +
           std::to_string(key.attempt.value) + " rank " + std::to_string(key.rank) +
           " has ended: code " + std::to_string(exit.code) + " signal " +
           std::to_string(exit.signal);
  });
  world_.queue.After(world_.dice.Between(Duration(50), milliseconds(3)),
                     [this, key, incarnation, exit, life = worker_lives_] {
                       if (!worker_ || life != worker_lives_) return;
                       worker_->Feed(worker::core::RankEnded{key, incarnation, exit});
                     });
}

void Machine::KillShim(RankProcess& process) {
  auto folder = folders.find(process.key());
  if (folder == folders.end() || folder->second.exit) return;
  folder->second.shim_lives = false;
  if (!worker_) return;  // its next life finds it
  protocol::ExitRecord lost{.signal = 9, .note = "exit record lost: shim killed"};
  protocol::RankKey key = process.key();
  base::Incarnation incarnation = process.incarnation();
  process.End({.signal = 9});
  folder->second.exit = lost;
  TellWorker(key, incarnation, lost);
}

std::vector<worker::core::FoundRank> Machine::FindRanks() {
  std::vector<worker::core::FoundRank> found;
  for (auto& [key, folder] : folders) {
    worker::core::FoundRank rank{.start = folder.start, .pid = folder.pid, .exit = folder.exit};
    auto process = processes_.find(key);
    if (!folder.exit && folder.boot_id != boot_id_) {
      rank.exit = protocol::ExitRecord{.signal = 9, .note = "the machine was restarted"};
    } else if (!folder.exit && !folder.shim_lives) {
      rank.exit = protocol::ExitRecord{.signal = 9, .note = "exit record lost: shim killed"};
      if (process != processes_.end()) std::shared_ptr(process->second)->End({.signal = 9});
    }
    if (rank.exit) folder.exit = rank.exit;
    found.push_back(std::move(rank));
  }
  return found;
}

}  // namespace coxswain::sim
