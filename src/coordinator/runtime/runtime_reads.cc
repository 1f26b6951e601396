// Reads: committed rows, with the live board laid over them.
#include <absl/strings/str_cat.h>

#include "common/base/clock.h"
#include "common/base/version.h"
#include "coordinator/core/text.h"
#include "coordinator/runtime/explanation.h"
#include "coordinator/runtime/runtime.h"

namespace coxswain::coordinator::runtime {
namespace {

// The plan told when others let go and when it starts; that is read later, and by then it may have
// passed.
void TellTimes(base::WallTime now, core::LiveJob* live) {
  auto add = [&](const std::string& text) {
    absl::StrAppend(&live->reason, live->reason.empty() ? "" : "; ", text);
  };
  if (live->next_release_at) {
    add(core::ReleaseText(live->next_release, live->next_release_at, now));
  }
  if (!live->expected_start) return;
  add(core::StartText(live->expected_start, now));
  live->expected_start = std::max(live->expected_start, now);
}

// As the other job itself tells it by now: it may know more than when the plan was made.
void TakeNewEnd(const LiveBoard& board, core::LiveJob* live) {
  if (!live->next_release_at) return;
  const base::WallTime end = board.Job(live->next_release_job).expected_end;
  if (!end) return;
  const bool starts_then = live->expected_start == live->next_release_at;
  live->next_release_at = end;
  if (!live->expected_start) return;
  live->expected_start = starts_then ? end : std::max(live->expected_start, end);
}

// Its processes live, and say nothing: only their own voice is missing, so no event tells of it.
void TellSilent(base::WallTime now, const core::JobRow& job, core::LiveJob* live) {
  std::vector<core::Rank> silent;
  base::WallTime since;
  for (const core::LiveRank& rank : live->ranks) {
    if (!rank.silent_from || now < rank.silent_from) continue;
    silent.push_back(rank.rank);
    if (!since || rank.heard < since) since = rank.heard;
  }
  if (silent.empty()) return;
  const bool one = silent.size() == 1;
  const std::string text =
      absl::StrCat(core::RanksText(silent), one ? " has" : " have", " not said anything since ",
                   core::ClockTime(since), ": stopped, or hanging",
                   job.request.own_program ? "" : "; no step can be made without ",
                   job.request.own_program ? ""
                   : one                   ? "it"
                                           : "them");
  live->conditions.insert(live->conditions.begin(), text);
  if (job.state == core::JobState::kRunning) live->reason = text;
  live->expected_end = {};
  if (!live->progress) return;
  live->progress->samples_per_second = 0;
  live->progress->remaining_ms = -1;
}

JobView ViewOf(store::JobRecord record, const LiveBoard& board) {
  JobView view;
  if (!core::IsFinal(record.job.state)) view.live = board.Job(record.job.id);
  const bool waits = record.attempts.empty() || record.attempts.back().ended;
  if (waits) {
    TakeNewEnd(board, &view.live);
    TellTimes(base::WallNow(), &view.live);
  } else {
    TellSilent(base::WallNow(), record.job, &view.live);
  }
  const std::optional<core::LastProgress>& last = record.job.last_progress;
  if (!view.live.progress && last) {
    view.live.progress = last->progress;
    view.live.progress_at = last->at;
    if (core::IsFinal(record.job.state)) view.live.progress->remaining_ms = -1;
  }
  view.record = std::move(record);
  return view;
}

// Begins the same whatever the number: who shows it as news does so once.
std::string ThinnedText(const store::DroppedPoints& dropped) {
  return absl::StrCat("metrics were thinned out: ", dropped.points,
                      dropped.points == 1 ? " point" : " points", " left out on the way",
                      dropped.last ? ", last at " + core::ClockTime(dropped.last) : "",
                      ", because a buffer or the coordinator's disk was full; no step waited for "
                      "it");
}

// A drain's deadline has passed, and jobs are still there.
void TellLate(const core::NodeRow& row, base::WallTime now, core::LiveNode* live) {
  if (!row.draining || !row.drain_by || now < row.drain_by || live->jobs.empty()) return;
  std::string jobs;
  for (core::JobId job : live->jobs) {
    absl::StrAppend(&jobs, jobs.empty() ? "" : ", ", base::ToString(job));
  }
  live->conditions.push_back(absl::StrCat("was to be empty by ", core::ClockTime(row.drain_by),
                                          " and still has ranks of ", jobs));
}

}  // namespace

absl::StatusOr<core::JobId> Runtime::ResolveJob(const std::string& id_or_name) {
  return readers_.With([&](store::StateReader& reader) { return FindJob(id_or_name, reader); });
}

absl::StatusOr<JobView> Runtime::GetJob(core::JobId job) {
  absl::StatusOr<store::JobRecord> record =
      readers_.With([&](store::StateReader& reader) { return reader.GetJob(job); });
  if (!record.ok()) return record.status();
  JobView view = ViewOf(*std::move(record), board_);
  view.masked_yaml = config::MaskSecretsOfComplete(view.record.job.spec_yaml);
  absl::StatusOr<store::DroppedPoints> dropped =
      metric_readers_.With([&](store::MetricReader& reader) { return reader.ReadDropped(job); });
  if (dropped.ok() && dropped->points > 0) {
    view.dropped = *dropped;
    view.live.conditions.push_back(ThinnedText(*dropped));
  }
  std::lock_guard lock(status_mutex_);
  if (!why_not_writable_.empty() && !core::IsFinal(view.record.job.state)) {
    view.live.conditions.push_back(why_not_writable_);
  }
  return view;
}

absl::StatusOr<std::vector<JobView>> Runtime::ListJobs(const store::JobFilter& filter) {
  absl::StatusOr<std::vector<store::JobRecord>> records =
      readers_.With([&](store::StateReader& reader) { return reader.ListJobs(filter); });
  if (!records.ok()) return records.status();
  std::vector<JobView> views;
  for (store::JobRecord& record : *records) views.push_back(ViewOf(std::move(record), board_));
  return views;
}

absl::StatusOr<std::vector<core::CheckpointRow>> Runtime::ListCheckpoints(core::JobId job,
                                                                          bool include_deleted) {
  return readers_.With(
      [&](store::StateReader& reader) { return reader.ListCheckpoints(job, include_deleted); });
}

absl::StatusOr<std::vector<NodeView>> Runtime::ListNodes() {
  uint64_t version = 0;
  std::vector<NodeView> views;
  auto add = [&](const base::Shared<core::NodeRow>& row) {
    NodeView& view = views.emplace_back();
    view.row = row;
    view.live.id = row->id;
  };
  bool known = false;
  {
    std::lock_guard lock(nodes_mutex_);
    version = nodes_version_;
    known = nodes_.has_value();
    if (known) {
      views.reserve(nodes_->size());
      for (const auto& [id, row] : *nodes_) add(row);
    }
  }
  if (!known) {
    absl::StatusOr<std::vector<core::NodeRow>> rows =
        readers_.With([](store::StateReader& reader) { return reader.ListNodes(); });
    if (!rows.ok()) return rows.status();
    std::map<core::NodeId, base::Shared<core::NodeRow>> read;
    for (core::NodeRow& row : *rows) read.emplace(row.id, std::move(row));
    for (const auto& [id, row] : read) add(row);
    std::lock_guard lock(nodes_mutex_);
    if (version == nodes_version_) nodes_ = std::move(read);
  }
  board_.Fill(&views);
  const base::WallTime now = base::WallNow();
  for (NodeView& view : views) TellLate(*view.row, now, &view.live);
  core::TellSameNames(&views);
  return views;
}

QueuesView Runtime::ListQueues(const std::vector<NodeView>& nodes) {
  const core::SchedulingSettings& settings = options_.settings.scheduling;
  QueuesView view;
  view.policy = base::ToString(settings.policy);
  view.queues = board_.Queues();
  const core::QueueTree tree(settings);
  if (tree.Has(settings.default_queue)) view.default_queue = settings.default_queue;
  view.warnings = QueueWarnings(view.queues, nodes);
  return view;
}

absl::StatusOr<Explanation> Runtime::Explain(core::JobId id) {
  absl::StatusOr<JobView> job = GetJob(id);
  if (!job.ok()) return job.status();
  absl::StatusOr<std::vector<NodeView>> nodes = ListNodes();
  if (!nodes.ok()) return nodes.status();
  return runtime::Explain(*std::move(job), ListQueues(*nodes), *nodes,
                          options_.settings.scheduling);
}

std::string Runtime::NodeName(const core::NodeId& node) {
  if (node.empty()) return "";
  absl::StatusOr<std::string> name =
      readers_.With([&](store::StateReader& reader) { return reader.NodeName(node); });
  return name.ok() && !name->empty() ? *name : node.value;
}

absl::StatusOr<std::vector<core::EventRow>> Runtime::ListEvents(core::JobId job,
                                                                core::EventSeq cursor,
                                                                uint32_t limit) {
  return readers_.With(
      [&](store::StateReader& reader) { return reader.ListEvents(job, cursor, limit); });
}

absl::StatusOr<std::vector<core::EventRow>> Runtime::ListNewestEvents(core::JobId job,
                                                                      uint32_t limit) {
  return readers_.With(
      [&](store::StateReader& reader) { return reader.ListNewestEvents(job, limit); });
}

absl::StatusOr<std::vector<store::StoredPoint>> Runtime::ReadMetrics(
    const store::MetricQuery& query) {
  return metric_readers_.With([&](store::MetricReader& reader) { return reader.Read(query); });
}

absl::StatusOr<std::map<core::JobState, uint64_t>> Runtime::CountJobs() {
  return readers_.With([](store::StateReader& reader) { return reader.CountJobs(); });
}

std::unique_ptr<Subscription> Runtime::ReadLog(const LogRequest& request, LogCallback data) {
  absl::StatusOr<core::RankRow> rank = readers_.With([&](store::StateReader& reader) {
    absl::StatusOr<core::RankRow> row = reader.GetRank(request.key);
    if (!absl::IsNotFound(row.status())) return row;
    absl::StatusOr<store::JobRecord> job = reader.GetJob(request.key.job);
    return job.ok() ? row : absl::StatusOr<core::RankRow>(job.status());
  });
  if (!rank.ok()) {
    data(rank.status());
    return std::make_unique<Subscription>();
  }
  LogRequest exact = request;
  exact.key = rank->key;
  return logs_.Read(core::Term(term_), rank->node, exact, std::move(data));
}

void Runtime::SetAddresses(std::string api, std::string worker, std::string http) {
  std::lock_guard lock(status_mutex_);
  api_ = std::move(api);
  worker_ = std::move(worker);
  http_ = std::move(http);
}

void Runtime::SetWarning(const std::string& topic, const std::string& text) {
  std::lock_guard lock(status_mutex_);
  if (text.empty()) {
    warnings_.erase(topic);
  } else {
    warnings_[topic] = text;
  }
}

ServerStatus Runtime::Status() {
  ServerStatus s;
  s.version = base::kVersion;
  s.term = core::Term(term_);
  s.last_event = core::EventSeq(last_event_);
  s.started = started_;
  {
    std::lock_guard lock(status_mutex_);
    s.cluster = cluster_;
    s.writable = why_not_writable_.empty() && !stopping_;
    s.why_not = stopping_ ? "the coordinator is stopping" : why_not_writable_;
    s.ready = !stopping_;
    s.api_address = api_;
    s.worker_address = worker_;
    s.http_address = http_;
    for (const auto& [topic, text] : warnings_) s.warnings.push_back(text);
  }
  s.decided_events = decide_->counters().events;
  s.loop_queue = decide_->counters().queued;
  s.decide_seconds = static_cast<double>(decide_->counters().decide_us) / 1e6;
  s.last_loop_delay = base::Duration(decide_->counters().last_delay_us);
  s.commits = commit_->counters().commits;
  s.committed_changes = commit_->counters().changes;
  s.last_commit = base::Duration(commit_->counters().last_us);
  s.commit_seconds = static_cast<double>(commit_->counters().total_us) / 1e6;
  s.metric_points = metrics_->stored_points();
  s.dropped_points = metrics_->dropped_points();
  return s;
}

}  // namespace coxswain::coordinator::runtime
