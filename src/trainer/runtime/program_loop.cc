#include "trainer/runtime/program_loop.h"

#include <signal.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

#include "common/base/clock.h"
#include "common/code/archive.h"
#include "common/code/code_id.h"
#include "common/log/log.h"
#include "trainer/program/file_set.h"
#include "trainer/runtime/engine_loop.h"
#include "trainer/runtime/listen_socket.h"

namespace coxswain::trainer {
namespace {

namespace fs = std::filesystem;

constexpr base::Duration kSlice = base::milliseconds(100);  // of one RunStep
constexpr base::Duration kLook = base::milliseconds(20);    // at what it has said
constexpr base::Duration kLeaveTime = base::seconds(5);     // for a new generation
constexpr base::Duration kAskForCode = base::milliseconds(100);
constexpr base::Duration kWorthTelling = base::seconds(2);  // that it waits for its code
constexpr size_t kMostMistakes = 20;                        // told of each program
constexpr char kShell[] = "/bin/sh";

core::EngineFailed Failed(const absl::Status& status) {
  return FailureOf(status, protocol::FailureKind::kSettings);
}

absl::Status MakeEmpty(const std::string& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  fs::create_directories(folder, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError("cannot make " + folder + ": " + error.message());
}

}  // namespace

core::Event ProgramLoop::Execute(const core::EngineCommand& command) {
  return std::visit([this](const auto& body) { return Run(body); }, command);
}

std::vector<protocol::MetricPoint> ProgramLoop::TakeMetrics() {
  std::lock_guard lock(mutex_);
  return std::exchange(points_, {});
}

std::string ProgramLoop::WorkDir() const {
  const config::Program& program = doors_.spec.program;
  if (!program.code.empty()) return fs::path(CodeDir()) / program.working_dir;
  return program.working_dir.empty() ? doors_.folder + "/work" : program.working_dir;
}

void ProgramLoop::SetWaiting(const std::string& what) {
  std::lock_guard lock(mutex_);
  waiting_for_ = what;
}

std::string ProgramLoop::WaitingFor() {
  std::lock_guard lock(mutex_);
  return waiting_for_;
}

// Its bytes, checked. The worker's copy may be damaged, or may go while it is read.
absl::StatusOr<std::string> ProgramLoop::WaitForCode() {
  const std::string& id = doors_.spec.program.code;
  const base::Time begin = base::MonotonicNow();
  while (true) {
    absl::StatusOr<std::string> path = doors_.find_code(id);
    if (!path.ok() && !absl::IsUnavailable(path.status())) return path.status();
    std::string why(path.status().message());
    if (path.ok()) {
      std::ifstream file(*path, std::ios::binary);
      std::stringstream bytes;
      bytes << file.rdbuf();
      std::string archive = std::move(bytes).str();
      if (code::CodeIdOf(archive) == id) return archive;
      why = *path + " is damaged: fetching it again";
      std::error_code ignored;
      fs::remove(*path, ignored);
    }
    if (base::MonotonicNow() > begin + kWorthTelling) SetWaiting(why);
    std::this_thread::sleep_for(kAskForCode);
  }
}

std::optional<core::EngineFailed> ProgramLoop::PrepareCode() {
  const std::string& id = doors_.spec.program.code;
  if (id.empty()) return std::nullopt;
  if (!doors_.find_code || !code::IsCodeId(id)) {
    return Failed(absl::InvalidArgumentError("spec.code: " + id +
                                             " is not what `cox submit` packs a directory into"));
  }
  absl::StatusOr<std::string> archive = WaitForCode();
  SetWaiting("");
  absl::Status status = archive.status();
  if (status.ok()) status = code::Unpack(*archive, CodeDir());
  if (!status.ok()) {
    // Not the program's fault: the coordinator took it.
    return Failed(absl::UnavailableError("spec.code: " + std::string(status.message())));
  }
  log::Info("unpacked " + id);
  return std::nullopt;
}

core::Event ProgramLoop::Run(const core::JoinGroup& command) {
  StopProgram();
  aborted_ = false;
  phase_ = protocol::Phase::kRestoring;
  doors_.place.rank = command.rank;
  generation_ = command.form.generation;
  RestoreReport report;
  auto restored = doors_.restorer->Run(command.form, &report);
  if (!restored.ok()) return Failed(restored.status());
  if (*restored != nullptr) {
    absl::Status written = program::WriteFiles(**restored, command.rank, ResumeDir());
    if (!written.ok()) {
      return Failed(absl::Status(
          written.code(), "checkpoint " + report.uri + ": " + std::string(written.message())));
    }
  }
  said_ = core::ProgramSaid();
  said_.step = *restored == nullptr ? 0 : (*restored)->info.step;
  last_announced_ = *restored == nullptr ? -1 : said_.step;
  restored->reset();  // it may be large
  const bool goes_on = !report.uri.empty();
  if (auto failed = StartProgram(command.form, goes_on)) return *failed;
  log::Info("generation " + std::to_string(generation_.value) + ": rank " +
            std::to_string(command.rank) + " of " + std::to_string(command.form.members.size()) +
            ", process " + std::to_string(child_->pid()) +
            (goes_on ? ", step " + std::to_string(said_.step) + " from " + report.uri : ""));
  phase_ = protocol::Phase::kProgram;
  return core::GroupFormed{generation_,    said_.step, said_.step, core::TrainingPlan{},
                           report.refused, report.uri, report.id};
}

std::optional<core::EngineFailed> ProgramLoop::StartProgram(const protocol::FormGeneration& form,
                                                            bool restored) {
  program::ProgramPlace place = doors_.place;
  place.world_size = static_cast<uint32_t>(form.members.size());
  place.generation = form.generation.value;
  const std::string& host = form.members.front().address;
  if (!SplitAddress(host, &place.master_address, &place.master_port)) {
    return Failed(absl::InternalError("rank 0's address '" + host + "' is not HOST:PORT"));
  }
  place.metrics_path =
      doors_.folder + "/metrics-g" + std::to_string(form.generation.value) + ".jsonl";
  place.checkpoint_dir = CheckpointDir();
  if (restored) place.resume_dir = ResumeDir();
  if (absl::Status made = MakeEmpty(place.checkpoint_dir); !made.ok()) return Failed(made);
  if (doors_.spec.program.working_dir.empty()) {
    std::error_code error;
    fs::create_directories(WorkDir(), error);
  }
  announced_.clear();
  taken_.reset();
  first_step_.reset();
  end_.reset();
  told_to_stop_ = false;
  mistakes_ = 0;
  said_file_ = std::make_unique<program::SaidFile>(place.metrics_path);
  if (place.rank == 0) doors_.free_port();
  auto child = program::ChildProcess::Start({doors_.spec.program.command,
                                             program::ProgramEnvironment(doors_.environment, place),
                                             WorkDir()});
  if (!child.ok()) return Failed(child.status());
  child_.emplace(*std::move(child));
  return std::nullopt;
}

// For a new generation: what it does now is of no use.
void ProgramLoop::StopProgram() {
  if (!child_) return;
  child_->SignalGroup(SIGTERM);
  child_->Wait(kLeaveTime);
  child_.reset();
}

// True: it has ended, with all that it had started if it was told to stop.
bool ProgramLoop::Ended() {
  if (!child_) return true;
  if (!end_) end_ = child_->Wait(base::Duration(0));
  if (!end_ || (told_to_stop_ && child_->GroupLives())) return false;
  child_.reset();
  return true;
}

// Until it has said something, ended, or so much time has passed. True: it has ended.
bool ProgramLoop::LetRun(base::Duration limit) {
  const base::Time until = base::MonotonicNow() + limit;
  const int64_t announced = last_announced_;
  while (true) {
    const bool ended = Ended();
    ReadSaid();  // after that look: all that it has said
    if (ended || aborted_ || last_announced_ != announced || base::MonotonicNow() >= until) {
      return ended;
    }
    child_->Wait(kLook);
  }
}

core::Event ProgramLoop::Run(const core::RunStep& command) {
  if (command.stop && child_ && !told_to_stop_) {
    told_to_stop_ = true;
    // A shell would not pass it on.
    const bool shell = doors_.spec.program.command.front() == kShell;
    shell ? child_->SignalGroup(SIGTERM) : child_->Signal(SIGTERM);
  }
  const bool ended = LetRun(kSlice);
  if (aborted_) {
    StopProgram();
    return core::CollectiveFailed{"ended for a new generation"};
  }
  if (!ended) return Answer();
  phase_ = protocol::Phase::kDone;
  said_.ended = told_to_stop_ || (end_ && end_->code == 0 && end_->signal == 0);
  return said_.ended ? Answer() : FailureOfProgram();
}

core::Event ProgramLoop::FailureOfProgram() const {
  core::ProgramFailed failed;
  failed.code = end_->code;
  failed.signal = end_->signal;
  failed.reason = "the program ended " +
                  (end_->signal != 0 ? "by signal " + std::to_string(end_->signal)
                                     : "with exit code " + std::to_string(end_->code)) +
                  (said_.step > 0 ? ", after step " + std::to_string(said_.step) : "");
  return failed;
}

core::Event ProgramLoop::Answer() {
  core::ProgramSaid answer = said_;
  said_.evaluation.reset();
  said_.saved.reset();
  return answer;
}

core::Event ProgramLoop::Run(const core::TakeSnapshot& command) {
  program::FileSet files(doors_.place.rank);
  if (Saves()) {
    // The other ranks come to that step when they do.
    const bool again = taken_ && taken_->first == command.step;
    while (!again && !announced_.contains(command.step) && !aborted_ && !LetRun(kSlice)) {
    }
    if (aborted_) return core::CollectiveFailed{"ended for a new generation"};
    auto found = announced_.find(command.step);
    if (found == announced_.end() && !again) {
      return Failed(
          absl::InvalidArgumentError("rank " + std::to_string(doors_.place.rank) +
                                     " has not saved step " + std::to_string(command.step) +
                                     ", though rank 0 has: with spec.checkpoint.saved_by: "
                                     "every_rank each rank has to"));
    }
    const Announced folder = found == announced_.end() ? taken_->second : found->second;
    auto collected = program::FileSet::Collect(folder.folder, doors_.place.rank);
    if (!collected.ok()) {
      return Failed(
          absl::InvalidArgumentError("the checkpoint of step " + std::to_string(command.step) +
                                     " that rank " + std::to_string(doors_.place.rank) +
                                     " has named: " + std::string(collected.status().message())));
    }
    files = *std::move(collected);
    if (taken_ && taken_->first != command.step) Remove(taken_->second);
    taken_ = {command.step, folder};
    for (auto it = announced_.begin(); it != announced_.end() && it->first <= command.step;) {
      if (it->first < command.step) Remove(it->second);
      it = announced_.erase(it);
    }
  }
  auto share = files.Read();
  if (!share.ok()) return Failed(share.status());
  doors_.checkpoints->SnapshotFiles(*std::move(share), command.step);
  return core::SnapshotTaken{command.step};
}

core::Event ProgramLoop::Run(const core::Evaluate&) { return core::Evaluated{}; }
core::Event ProgramLoop::Run(const core::ExportModel&) { return core::ModelExported{}; }

void ProgramLoop::ReadSaid() {
  if (said_file_ == nullptr) return;
  std::vector<std::string> mistakes;
  for (const program::Said& said : said_file_->Read(&mistakes)) Take(said);
  for (const std::string& mistake : mistakes) {
    if (++mistakes_ > kMostMistakes) return;
    log::Warn("$COXSWAIN_METRICS, " + mistake +
              (mistakes_ == kMostMistakes ? "; no more such lines are told" : ""));
  }
}

void ProgramLoop::Take(const program::Said& said) {
  const base::Time now = base::MonotonicNow();
  if (said.step && *said.step > said_.step) {
    said_.step = *said.step;
    if (!first_step_) first_step_ = {now, said_.step};
  }
  if (said.epoch) said_.epoch = *said.epoch;
  if (said.epochs) said_.epochs = *said.epochs;
  if (said.total_steps) said_.total_steps = *said.total_steps;
  for (const auto& [name, value] : said.numbers) {
    if (name == "loss") said_.loss = value;
    if (name == "samples_per_second" && std::isfinite(value)) said_.samples_per_second = value;
    if (name != "eval.loss" && name != "eval.accuracy") continue;
    if (!said_.evaluation) {  // it may tell one of them alone
      said_.evaluation.emplace();
      said_.evaluation->loss = std::numeric_limits<double>::quiet_NaN();
      said_.evaluation->accuracy = -1;
    }
    (name == "eval.loss" ? said_.evaluation->loss : said_.evaluation->accuracy) = value;
  }
  if (first_step_ && said_.step > first_step_->second && said_.total_steps > 0) {
    const auto us = static_cast<double>((now - first_step_->first).count());
    const auto done = static_cast<double>(said_.step - first_step_->second);
    const auto left = static_cast<double>(std::max<int64_t>(0, said_.total_steps - said_.step));
    said_.remaining_ms = static_cast<int64_t>(us / 1e3 / done * left);
  }
  AddPoints(said);
  if (said.checkpoint) TakeCheckpoint(said);
}

void ProgramLoop::TakeCheckpoint(const program::Said& said) {
  if (!Saves()) return;
  const fs::path path = (fs::path(WorkDir()) / *said.checkpoint).lexically_normal();
  const std::string folder = path.has_filename() ? path.string() : path.parent_path().string();
  if (*said.step <= last_announced_) {
    log::Warn("the checkpoint of step " + std::to_string(*said.step) + " in " + folder +
              " is left out: the last one was of step " + std::to_string(last_announced_));
    return;
  }
  last_announced_ = *said.step;
  said_.saved = *said.step;
  if (doors_.place.rank == 0) {
    for (const auto& [step, earlier] : announced_) {
      log::Info("the checkpoint of step " + std::to_string(step) +
                " is left out: a newer one came before it could be stored");
      Remove(earlier);
    }
    announced_.clear();
  }
  announced_[*said.step] = {folder, folder.starts_with(CheckpointDir() + "/")};
}

void ProgramLoop::AddPoints(const program::Said& said) {
  const int32_t rank = doors_.place.rank == 0 ? -1 : static_cast<int32_t>(doors_.place.rank);
  const base::WallTime now = base::WallNow();
  std::lock_guard lock(mutex_);
  for (const auto& [name, value] : said.numbers) {
    points_.push_back({name, rank, said.step.value_or(said_.step), value, now, generation_});
  }
}

void ProgramLoop::Remove(const Announced& announced) const {
  if (!announced.ours) return;
  std::error_code error;
  fs::remove_all(announced.folder, error);
}

}  // namespace coxswain::trainer
