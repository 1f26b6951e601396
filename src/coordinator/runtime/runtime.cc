#include "coordinator/runtime/runtime.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "common/base/clock.h"
#include "common/base/exit_codes.h"
#include "common/log/log.h"

namespace coxswain::coordinator::runtime {
namespace {

constexpr size_t kMetricReaders = 2;

core::ClusterId NewClusterId() {
  std::random_device random;
  char text[17];
  std::snprintf(text, sizeof(text), "%08x%08x", random(), random());
  return core::ClusterId(text);
}

void EndProcess(const absl::Status& why) {
  log::Error(absl::StrCat("ending, so that a new process reads what is really stored: ",
                          std::string(why.message())));
  std::_Exit(base::kDaemonDisk);
}

core::JobId JobOf(const core::Change& change) {
  struct {
    core::JobId operator()(const core::JobRow& row) { return row.id; }
    core::JobId operator()(const core::RankRow& row) { return row.key.job; }
    core::JobId operator()(const core::AttemptRow& row) { return row.job; }
    core::JobId operator()(const core::GenerationRow& row) { return row.job; }
    core::JobId operator()(const core::CheckpointRow& row) { return row.job; }
    core::JobId operator()(const core::EventRow& row) { return row.job; }
    core::JobId operator()(const core::DeleteJob& change) { return change.job; }
    core::JobId operator()(const core::ClusterRow&) { return {}; }
    core::JobId operator()(const core::NodeRow&) { return {}; }
    core::JobId operator()(const core::CheckpointDamaged&) { return {}; }
    core::JobId operator()(const core::DeleteEventsUpTo&) { return {}; }
    core::JobId operator()(const core::DeleteNode&) { return {}; }
    core::JobId operator()(const core::UsageRow&) { return {}; }
    core::JobId operator()(const core::DeleteUsage&) { return {}; }
  } job_of;
  return std::visit(job_of, change);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Runtime>> Runtime::Start(
    Options options, std::unique_ptr<store::StateStore> state,
    std::unique_ptr<store::MetricStore> metrics) {
  absl::StatusOr<core::Snapshot> snapshot = state->Load(NewClusterId());
  if (!snapshot.ok()) return snapshot.status();
  snapshot->cluster.term = snapshot->cluster.term.Next();
  core::Change raised = snapshot->cluster;
  absl::Status status = state->Commit({&raised, 1});
  if (!status.ok()) return status;
  return std::unique_ptr<Runtime>(
      new Runtime(std::move(options), std::move(state), std::move(metrics), *std::move(snapshot)));
}

Runtime::Runtime(Options options, std::unique_ptr<store::StateStore> state,
                 std::unique_ptr<store::MetricStore> metrics, core::Snapshot snapshot)
    : options_(std::move(options)),
      code_(options_.data_dir.empty() ? "" : options_.data_dir + "/code"),
      started_(base::WallNow()),
      term_(snapshot.cluster.term.value),
      last_event_(snapshot.cluster.last_event.value),
      cluster_(snapshot.cluster.id),
      readers_([state = state.get()] { return state->NewReader(); }, options_.readers),
      metric_readers_([metrics = metrics.get()] { return metrics->NewReader(); }, kMetricReaders) {
  commit_ = std::make_unique<CommitLoop>(std::move(state), options_.retry_store, CommitHooks());
  metrics_ = std::make_unique<MetricLoop>(std::move(metrics), options_.metric_pause, MetricHooks());
  recorder_ = MakeRecorder();
  decide_ = std::make_unique<DecideLoop>(
      options_.settings, [this](Outbox outbox) { commit_->Push(std::move(outbox)); },
      recorder_.get());
  decide_->Resume(std::move(snapshot));
  housekeeper_ = std::thread([this] { KeepHouse(); });
}

Runtime::~Runtime() { Stop(); }

void Runtime::Stop() {
  {
    std::lock_guard lock(status_mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  housekeeping_.Close();
  housekeeper_.join();
  decide_->Stop();
  if (recorder_ != nullptr) recorder_->Stop();
  commit_->Stop();
  metrics_->Stop();
  FailAllCalls(absl::UnavailableError("the coordinator is stopping"));
  sessions_.CloseAll();
  logs_.OnAllDisconnected();
  tasks_.Stop();
}

CommitLoop::Hooks Runtime::CommitHooks() {
  return {
      .is_void = [this](const Outbox& outbox) { return outbox.life != decide_->Life(); },
      .release = [this](Outbox outbox) { Release(std::move(outbox)); },
      .failed = [this](const absl::Status& why) { OnStoreFailed(why); },
      .recovered = [this](core::Snapshot s) { OnStoreRecovered(std::move(s)); },
      .fatal = options_.on_fatal ? options_.on_fatal : EndProcess,
  };
}

MetricLoop::Hooks Runtime::MetricHooks() {
  return {
      .acknowledge =
          [this](core::SessionId id, const protocol::AcknowledgeMetrics& order) {
            if (auto session = sessions_.Find(id)) session->Send(core::Term(term_), order);
          },
      .changed = [this](const std::set<core::JobId>& jobs) { watchers_.Notify(jobs); },
      .problem =
          [this](const std::string& problem) {
            SetWarning("metrics", problem);
            problem.empty() ? log::Info("metrics are stored again") : log::Warn(problem);
          },
  };
}

std::unique_ptr<record::Recorder> Runtime::MakeRecorder() {
  if (options_.recording_bytes == 0 || options_.data_dir.empty()) return nullptr;
  record::Recorder::Options options;
  options.folder = options_.data_dir + "/recording";
  options.most_bytes = options_.recording_bytes;
  options.problem = [this](const std::string& problem) {
    SetWarning("recording", problem);
    problem.empty() ? log::Info("events are recorded again") : log::Warn(problem);
  };
  return std::make_unique<record::Recorder>(std::move(options));
}

void Runtime::KeepNodes(const std::vector<core::Change>& committed) {
  std::lock_guard lock(nodes_mutex_);
  for (const core::Change& change : committed) {
    if (const auto* row = std::get_if<core::NodeRow>(&change)) {
      ++nodes_version_;
      if (nodes_) nodes_->insert_or_assign(row->id, *row);
    } else if (const auto* gone = std::get_if<core::DeleteNode>(&change)) {
      ++nodes_version_;
      if (nodes_) nodes_->erase(gone->id);
    }
  }
}

namespace {

// What happens to the fleet and the store. What happens to jobs is their users' to read.
void LogOfFleet(const core::EventRow& event) {
  if (event.job) return;
  const std::string line = absl::StrCat(event.kind, ": ", event.text);
  event.severity == "info" ? log::Info(line) : log::Warn(line);
}

}  // namespace

void Runtime::Release(Outbox outbox) {
  std::set<core::JobId> changed;
  std::vector<core::JobId> deleted;
  for (const core::Change& change : outbox.persist) {
    changed.insert(JobOf(change));
    if (const auto* row = std::get_if<core::ClusterRow>(&change)) term_ = row->term.value;
    if (const auto* event = std::get_if<core::EventRow>(&change)) {
      last_event_ = event->seq.value;
      LogOfFleet(*event);
    }
    if (const auto* gone = std::get_if<core::DeleteJob>(&change)) deleted.push_back(gone->job);
  }
  KeepNodes(outbox.persist);
  for (const core::LiveJob& job : outbox.jobs) changed.insert(job.id);
  bool any = !changed.empty() || !outbox.nodes.empty();
  board_.Put(std::move(outbox.jobs), std::move(outbox.nodes), outbox.heard);
  if (outbox.queues) board_.Put(*std::move(outbox.queues));
  for (const core::Action& action : outbox.send) Send(action);
  for (core::Reply& reply : outbox.replies) {
    tasks_.Post([this, reply = std::move(reply)] { Answer(reply); });
  }
  metrics_->DeleteJobs(std::move(deleted));
  if (any) watchers_.Notify(changed);
}

void Runtime::Send(const core::Action& action) {
  std::shared_ptr<WorkerSession> session = sessions_.Find(action.session);
  if (session == nullptr) return;
  if (std::holds_alternative<protocol::Welcome>(action.order)) sessions_.Welcome(action.session);
  session->Send(core::Term(term_), action.order);
  if (action.close_session) session->Close();
}

void Runtime::Answer(const core::Reply& reply) {
  if (CallTable::Answer answer = calls_.Take(reply.call)) answer(reply);
}

void Runtime::FailAllCalls(const absl::Status& why) {
  for (auto& [id, answer] : calls_.TakeAll()) {
    tasks_.Post([answer = std::move(answer), why] { answer(why); });
  }
}

void Runtime::OnStoreFailed(const absl::Status& why) {
  std::string text =
      absl::StrCat("the coordinator cannot write its store: ", std::string(why.message()),
                   " (it serves reads and tries again)");
  absl::Status answer = absl::IsResourceExhausted(why) ? absl::ResourceExhaustedError(text)
                                                       : absl::UnavailableError(text);
  bool first = false;
  {
    std::lock_guard lock(status_mutex_);
    first = why_not_writable_.empty();
    why_not_writable_ = text;
  }
  if (first) log::Error(text);
  decide_->Suspend(answer);
  FailAllCalls(answer);
  sessions_.CloseAll();
  logs_.OnAllDisconnected();
  // The board stays: what it shows was committed, and is the last that is known.
  watchers_.NotifyAll();
}

void Runtime::OnStoreRecovered(core::Snapshot snapshot) {
  board_.Clear();
  {
    std::lock_guard lock(status_mutex_);
    why_not_writable_.clear();
  }
  {
    std::lock_guard lock(nodes_mutex_);
    ++nodes_version_;
    nodes_.reset();
  }
  term_ = snapshot.cluster.term.value;
  log::Info("the store takes writes again: going on from what it holds");
  decide_->Resume(std::move(snapshot));
  watchers_.NotifyAll();
}

core::SessionId Runtime::Connected(std::shared_ptr<WorkerSession> session,
                                   protocol::WorkerHello hello) {
  core::SessionId id = sessions_.Add(session, hello.node);
  if (!decide_->Post(core::WorkerConnected{id, std::move(hello)}).ok()) session->Close();
  return id;
}

void Runtime::Reported(core::SessionId session, protocol::WorkerReport report) {
  std::optional<core::NodeId> node = sessions_.NodeOf(session);
  if (!node) return;
  if (auto* batch = std::get_if<protocol::MetricBatch>(&report)) {
    metrics_->Append(session, *std::move(node), std::move(*batch));
  } else if (auto* data = std::get_if<protocol::LogData>(&report)) {
    logs_.OnData(session, std::move(*data));
  } else {
    // Not taken while the store is away: the stream ends then, and the next hello says it all
    // again.
    decide_->Post(core::WorkerReported{session, std::move(report)}).IgnoreError();
  }
}

void Runtime::Disconnected(core::SessionId session, std::string reason) {
  if (!sessions_.Remove(session)) return;
  logs_.OnDisconnected(session);
  decide_->Post(core::WorkerDisconnected{session, std::move(reason)}).IgnoreError();
}

std::unique_ptr<Subscription> Runtime::Subscribe(core::JobId job, std::function<void()> changed) {
  return watchers_.Add(job, std::move(changed));
}

}  // namespace coxswain::coordinator::runtime
