// The coordinator's shell: the threads around the core, and the doors for rpc/ and http/. What may
// be seen outside (orders, answers, views, notifications) leaves only after the commit that holds
// it.
//
// Threads: decide (core), commit (state), metrics, tasks (answers, notifications), housekeeping.
// Calls of Api and WorkerGateway come on the threads of rpc/ and http/.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "coordinator/runtime/api.h"
#include "coordinator/runtime/call_table.h"
#include "coordinator/runtime/commit_loop.h"
#include "coordinator/runtime/decide_loop.h"
#include "coordinator/runtime/live_board.h"
#include "coordinator/runtime/log_relay.h"
#include "coordinator/runtime/metric_loop.h"
#include "coordinator/runtime/reader_pool.h"
#include "coordinator/runtime/session_table.h"
#include "coordinator/runtime/submission.h"
#include "coordinator/runtime/task_loop.h"
#include "coordinator/runtime/watch_table.h"

namespace coxswain::coordinator::runtime {

struct Options {
  core::Settings settings;
  store::RetentionLimits retention;
  store::MetricLimits metric_retention;
  std::string data_dir;          // its disk is watched, code is kept in it; empty: neither
  uint64_t recording_bytes = 0;  // of data_dir/recording; 0: nothing is recorded
  base::Duration housekeeping = base::seconds(30);
  base::Duration retry_store = base::milliseconds(250);  // first pause after a refused commit
  base::Duration metric_pause = base::milliseconds(100);
  // Called on an fsync error, on the commit thread; the default writes one line and ends the
  // process with base::kDaemonDisk.
  std::function<void(const absl::Status&)> on_fatal;
  size_t readers = 4;
};

class Runtime : public Api, public WorkerGateway {
 public:
  // Raises the term durably (making the cluster id at the very first start), then begins to decide.
  static absl::StatusOr<std::unique_ptr<Runtime>> Start(
      Options options, std::unique_ptr<store::StateStore> state,
      std::unique_ptr<store::MetricStore> metrics);
  ~Runtime() override;

  // Answers every waiting call with Unavailable, commits what was decided, closes the workers'
  // streams. Nothing is taken in after it. Repeating it is harmless.
  void Stop();

  // What Status() tells of the edges.
  void SetAddresses(std::string api, std::string worker, std::string http);
  // One warning per `topic`; an empty text takes it back.
  void SetWarning(const std::string& topic, const std::string& text);

  void Submit(SubmitRequest request, SubmitCallback done) override;
  absl::StatusOr<uint64_t> AddCode(const std::string& id, uint64_t total_bytes, uint64_t offset,
                                   std::string_view data) override;
  void Cancel(core::JobId job, std::string reason, bool save,
              std::function<void(absl::StatusOr<JobView>)> done) override;
  void Forget(core::NodeId node, std::function<void(absl::StatusOr<NodeView>)> done) override;
  void Drain(core::NodeId node, std::string reason, bool undo, core::WallTime by,
             std::function<void(absl::StatusOr<DrainResult>)> done) override;
  absl::StatusOr<core::JobId> ResolveJob(const std::string& id_or_name) override;
  absl::StatusOr<JobView> GetJob(core::JobId job) override;
  absl::StatusOr<std::vector<JobView>> ListJobs(const store::JobFilter& filter) override;
  absl::StatusOr<std::vector<core::CheckpointRow>> ListCheckpoints(core::JobId job,
                                                                   bool include_deleted) override;
  absl::StatusOr<std::vector<NodeView>> ListNodes() override;
  using Api::ListQueues;
  QueuesView ListQueues(const std::vector<NodeView>& nodes) override;
  absl::StatusOr<Explanation> Explain(core::JobId job) override;
  std::string NodeName(const core::NodeId& node) override;
  absl::StatusOr<std::vector<core::EventRow>> ListEvents(core::JobId job, core::EventSeq cursor,
                                                         uint32_t limit) override;
  absl::StatusOr<std::vector<core::EventRow>> ListNewestEvents(core::JobId job,
                                                               uint32_t limit) override;
  absl::StatusOr<std::vector<store::StoredPoint>> ReadMetrics(
      const store::MetricQuery& query) override;
  void AfterMetrics(std::function<void()> stored) override { metrics_->Then(std::move(stored)); }
  absl::StatusOr<std::map<core::JobState, uint64_t>> CountJobs() override;
  ServerStatus Status() override;
  std::unique_ptr<Subscription> Subscribe(core::JobId job, std::function<void()> changed) override;
  std::unique_ptr<Subscription> ReadLog(const LogRequest& request, LogCallback data) override;

  core::SessionId Connected(std::shared_ptr<WorkerSession> session,
                            protocol::WorkerHello hello) override;
  void Reported(core::SessionId session, protocol::WorkerReport report) override;
  void Disconnected(core::SessionId session, std::string reason) override;
  absl::StatusOr<code::CodePart> ReadCode(const std::string& id, uint64_t offset,
                                          size_t most) override;

 private:
  Runtime(Options options, std::unique_ptr<store::StateStore> state,
          std::unique_ptr<store::MetricStore> metrics, core::Snapshot snapshot);
  CommitLoop::Hooks CommitHooks();
  MetricLoop::Hooks MetricHooks();
  std::unique_ptr<record::Recorder> MakeRecorder();

  // After a commit, on the commit thread.
  void Release(Outbox outbox);
  void Send(const core::Action& action);
  void Answer(const core::Reply& reply);
  void OnStoreFailed(const absl::Status& why);
  void OnStoreRecovered(core::Snapshot snapshot);
  void FailAllCalls(const absl::Status& why);

  // Posts an event that a call waits for.
  void PostCall(core::CallId call, core::EventBody event);
  void AnswerSubmit(const SubmitCallback& done, const core::Reply& reply, const Submission& draft);
  absl::StatusOr<NodeView> FindNode(const core::NodeId& id_or_name);
  void KeepNodes(const std::vector<core::Change>& committed);

  void KeepHouse();
  void WatchDisk();
  void WatchQueues();
  void FindExpired();
  void RemoveOldCode();

  const Options options_;
  code::CodeStore code_;
  const base::WallTime started_;
  TaskLoop tasks_;
  SessionTable sessions_;
  CallTable calls_;
  LiveBoard board_;
  WatchTable watchers_{&tasks_};
  LogRelay logs_{&sessions_};
  std::atomic<uint64_t> term_, last_event_;
  // All nodes' rows as ListNodes read them last: their inventories take long to read.
  std::mutex nodes_mutex_;
  // Guarded by nodes_mutex_. As committed; unset: to be read anew.
  std::optional<std::map<core::NodeId, base::Shared<core::NodeRow>>> nodes_;
  uint64_t nodes_version_ = 0;  // rises with each commit of a node

  std::mutex status_mutex_;
  core::ClusterId cluster_;                      // guarded by status_mutex_
  std::string api_, worker_, http_;              // guarded by status_mutex_
  std::string why_not_writable_;                 // guarded by status_mutex_; empty: writable
  bool stopping_ = false;                        // guarded by status_mutex_
  std::map<std::string, std::string> warnings_;  // guarded by status_mutex_

  bool disk_was_low_ = false;                // the housekeeping thread's own
  std::vector<std::string> said_of_queues_;  // likewise
  base::Time look_at_code_{};                // likewise; when the next time is
  // Below: threads, in the order of what flows through them.
  std::unique_ptr<CommitLoop> commit_;
  std::unique_ptr<record::Recorder> recorder_;  // null: nothing is recorded
  std::unique_ptr<DecideLoop> decide_;
  std::unique_ptr<MetricLoop> metrics_;
  WorkQueue<int> housekeeping_;  // closed at the end
  std::thread housekeeper_;
  // After the stores' owners, so that the readers' connections are closed first.
  ReaderPool<store::StateReader> readers_;
  ReaderPool<store::MetricReader> metric_readers_;
};

}  // namespace coxswain::coordinator::runtime
