#include "cli/verbs/local_run.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "cli/local/endpoint.h"
#include "common/config/daemon_config.h"

namespace coxswain::cli::verbs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds kEndOfAJob(5);       // from the last rank's end to the news of it
constexpr milliseconds kAtOnce(1500);  // for what is asked to end at once; then SIGKILL

std::string AbsoluteDataDir(const std::string& flag) {
  const std::string dir = flag.empty() ? local::DefaultRunDir() : flag;
  return config::AbsolutePath(dir);
}

std::string FolderOfThisProgram() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

// Which file the newest job of the data directory came from: for the run after one that is cut off.
std::string FileOfNewestJob(const std::string& data_dir) { return data_dir + "/newest-job-file"; }

void RememberFile(const std::string& data_dir, const std::string& job, const std::string& file) {
  std::ofstream out(FileOfNewestJob(data_dir), std::ios::trunc);
  out << job << '\n' << config::AbsolutePath(file) << '\n';
}

// Empty: not known.
std::string RememberedFile(const std::string& data_dir, const std::string& job) {
  std::ifstream in(FileOfNewestJob(data_dir));
  std::string id, file;
  return std::getline(in, id) && id == job && std::getline(in, file) ? file : "";
}

// 0: how long it trains is its program's own affair.
int64_t EpochsOf(const config::JobSpec& spec) { return spec.HasProgram() ? 0 : spec.train.epochs; }

}  // namespace

LocalRun::LocalRun(const Session& session, const RunFlags& flags)
    : session_(session),
      flags_(flags),
      default_data_dir_(flags.data_dir.empty()),
      data_dir_(AbsoluteDataDir(flags.data_dir)),
      people_(session.machine_readable() ? stderr : stdout),
      terminal_(session.machine_readable() ? session.err() : session.out()),
      view_(people_, terminal_),
      signals_({SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {}

LocalRun::~LocalRun() {
  if (stopper_.joinable()) stopper_.join();
}

int LocalRun::Run() {
  auto read = ReadJobFile(session_, flags_.job);
  if (const int* code = std::get_if<int>(&read)) return *code;
  JobFile file = std::get<JobFile>(std::move(read));
  file.request.idempotency_key = MakeIdempotencyKey();
  file.request.resume_from = flags_.resume.from;
  file.request.allow_uncommitted = flags_.resume.uncommitted;
  if (absl::Status status = Start(file.spec); !status.ok()) return GiveUp(status, false);
  absl::StatusOr<rpc::Job> end = SubmitAndWatch(file.request);
  if (output_ && end.ok()) output_->WaitForEnd();
  Show([&] { view_.Finish(); });
  if (absl::IsDeadlineExceeded(end.status())) {
    session_.Note("cox: --timeout ran out: saving and stopping");
    end = SaveAfterTimeout(job_);
    Show([&] { view_.Finish(); });
    if (end.ok()) Finish(*end, EpochsOf(file.spec));
    StopCluster();
    return kTimeout;
  }
  if (!end.ok()) return GiveUp(end.status(), job_.empty());
  return Finish(*end, EpochsOf(file.spec));
}

absl::Status LocalRun::Start(const config::JobSpec& spec) {
  const uint64_t needed = uint64_t{spec.workers} * spec.resources.cpus;
  const uint32_t there = std::max(1u, std::thread::hardware_concurrency());
  const uint32_t slots = flags_.cpu_slots > 0
                             ? flags_.cpu_slots
                             : static_cast<uint32_t>(std::max<uint64_t>(there, needed));
  grace_ = std::chrono::duration_cast<seconds>(spec.grace) + kEndOfAJob;
  auto cluster = local::LocalCluster::Start(
      {.data_dir = data_dir_, .bin_dir = FolderOfThisProgram(), .cpu_slots = slots});
  if (!cluster.ok()) return cluster.status();
  cluster_ = *std::move(cluster);
  rpc::ClientOptions options{
      .server = cluster_->endpoint().api,
      .token = cluster_->token(),
      .token_from = data_dir_ + "/coordinator/token",
      .until = session_.until(),
      .on_trouble = [this](const std::string& why) { Show([&] { view_.Reconnecting(why); }); }};
  auto client = rpc::Client::Make(options);
  if (!client.ok()) return client.status();
  client_ = *std::move(client);
  options.until.reset();
  options.on_trouble = nullptr;
  auto control = rpc::Client::Make(options);
  if (!control.ok()) return control.status();
  control_ = *std::move(control);
  if (spec.HasProgram()) {
    output_ = std::make_unique<LogFollower>(
        options, terminal_, [this](const std::string& lines) { Show([&] { view_.Told(lines); }); });
  }
  signals_.Begin([this](int signal) { OnSignal(signal); });
  std::fprintf(people_, "coordinator and worker are up in %s (status page: http://%s/)\n",
               data_dir_.c_str(), cluster_->endpoint().http.c_str());
  std::fflush(people_);
  if (absl::Status status = EndLeftovers(); !status.ok()) return status;
  return WaitForWorker();
}

// Cancelled before the worker is there, so that none of them starts. Their rows stay.
absl::Status LocalRun::EndLeftovers() {
  const auto left = control_->ListJobs(
      {.states = {}, .name_prefix = "", .labels = {}, .active_only = true, .limit = 0});
  if (!left.ok()) return left.status();
  for (auto job = left->items.rbegin(); job != left->items.rend(); ++job) {
    const auto cancelled = control_->CancelJob(job->id, "its cox run was cut off", false);
    if (!cancelled.ok() && !absl::IsFailedPrecondition(cancelled.status())) {
      return cancelled.status();
    }
    TellLeftover(*job);
  }
  return absl::OkStatus();
}

void LocalRun::TellLeftover(const rpc::Job& job) {
  RunResult result = ResultOf(job);
  result.file = RememberedFile(data_dir_, job.id);
  if (auto listed = control_->ListCheckpoints(job.id, false); listed.ok()) {
    result.checkpoints = listed->items;
  }
  std::fprintf(people_, "%s\n", LeftoverLine(result).c_str());
  std::fflush(people_);
}

// With its worker there, the coordinator checks data and store before it accepts the job.
absl::Status LocalRun::WaitForWorker() {
  const auto end = steady_clock::now() + seconds(20);
  while (steady_clock::now() < end) {
    const auto nodes = control_->ListNodes();
    if (!nodes.ok()) return nodes.status();
    for (const rpc::Node& node : nodes->items) {
      if (node.state == "READY") return absl::OkStatus();
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
  return absl::InternalError("the worker does not reach its coordinator; its log: " + data_dir_ +
                             "/worker.log");
}

absl::StatusOr<rpc::Job> LocalRun::SubmitAndWatch(const rpc::SubmitRequest& request) {
  const absl::StatusOr<rpc::Submitted> submitted = client_->Submit(request);
  if (!submitted.ok()) return WithPlace(submitted.status(), flags_.job, request.yaml);
  bool cancel = false;
  {
    std::lock_guard lock(mutex_);
    job_ = submitted->job.id;
    cancel = interrupts_ > 0;
  }
  RememberFile(data_dir_, submitted->job.id, flags_.job.file);
  if (output_) output_->Follow(submitted->job.id);
  for (const std::string& warning : submitted->warnings)
    session_.Note("warning: " + output::OneLine(warning));
  if (cancel) (void)control_->CancelJob(submitted->job.id, "interrupted", false);
  return client_->Watch(submitted->job.id, milliseconds(250),
                        [this](const rpc::Job& job, const auto& events) {
                          Show([&] { view_.Show(job, events); });
                          std::lock_guard lock(mutex_);
                          last_ = job;
                          return true;
                        });
}

absl::StatusOr<rpc::Job> LocalRun::SaveAfterTimeout(const std::string& job) {
  if (job.empty()) return absl::CancelledError("not yet accepted");
  SaveBy(job, "--timeout ran out");
  return control_->Watch(job, milliseconds(250), [](const rpc::Job&, const auto&) { return true; });
}

// The curve, and the last evaluation where the job does not say it any more.
void LocalRun::ReadMetrics(RunResult* result) {
  rpc::Progress* progress = &result->job.progress;
  const bool has_eval = progress->has_eval;
  if (!has_eval) progress->eval_accuracy = -1;  // a regression has none
  const rpc::MetricRequest request{
      .job = result->job.id, .names = {"loss", "eval.accuracy", "eval.loss"}, .max_points = 4000};
  (void)control_->Metrics(request, [&](const rpc::MetricPoint& point) {
    if (point.name == "loss") {
      result->loss.push_back({point.step, point.value});
    } else if (!has_eval) {
      progress->has_eval = true;
      if (point.name == "eval.loss") progress->eval_loss = point.value;
      if (point.name == "eval.accuracy") progress->eval_accuracy = point.value;
    }
  });
  std::stable_sort(result->loss.begin(), result->loss.end(),
                   [](const auto& a, const auto& b) { return a.x < b.x; });
}

RunResult LocalRun::ResultOf(const rpc::Job& job) const {
  return {.job = job,
          .loss = {},
          .checkpoints = {},
          .file = flags_.job.file,
          .data_dir = data_dir_,
          .default_data_dir = default_data_dir_,
          .epochs = 1,
          .cox = HowToCallCox()};
}

int LocalRun::Finish(const rpc::Job& job, int64_t epochs) {
  RunResult result = ResultOf(job);
  result.epochs = epochs;
  if (auto whole = control_->GetJob(job.id); whole.ok()) result.job = *std::move(whole);
  ReadMetrics(&result);
  // The last checkpoint is read back for a moment yet.
  for (const auto end = steady_clock::now() + seconds(3); steady_clock::now() < end;) {
    const auto listed = control_->ListCheckpoints(job.id, false);
    if (listed.ok()) result.checkpoints = listed->items;
    if (!listed.ok() || listed->items.empty() || listed->items[0].state != "COMMITTED") break;
    std::this_thread::sleep_for(milliseconds(20));
  }
  {
    std::lock_guard lock(mutex_);
    finishing_ = true;
  }
  StopCluster();
  if (session_.machine_readable()) session_.PrintStructured(result.job.json);
  const std::string summary = RunSummary(terminal_, result);
  std::fwrite(summary.data(), 1, summary.size(), people_);
  std::fflush(people_);
  return ExitCodeOf(job);
}

int LocalRun::GiveUp(const absl::Status& status, bool submitting) {
  {
    std::lock_guard lock(mutex_);
    finishing_ = true;
  }
  StopCluster();
  return session_.Fail(status, submitting);
}

void LocalRun::StopCluster() {
  if (output_) output_->GiveUp();
  if (cluster_) cluster_->Stop();
}

void LocalRun::Show(const std::function<void()>& show) {
  std::lock_guard lock(view_mutex_);
  if (!silent_) show();
}

void LocalRun::OnSignal(int signal) {
  if (signal == 0) {
    OnIdle();
  } else if (signal == SIGCHLD) {
    OnChildEnded();
  } else {
    OnInterrupt();
  }
}

void LocalRun::OnInterrupt() {
  std::string job;
  int interrupts = 0;
  {
    std::lock_guard lock(mutex_);
    interrupts = ++interrupts_;
    job = job_;
  }
  if (interrupts > 1) StopNow("stopping now", kCancelled);
  session_.Note("\ncox: saving a checkpoint, then stopping; Ctrl-C again stops now");
  // Not yet accepted: SubmitAndWatch sees interrupts_.
  SaveBy(job, "interrupted");
}

void LocalRun::SaveBy(const std::string& job, const std::string& reason) {
  {
    std::lock_guard lock(mutex_);
    if (stop_by_) return;
    stop_by_ = steady_clock::now() + grace_;
  }
  if (job.empty()) return;
  stopper_ = std::thread([this, job, reason] { AskToSave(job, reason); });
}

void LocalRun::AskToSave(const std::string& job, const std::string& reason) {
  for (std::string said;;) {
    {
      std::lock_guard lock(mutex_);
      if (finishing_) return;
    }
    const absl::Status status = control_->CancelJob(job, reason, true).status();
    if (status.ok() || absl::IsFailedPrecondition(status) || absl::IsNotFound(status)) return;
    const std::string why(status.message());
    if (why != said) session_.Note("cox: cannot save: " + why);
    said = why;
    std::this_thread::sleep_for(milliseconds(500));
  }
}

void LocalRun::OnIdle() {
  int code = kTimeout;
  {
    std::lock_guard lock(mutex_);
    if (finishing_ || !stop_by_ || steady_clock::now() < *stop_by_) return;
    if (interrupts_ > 0) code = kCancelled;
  }
  StopNow("no checkpoint could be saved within " + std::to_string(grace_.count()) +
              " s; stopping without one",
          code);
}

void LocalRun::StopNow(const std::string& why, int code) {
  Show([&] { view_.Finish(); });
  {
    std::lock_guard lock(view_mutex_);
    silent_ = true;
  }
  rpc::Job job;
  {
    std::lock_guard lock(mutex_);
    finishing_ = true;
    job = last_;
  }
  session_.Note("\ncox: " + why);
  cluster_->Stop(kAtOnce);
  if (!job.id.empty()) session_.Note(LastWords(ResultOf(job)));
  std::_Exit(code);
}

void LocalRun::OnChildEnded() {
  {
    std::lock_guard lock(mutex_);
    if (finishing_) return;
  }
  if (const std::optional<std::string> trouble = cluster_->Trouble()) {
    StopNow(*trouble, kUnreachable);
  }
}

}  // namespace coxswain::cli::verbs
