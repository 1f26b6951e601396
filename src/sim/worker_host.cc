#include "sim/worker_host.h"

#include "common/base/version.h"
#include "sim/coordinator_host.h"
#include "sim/machine.h"
#include "sim/world.h"

namespace coxswain::sim {

namespace wc = worker::core;
using base::Duration;
using base::milliseconds;
using base::seconds;

namespace {

constexpr int kExitDisk = 74;

wc::Settings SettingsOf(World& world, const Machine& machine) {
  wc::Settings settings;
  settings.incarnation = base::Incarnation(world.dice.Bits() | 1);
  settings.coordinator = "coordinator:7071";
  settings.inventory.name = machine.name();
  settings.inventory.address = machine.address();
  settings.inventory.cpu_slots = machine.plan().cpus;
  settings.inventory.labels = machine.plan().labels;
  settings.inventory.memory_bytes = int64_t{64} << 30;
  settings.inventory.version = base::kVersion;
  settings.inventory.boot_id = machine.boot_id();
  if (machine.plan().gpus == 0) settings.inventory.gpu_note = "there are none";
  return settings;
}

}  // namespace

WorkerHost::WorkerHost(World* world, Machine* machine)
    : world_(*world),
      machine_(*machine),
      core_(SettingsOf(*world, *machine), *machine->identity, machine->FindRanks()),
      pause_(deadlines_.ReconnectFirst()),
      tasks_(world, this) {}

WorkerHost::~WorkerHost() = default;

void WorkerHost::Begin() {
  ObserveGpus();
  After(world_.dice.Between(Duration(0), milliseconds(50)), [this] { Open(); });
}

void WorkerHost::After(Duration delay, std::function<void()> call) {
  world_.queue.After(delay, [weak = std::weak_ptr(alive_), call = std::move(call)] {
    auto alive = weak.lock();
    if (alive && *alive) call();
  });
}

void WorkerHost::Feed(wc::EventBody body) {
  if (!*alive_) return;
  auto alive = alive_;
  wc::Event event{world_.queue.now(), world_.Wall(machine_.wall_jump), world_.dice.Bits(),
                  std::move(body)};
  world_.journal.Mix(static_cast<uint64_t>(event.now.us) ^ event.body.index() << 56);
  world_.journal.Mix(machine_.index());
  wc::Decisions decisions = core_.Decide(event);
  for (const std::string& line : decisions.why) {
    world_.journal.Say([&] { return machine_.name() + ": " + line; });
  }
  if (decisions.persist) {
    if (machine_.disk_full) {
      decisions.acts = {wc::Exit{kExitDisk, "the disk is full"}};
    } else {
      machine_.identity = *decisions.persist;
    }
  }
  for (const wc::Act& act : decisions.acts) {
    if (*alive) std::visit([this](const auto& one) { Do(one); }, act);
  }
  if (*alive) ArmTimer();
}

void WorkerHost::ArmTimer() {
  std::optional<base::Time> deadline = core_.NextDeadline();
  if (!deadline || (timer_at_ && *timer_at_ <= *deadline)) return;
  timer_at_ = *deadline;
  After(std::max(Duration(0), *deadline - world_.queue.now()), [this, at = *deadline] {
    if (timer_at_ != at) return;
    timer_at_.reset();
    Feed(wc::TimePassed{});
  });
}

void WorkerHost::ObserveGpus() {
  if (machine_.plan().gpus == 0) return;
  After(world_.dice.Between(milliseconds(10), milliseconds(600)), [this] {
    wc::GpusObserved seen;
    for (uint32_t gpu = 0; gpu < machine_.plan().gpus; ++gpu) {
      wc::GpuFacts facts{
          .uuid = machine_.GpuUuid(gpu), .name = machine_.plan().gpu_kind, .index = gpu};
      for (const auto& [key, process] : machine_.processes()) {
        for (const std::string& uuid : process->start().gpu_uuids) {
          if (uuid == facts.uuid) facts.processes.push_back({process->pid(), "cox-trainer"});
        }
      }
      seen.gpus.push_back(std::move(facts));
    }
    Feed(std::move(seen));
    After(seconds(5), [this] { ObserveGpus(); });
  });
}

void WorkerHost::Gone(bool silently) {
  *alive_ = false;
  if (stream_) stream_->CloseAtWorker("the worker's process has ended", silently);
  stream_.reset();
  for (auto& [id, trainer] : trainers_) {
    trainer.socket->CloseAtCoordinator("the worker's process has ended");
  }
}

// ---- the link ----

void WorkerHost::Connect() {
  Duration half = pause_ / 2;
  pause_ = std::min(pause_ * 2, deadlines_.ReconnectLongest());
  After(half + world_.dice.Between(Duration(0), half), [this] { Open(); });
}

void WorkerHost::Open() {
  if (machine_.IsCut()) return After(deadlines_.Connect(), [this] { Lost("no answer"); });
  After(2 * world_.dice.Between(machine_.path.delay_low, machine_.path.delay_high), [this] {
    if (machine_.IsCut()) return Lost("no answer");
    if (!world_.coordinator->up()) return Lost("connection refused");
    stream_ = std::make_shared<Stream>(&world_.queue, &world_.dice, &machine_.path);
    stream_->worker().broken = [this, alive = std::weak_ptr(alive_)](const std::string& why) {
      if (alive.expired()) return;
      After(Duration(0), [this, why] { Lost(why); });
    };
    stream_->take_order = [this, alive = std::weak_ptr(alive_)](base::Term term,
                                                                const auto& order) {
      if (alive.expired() || !*alive_) return;
      pause_ = deadlines_.ReconnectFirst();
      Feed(wc::OrderReceived{term, order});
    };
    world_.coordinator->Accept(stream_);
    Feed(wc::LinkConnected{});
  });
}

void WorkerHost::Lost(const std::string& why) {
  stream_.reset();
  Feed(wc::LinkDisconnected{why, false});
  Connect();
}

void WorkerHost::BreakStream(const std::string& why) {
  world_.journal.Add(Counted::kStreamBreaks);
  if (auto stream = stream_) stream->Break(why);
}

void WorkerHost::PathOpen() {
  if (auto stream = stream_) stream->Flush();
}

void WorkerHost::Do(const wc::SendReport& act) {
  if (!stream_) return;
  stream_->Up([coordinator = world_.coordinator.get(), stream = stream_, report = act.report] {
    coordinator->Received(stream, report);
  });
}

void WorkerHost::Do(const wc::DropStream& act) {
  if (!stream_ || !stream_->worker().open) return;
  world_.journal.Say([&] { return machine_.name() + " leaves the stream: " + act.reason; });
  stream_->CloseAtWorker(act.reason);
  After(Duration(0), [this, why = act.reason] { Lost(why); });
}

// ---- ranks ----

void WorkerHost::Do(const wc::LaunchRank& act) {
  if (machine_.Launch(act.start)) return;
  protocol::ExitRecord exit{.code = 127};
  exit.note = "the program could not be started: the disk is full";
  After(Duration(0), [this, start = act.start, exit] {
    Feed(wc::RankEnded{start.key, start.incarnation, exit});
  });
}

void WorkerHost::Do(const wc::SignalRank& act) { machine_.Signal(act.key, act.grace); }

void WorkerHost::Do(const wc::RecordAcknowledgement& act) { machine_.Acknowledge(act.key); }

void WorkerHost::Do(const wc::SendToTrainer& act) {
  auto found = trainers_.find(act.connection);
  if (found == trainers_.end()) return;
  found->second.socket->Down([process = found->second.process, order = act.order] {
    auto alive = process.lock();
    if (!alive) return;
    alive->Deliver([alive, order] { alive->Handle(trainer::core::OrderReceived{order}); });
  });
}

void WorkerHost::Do(const wc::RefuseTrainer& act) {
  auto found = trainers_.find(act.connection);
  if (found == trainers_.end()) return;
  found->second.socket->CloseAtCoordinator("refused: " + act.reason);
  LoseTrainer(act.connection);
}

void WorkerHost::Do(const wc::Exit& act) {
  world_.journal.Say([&] { return machine_.name() + ": " + act.line; });
  machine_.WorkerExited(act.code);
}

void WorkerHost::Accept(std::shared_ptr<Stream> socket, worker::TrainerIdentity identity,
                        const std::shared_ptr<RankProcess>& process) {
  worker::ConnectionId id = NewConnection();
  socket->coordinator().broken = [this, alive = std::weak_ptr(alive_), id](const std::string&) {
    if (alive.expired()) return;
    After(Duration(0), [this, id] { LoseTrainer(id); });
  };
  trainers_[id] = {std::move(socket), std::move(identity), process};
}

void WorkerHost::LoseTrainer(worker::ConnectionId id) {
  if (trainers_.erase(id) > 0) Feed(wc::TrainerDisconnected{id});
}

WorkerHost::Trainer* WorkerHost::FindTrainer(const std::shared_ptr<Stream>& socket,
                                             worker::ConnectionId* id) {
  for (auto& [connection, trainer] : trainers_) {
    if (trainer.socket != socket) continue;
    *id = connection;
    return &trainer;
  }
  return nullptr;
}

void WorkerHost::TrainerHello(const std::shared_ptr<Stream>& socket) {
  worker::ConnectionId id;
  Trainer* trainer = FindTrainer(socket, &id);
  if (trainer != nullptr) Feed(wc::TrainerConnected{id, trainer->identity});
}

void WorkerHost::TrainerSaid(const std::shared_ptr<Stream>& socket,
                             const protocol::TrainerReport& report) {
  worker::ConnectionId id;
  if (FindTrainer(socket, &id) != nullptr) Feed(wc::TrainerReported{id, report});
}

void WorkerHost::KillTask() { tasks_.KillOne(); }

}  // namespace coxswain::sim
