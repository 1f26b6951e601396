// The worker's shell: doing what the core has decided.
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/exit_codes.h"
#include "common/config/job_parser.h"
#include "common/log/log.h"
#include "worker/process/files.h"
#include "worker/process/rank_folder.h"
#include "worker/process/retention.h"
#include "worker/runtime/worker_loop.h"

namespace coxswain::worker {
namespace {

constexpr base::Duration kFarewell = base::milliseconds(500);

// The coordinator has checked it before.
std::optional<config::JobSpec> SpecOf(const std::string& spec_yaml) {
  auto parsed = config::ParseJob(spec_yaml, process::kSpecFile, {});
  if (auto* job = std::get_if<config::ParsedJob>(&parsed)) return std::move(job->spec);
  return std::nullopt;
}

std::map<std::string, std::string> JobEnvironment(const std::optional<config::JobSpec>& spec) {
  if (spec) return spec->env;
  log::Warn(
      "a job's file is not understood here, so its env: is left out: is this worker older "
      "than its coordinator?");
  return {};
}

protocol::ExitRecord NotStarted(const absl::Status& why, base::WallTime now) {
  protocol::ExitRecord exit;
  exit.code = 127;
  exit.started = exit.ended = now;
  exit.note = absl::StrCat("the program could not be started: ", why.message());
  return exit;
}

}  // namespace

void WorkerLoop::Execute(core::Decisions decisions) {
  for (const std::string& line : decisions.why) log::Info(line);
  for (const std::string& line : decisions.warnings) log::Warn(line);
  if (decisions.persist) {
    if (absl::Status s = folder_.SaveIdentity(*decisions.persist); !s.ok()) {
      // What is not on disk must not be acted on; ranks live on, and the next life tries again.
      decisions.acts = {core::Exit{base::kDaemonDisk, std::string(s.message())}};
    }
  }
  for (const core::Act& act : decisions.acts) {
    std::visit([this](const auto& one) { Do(one); }, act);
  }
  if (!exit_) return;
  if (exit_->code == 0) {
    log::Info(exit_->line);
  } else {
    log::Error(exit_->line);
  }
  gpus_.reset();
  if (link_) link_->Stop(kFarewell);
  if (gateway_) gateway_->Stop();
  loop_.Quit(exit_->code);
}

void WorkerLoop::Do(const core::SendReport& act) {
  if (link_) link_->Send(act.report);
}

void WorkerLoop::Do(const core::DropStream& act) {
  if (act.reason != drop_reason_) {
    drop_reason_ = act.reason;
    log::Warn(absl::StrCat("leaving the coordinator's stream: ", act.reason));
  }
  link_->Reconnect(act.reason);
}

void WorkerLoop::Do(const core::LaunchRank& act) {
  absl::Status s = LaunchRank(act.start);
  if (s.ok()) return;
  // If it was the disk, the coordinator hears that first, and does not try it here again.
  LookAtDisk([this, start = act.start, s] {
    Feed(core::RankEnded{start.key, start.incarnation, NotStarted(s, base::WallNow())});
  });
}

absl::Status WorkerLoop::LaunchRank(const protocol::StartRank& start) {
  std::string folder = process::RankFolder(folder_.path(), start.key);
  if (absl::Status s = process::WriteRankFolder(folder, start, boot_id_); !s.ok()) return s;
  process::ShimProgram program = Program(folder);
  std::optional<config::JobSpec> spec = SpecOf(start.spec_yaml);
  if (spec) program.grace = spec->grace;
  program.program = {options_.trainer_program};
  program.lifeline_fd = options_.lifeline_fd;
  program.environment =
      process::RankEnvironment(surroundings_, start, JobEnvironment(spec), folder);
  return processes_.Launch(program, RankEvents(start));
}

process::ShimProgram WorkerLoop::Program(const std::string& folder) const {
  process::ShimProgram program;
  program.shim = options_.shim_program;
  program.folder = folder;
  program.log_file_bytes = options_.config.rank_log_file_size;
  program.log_files = options_.config.rank_log_files;
  return program;
}

process::ProcessEvents WorkerLoop::RankEvents(const protocol::StartRank& start) {
  process::ProcessEvents events;
  events.running = [this, key = start.key, incarnation = start.incarnation](int64_t pid) {
    Feed(core::RankRunning{key, incarnation, pid});
  };
  events.ended = [this, key = start.key,
                  incarnation = start.incarnation](const protocol::ExitRecord& exit) {
    Feed(core::RankEnded{key, incarnation, exit});
  };
  return events;
}

void WorkerLoop::Do(const core::SignalRank& act) {
  std::string folder = process::RankFolder(folder_.path(), act.key);
  base::Duration grace = act.grace;
  if (act.jobs_grace) {
    auto yaml = process::ReadFile(absl::StrCat(folder, "/", process::kSpecFile));
    std::optional<config::JobSpec> spec = yaml.ok() ? SpecOf(*yaml) : std::nullopt;
    if (spec) grace = spec->grace;
  }
  processes_.Stop(folder, grace);
}

void WorkerLoop::Do(const core::RecordAcknowledgement& act) {
  std::string folder = process::RankFolder(folder_.path(), act.key);
  processes_.Release(folder);
  if (absl::Status s = process::MarkAcknowledged(folder); !s.ok()) {
    log::Warn(absl::StrCat("an exit will be reported again after a restart: ", s.message()));
  }
}

void WorkerLoop::Do(const core::SendToTrainer& act) { gateway_->Send(act.connection, act.order); }

void WorkerLoop::Do(const core::RefuseTrainer& act) {
  log::Info(absl::StrCat("a trainer is sent away: ", act.reason));
  gateway_->Refuse(act.connection, act.reason);
}

std::string WorkerLoop::TaskFolder(base::TaskId task) const {
  return absl::StrCat(folder_.path(), "/tasks/", base::ToString(task));
}

void WorkerLoop::Do(const core::LaunchTask& act) {
  const protocol::StartTask& task = act.task;
  std::string folder = TaskFolder(task.task);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);  // of an earlier life: it ended with it
  absl::Status s = process::MakeFolder(folder);
  if (s.ok()) {
    s = process::WriteFile(absl::StrCat(folder, "/", process::kSpecFile), task.spec_yaml, false);
  }
  process::ProcessEvents events;
  events.running = [](int64_t) {};
  events.ended = [this, id = task.task, incarnation = act.incarnation,
                  folder](const protocol::ExitRecord& exit) {
    Feed(core::TaskProcessEnded{id, incarnation, exit});
    slow_loop_.Post([folder] {
      std::error_code not_important;
      std::filesystem::remove_all(folder, not_important);
    });
  };
  if (s.ok()) {
    process::ShimProgram program = Program(folder);
    program.program = {options_.trainer_program, "--task"};
    program.lifeline_fd = task_lifeline_[0];
    program.grace = base::Duration(0);
    program.environment = process::TaskEnvironment(surroundings_, task.task, act.incarnation,
                                                   JobEnvironment(SpecOf(task.spec_yaml)), folder);
    s = processes_.Launch(program, events);
  }
  if (s.ok()) return;
  LookAtDisk([events, s] { events.ended(NotStarted(s, base::WallNow())); });
}

void WorkerLoop::Do(const core::SendTask& act) { gateway_->SendTask(act.connection, act.task); }

void WorkerLoop::Do(const core::AcknowledgeTask& act) {
  gateway_->AcknowledgeTaskEnded(act.connection);
}

void WorkerLoop::Do(const core::StopTask& act) {
  processes_.Stop(TaskFolder(act.task), base::Duration(0));
}

void WorkerLoop::Do(const core::ServeLog& act) { logs_->Serve(act.request); }

void WorkerLoop::Do(const core::BeginRelay&) {
  logs_->Clear();
  relay_->Begin();
}

void WorkerLoop::Do(const core::EndRelay&) {
  logs_->Clear();
  relay_->End();
}

void WorkerLoop::Do(const core::TrimMetrics& act) { relay_->Acknowledged(act.job, act.batch); }

void WorkerLoop::Do(const core::ForgetFolder& act) {
  buffer_->Forget(act.job);
  absl::Status s = process::MarkForgotten(folder_.path(), act.job);
  if (!s.ok()) log::Warn(absl::StrCat("a job's logs will be kept: ", s.message()));
}

void WorkerLoop::Do(const core::Exit& act) { exit_ = act; }

bool WorkerLoop::SendBulk(protocol::WorkerReport report) {
  if (link_->QueuedBytes() > CoordinatorLink::kHighWater) return false;
  link_->Send(std::move(report));
  return true;
}

}  // namespace coxswain::worker
