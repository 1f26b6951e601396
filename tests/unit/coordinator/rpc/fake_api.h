// runtime::Api over plain memory, driven by the test. Thread-safe.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::rpc {

class FakeApi final : public runtime::Api {
 public:
  // ---- what the test sets ----
  runtime::Explanation explanation;
  std::function<void()> before_metrics;  // when somebody waits for those that have come
  void PutJob(runtime::JobView job) {
    std::lock_guard lock(mutex_);
    jobs_[job.record.job.id] = std::move(job);
  }
  void AddEvent(core::JobId job, const std::string& kind) {
    std::lock_guard lock(mutex_);
    core::EventRow row;
    row.seq = core::EventSeq(events_.size() + 1);
    row.job = job;
    row.kind = kind;
    events_.push_back(row);
  }
  void AddPoint(core::JobId job, int64_t step) {
    std::lock_guard lock(mutex_);
    store::StoredPoint point;
    point.point.name = "loss";
    point.point.step = step;
    point.cursor = points_.size() + 1;
    points_.emplace_back(job, point);
  }
  void AddNode(const std::string& id, const std::string& name) {
    std::lock_guard lock(mutex_);
    runtime::NodeView node;
    node.row.Edit().id = core::NodeId(id);
    node.row.Edit().name = name;
    nodes_.push_back(node);
  }
  void NotifyAll() {
    std::lock_guard lock(watching_);
    for (Watch* watch : watches_) watch->changed();
  }
  // As a worker would: all of `text` from the offset, then the end.
  void PutLog(core::Rank rank, bool err, std::string text) {
    std::lock_guard lock(mutex_);
    logs_[{rank, err}] = std::move(text);
  }
  void FailLogs(absl::Status status) {
    std::lock_guard lock(mutex_);
    log_error_ = status;
  }
  size_t watchers() {
    std::lock_guard lock(watching_);
    return watches_.size();
  }
  std::vector<runtime::SubmitRequest> submitted() {
    std::lock_guard lock(mutex_);
    return submitted_;
  }
  absl::Status submit_status;  // of Submit
  std::vector<config::Mistake> mistakes;
  bool hold_submits = false;  // never answer
  std::atomic<int> name_reads = 0;

  // ---- Api ----
  void Submit(runtime::SubmitRequest request, runtime::SubmitCallback done) override {
    {
      std::lock_guard lock(mutex_);
      submitted_.push_back(request);
      if (hold_submits) return held_.push_back(std::move(done));
    }
    if (!submit_status.ok()) return done(submit_status, mistakes);
    runtime::SubmitResult result;
    result.job.record.job.id = core::JobId(1);
    result.job.record.job.state = core::JobState::kPending;
    result.job.record.job.submitted_by = request.submitted_by;
    done(result, {});
  }
  absl::StatusOr<uint64_t> AddCode(const std::string&, uint64_t, uint64_t offset,
                                   std::string_view data) override {
    return offset + data.size();
  }
  void Cancel(core::JobId job, std::string reason, bool,
              std::function<void(absl::StatusOr<runtime::JobView>)> done) override {
    absl::StatusOr<runtime::JobView> view = GetJob(job);
    if (view.ok()) view->record.job.reason = reason;
    done(view);
  }
  void Drain(core::NodeId node, std::string reason, bool undo, core::WallTime by,
             std::function<void(absl::StatusOr<runtime::DrainResult>)> done) override {
    runtime::DrainResult result{{}, {"j1 (train) can go on there only"}};
    runtime::NodeView& view = result.node;
    view.row.Edit().id = node;
    view.row.Edit().draining = !undo;
    view.row.Edit().drain_reason = reason;
    view.row.Edit().drain_by = by;
    view.live.reachable = true;
    done(result);
  }
  // Nodes are connected, unless their name begins with "old".
  void Forget(core::NodeId node,
              std::function<void(absl::StatusOr<runtime::NodeView>)> done) override {
    runtime::NodeView view;
    view.row.Edit().id = node;
    view.row.Edit().name = NodeName(node);
    if (view.row.Edit().name.starts_with("old")) return done(view);
    done(absl::FailedPreconditionError("node " + view.row->name + " is connected"));
  }
  absl::StatusOr<core::JobId> ResolveJob(const std::string& id_or_name) override {
    std::optional<core::JobId> id = base::ParseJobId(id_or_name);
    std::lock_guard lock(mutex_);
    if (id && jobs_.contains(*id)) return *id;
    return absl::NotFoundError("no job '" + id_or_name + "'");
  }
  absl::StatusOr<runtime::JobView> GetJob(core::JobId job) override {
    std::lock_guard lock(mutex_);
    auto it = jobs_.find(job);
    if (it == jobs_.end()) return absl::NotFoundError("no such job");
    return it->second;
  }
  absl::StatusOr<std::vector<runtime::JobView>> ListJobs(const store::JobFilter& filter) override {
    std::lock_guard lock(mutex_);
    std::vector<runtime::JobView> out;
    for (auto it = jobs_.rbegin(); it != jobs_.rend() && out.size() < filter.limit; ++it) {
      if (!filter.before || it->first < filter.before) out.push_back(it->second);
    }
    return out;
  }
  absl::StatusOr<std::vector<core::CheckpointRow>> ListCheckpoints(core::JobId job, bool) override {
    core::CheckpointRow row;
    row.id = core::CheckpointId(9);
    row.job = job;
    row.state = core::CheckpointState::kVerified;
    return std::vector{row};
  }
  runtime::QueuesView ListQueues(const std::vector<runtime::NodeView>&) override { return queues; }
  absl::StatusOr<runtime::Explanation> Explain(core::JobId) override { return explanation; }
  absl::StatusOr<std::vector<runtime::NodeView>> ListNodes() override {
    std::lock_guard lock(mutex_);
    return nodes_;
  }
  std::string NodeName(const core::NodeId& node) override {
    ++name_reads;
    std::lock_guard lock(mutex_);
    for (const runtime::NodeView& view : nodes_) {
      if (view.row->id == node) return view.row->name;
    }
    return node.value;
  }
  absl::StatusOr<std::vector<core::EventRow>> ListEvents(core::JobId job, core::EventSeq cursor,
                                                         uint32_t limit) override {
    std::lock_guard lock(mutex_);
    std::vector<core::EventRow> out;
    for (const core::EventRow& row : events_) {
      if (row.seq > cursor && (!job || row.job == job) && out.size() < limit) out.push_back(row);
    }
    return out;
  }
  absl::StatusOr<std::vector<core::EventRow>> ListNewestEvents(core::JobId, uint32_t) override {
    return absl::UnimplementedError("of the pages");
  }
  absl::StatusOr<std::vector<store::StoredPoint>> ReadMetrics(
      const store::MetricQuery& query) override {
    std::lock_guard lock(mutex_);
    std::vector<store::StoredPoint> out;
    for (const auto& [job, point] : points_) {
      if (job == query.job && point.cursor > query.after_cursor && out.size() < query.limit) {
        out.push_back(point);
      }
    }
    return out;
  }
  void AfterMetrics(std::function<void()> stored) override {
    if (before_metrics) before_metrics();
    stored();
  }
  absl::StatusOr<std::map<core::JobState, uint64_t>> CountJobs() override {
    return std::map<core::JobState, uint64_t>();
  }
  runtime::ServerStatus Status() override {
    runtime::ServerStatus status;
    status.version = "7";
    return status;
  }
  std::unique_ptr<runtime::Subscription> Subscribe(core::JobId,
                                                   std::function<void()> changed) override {
    return std::make_unique<Watch>(this, std::move(changed));
  }
  std::unique_ptr<runtime::Subscription> ReadLog(const runtime::LogRequest& request,
                                                 runtime::LogCallback data) override {
    std::string text;
    absl::Status error;
    {
      std::lock_guard lock(mutex_);
      text = logs_[{request.key.rank, request.stderr_stream}];
      error = log_error_;
    }
    if (!error.ok()) {
      data(error);
      return std::make_unique<runtime::Subscription>();
    }
    const size_t piece = 100'000;
    for (size_t at = request.offset; at < text.size(); at += piece) {
      protocol::LogData part;
      part.offset = at;
      part.data = text.substr(at, piece);
      data(part);
    }
    protocol::LogData end;
    end.offset = text.size();
    end.end = true;
    data(end);
    return std::make_unique<runtime::Subscription>();
  }

 private:
  struct Watch : runtime::Subscription {
    Watch(FakeApi* api, std::function<void()> changed) : api(api), changed(std::move(changed)) {
      std::lock_guard lock(api->watching_);
      api->watches_.insert(this);
    }
    ~Watch() override {
      std::lock_guard lock(api->watching_);
      api->watches_.erase(this);
    }
    FakeApi* const api;
    const std::function<void()> changed;
  };

  std::mutex watching_;
  std::set<Watch*> watches_;  // guarded by watching_
  std::mutex mutex_;
  std::map<core::JobId, runtime::JobView> jobs_;  // guarded by mutex_, as is all below
  std::vector<core::EventRow> events_;
  std::vector<std::pair<core::JobId, store::StoredPoint>> points_;
  std::vector<runtime::NodeView> nodes_;
  runtime::QueuesView queues;
  std::map<std::pair<core::Rank, bool>, std::string> logs_;
  absl::Status log_error_;
  std::vector<runtime::SubmitRequest> submitted_;
  std::vector<runtime::SubmitCallback> held_;
};

}  // namespace coxswain::coordinator::rpc
