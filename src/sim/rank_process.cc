#include "sim/rank_process.h"

#include "sim/machine.h"
#include "sim/worker_host.h"
#include "sim/world.h"

namespace coxswain::sim {

namespace tc = trainer::core;
using base::Duration;
using base::milliseconds;
using base::seconds;

namespace {

tc::Settings SettingsOf(const protocol::StartRank& start, const JobPlan& job) {
  tc::Settings settings;
  settings.rank = start.key.rank;
  settings.incarnation = start.incarnation;
  settings.save_every_steps = job.save_every_steps;
  settings.save_every_time = job.save_every_time;
  settings.keeps_best = job.keeps_best;
  settings.higher_is_best = job.higher_is_best;
  settings.exports_best = job.exports_best;
  if (job.request.grace.count() > 0) settings.grace = job.request.grace;
  return settings;
}

}  // namespace

RankProcess::RankProcess(World* world, Machine* machine, protocol::StartRank start,
                         const JobPlan& job, int64_t pid)
    : world_(*world),
      machine_(*machine),
      start_(std::move(start)),
      job_(job),
      pid_(pid),
      core_(SettingsOf(start_, job)),
      engine_(std::make_shared<Engine>(world, this, job)),
      uploads_(world, this) {}

void RankProcess::Begin() {
  Handle(tc::Started{machine_.address() + ":" + std::to_string(20000 + pid_ % 10000)});
  Connect(deadlines_.ReconnectFirst());
  engine_->Prepare();
}

void RankProcess::Deliver(std::function<void()> call) {
  if (!alive_) return;
  if (frozen_) {
    waiting_.push_back(std::move(call));
  } else {
    call();
  }
}

void RankProcess::After(Duration delay, std::function<void()> call) {
  world_.queue.After(delay, [weak = weak_from_this(), call = std::move(call)]() mutable {
    if (auto self = weak.lock()) self->Deliver(std::move(call));
  });
}

void RankProcess::Thaw() {
  frozen_ = false;
  auto self = shared_from_this();  // a call may end it
  while (!waiting_.empty() && alive_ && !frozen_) {
    std::function<void()> call = std::move(waiting_.front());
    waiting_.pop_front();
    call();
  }
}

void RankProcess::Terminate() {
  Deliver([this] { Handle(tc::TerminateSignalled{}); });
}

void RankProcess::Handle(const tc::Event& event) {
  if (exit_ || !alive_) return;
  world_.journal.Mix(static_cast<uint64_t>(world_.queue.now().us) ^ event.index() << 56);
  world_.journal.Mix(start_.incarnation.value);
  CarryOut(core_.Decide(world_.queue.now(), event));
  ArmTimer();
}

void RankProcess::CarryOut(const tc::Decisions& decisions) {
  for (const protocol::TrainerReport& report : decisions.reports) {
    if (std::holds_alternative<protocol::TrainingFailed>(report)) last_words_ = report;
    Send(report);
  }
  for (const tc::Action& action : decisions.actions) Do(action);
  if (decisions.engine.empty() || exit_) return;
  engine_->Take(decisions.engine.front());
}

void RankProcess::Do(const tc::Action& action) {
  if (const auto* note = std::get_if<tc::Note>(&action)) {
    world_.journal.Say([&] {
      return start_.state_prefix + " rank " + std::to_string(start_.key.rank) + ": " + note->text;
    });
  } else if (std::holds_alternative<tc::AbortGroup>(action)) {
    engine_->Abort();
  } else if (const auto* exit = std::get_if<tc::Exit>(&action)) {
    if (!exit_) exit_ = *exit;
    After(Duration(10), [this] { Leave(); });
  } else if (const auto* upload = std::get_if<tc::StartUpload>(&action)) {
    uploads_.Do(*upload);
  } else if (const auto* manifest = std::get_if<tc::StoreManifest>(&action)) {
    uploads_.Do(*manifest);
  } else if (const auto* committed = std::get_if<tc::StoreCommitted>(&action)) {
    uploads_.Do(*committed);
  } else if (const auto* drop = std::get_if<tc::DropSave>(&action)) {
    uploads_.Do(*drop);
  }
}

void RankProcess::ArmTimer() {
  if (exit_) return;
  std::optional<base::Time> deadline = core_.NextDeadline();
  if (!deadline) return;
  base::Time at = std::max(*deadline, world_.queue.now() + Duration(milliseconds(1)));
  if (timer_at_ && *timer_at_ <= at) return;
  timer_at_ = at;
  After(at - world_.queue.now(), [this, at] {
    if (timer_at_ != at) return;
    timer_at_.reset();
    Handle(tc::StorageWaits{uploads_.waiting_for()});
    Handle(tc::TimerFired{engine_->phase()});
    ArmTimer();
  });
}

// ---- the socket to the worker ----

void RankProcess::Connect(Duration pause) {
  if (WorkerHost* worker = machine_.worker()) {
    socket_ = std::make_shared<Stream>(&world_.queue, &world_.dice, &machine_.local);
    socket_->worker().broken = [this, pause](const std::string& why) {
      Deliver([this, why, pause] {
        bool was_open = std::exchange(open_, false);
        if (why.starts_with("refused: ")) {
          return Handle(tc::EngineFailed{"the worker does not want this process: " + why,
                                         protocol::kExitStopped, protocol::FailureKind::kKilled});
        }
        if (was_open) missing_ = true;
        Connect(was_open ? deadlines_.ReconnectFirst() : pause);
      });
    };
    worker->Accept(socket_, {start_.key, start_.incarnation, {}}, shared_from_this());
    return After(world_.dice.Between(Duration(100), milliseconds(2)),
                 [this, socket = socket_, pause] {
                   if (socket == socket_ && socket->worker().open) Opened(pause);
                 });
  }
  Duration next = std::min(pause * 2, deadlines_.ReconnectLongest());
  After(pause / 2 + world_.dice.Between(Duration(0), pause / 2), [this, next] { Connect(next); });
}

void RankProcess::Opened(Duration) {
  open_ = true;
  missing_ = false;
  socket_->Up([socket = socket_, machine = &machine_] {
    if (WorkerHost* worker = machine->worker()) worker->TrainerHello(socket);
  });
  Handle(tc::LinkConnected{});
  if (progress_) SendNow(*std::exchange(progress_, std::nullopt));
}

void RankProcess::Send(const protocol::TrainerReport& report) {
  if (const auto* finished = std::get_if<protocol::TrainingFinished>(&report)) {
    world_.state_checker.Finished(job_, *finished, engine_->state());
  }
  if (open_) return SendNow(report);
  if (std::holds_alternative<protocol::TrainerProgress>(report)) {
    progress_ = report;
  } else {
    missing_ = true;
  }
}

void RankProcess::SendNow(const protocol::TrainerReport& report) {
  socket_->Up([socket = socket_, machine = &machine_, report] {
    if (WorkerHost* worker = machine->worker()) worker->TrainerSaid(socket, report);
  });
}

void RankProcess::BreakSocket() {
  if (socket_) socket_->Break("the socket broke");
}

// The shell's end: what was said last still leaves, for three seconds at most.
void RankProcess::Leave() {
  int code = exit_->code;
  if (open_) {
    if (missing_ && last_words_) SendNow(*last_words_);
    return After(world_.dice.Between(Duration(500), milliseconds(4)),
                 [this, code] { End({.code = code}); });
  }
  After(seconds(3), [this, code] { End({.code = code}); });
}

void RankProcess::End(protocol::ExitRecord exit, bool told_peers) {
  if (!alive_) return;
  auto self = shared_from_this();
  alive_ = false;
  waiting_.clear();
  if (socket_) socket_->CloseAtWorker("the process has ended", !told_peers);
  engine_->ProcessGone(told_peers);
  machine_.Ended(*this, std::move(exit));
}

}  // namespace coxswain::sim
