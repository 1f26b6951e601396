// What the coordinator offers to its edges (rpc/ and http/), in plain C++. Thread-safe: any thread
// may call any method; callbacks come on threads of the runtime and must not block.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/code/code_store.h"
#include "common/config/job_parser.h"
#include "coordinator/core/decisions.h"
#include "coordinator/core/node_view.h"
#include "coordinator/store/metric_store.h"
#include "coordinator/store/state_store.h"

namespace coxswain::coordinator::runtime {

// A job as people see it: committed rows, and the soft part laid over them.
struct JobView {
  store::JobRecord record;
  // Of a final job only the last known progress. The condition that metric points were left out is
  // added by GetJob only.
  core::LiveJob live;
  std::string masked_yaml;       // filled by GetJob only
  store::DroppedPoints dropped;  // filled by GetJob only
};
using core::NodeView;
struct DrainResult {
  NodeView node;
  std::vector<std::string> warnings;  // jobs that cannot leave it, and why
};

struct QueuesView {
  std::string policy;                   // "fifo" ...
  std::string default_queue;            // of jobs that name none; empty: they have to name one
  std::vector<core::LiveQueue> queues;  // as configured
  std::vector<std::string> warnings;
};

// What a node has for a job.
struct NodeRoom {
  NodeView node;
  bool used = false;    // ranks of the job are there
  uint32_t ranks = 0;   // of a job that waits: as many as there is room for now, at most all
  std::string why_not;  // of none
};
// Nodes that have no room for it, for the same reason.
struct NodesAlike {
  std::string why_not;
  uint32_t count = 0;
  std::vector<std::string> names;  // the first of them
};
// Why a job is as it is.
struct Explanation {
  JobView job;
  base::WallTime since;                 // it waits, starts or runs; of an ended one: the end
  std::vector<std::string> reasons;     // the parts of its reason
  std::vector<std::string> let_go;      // what may take its slots, and what happens then
  std::vector<core::LiveQueue> queues;  // its own, then those above
  std::vector<NodeRoom> nodes;          // where it is; of one that waits: all, the roomiest first
  std::vector<NodesAlike> no_room;      // of one that waits: those without, the most first
  std::vector<std::string> warnings;
};

struct SubmitRequest {
  std::string spec_yaml;
  std::string spec_name;
  std::vector<std::string> overrides;
  std::string idempotency_key;
  bool dry_run = false;
  std::string resume_from;
  bool allow_uncommitted = false;
  std::string submitted_by;
};
struct SubmitResult {
  JobView job;
  bool already_existed = false;
  std::vector<std::string> warnings;
};
// `mistakes` is filled for InvalidArgument of a wrong job file.
using SubmitCallback =
    std::function<void(absl::StatusOr<SubmitResult>, std::vector<config::Mistake> mistakes)>;

struct ServerStatus {
  std::string version;
  core::ClusterId cluster;
  core::Term term;
  bool writable = true;
  bool ready = false;   // store loaded, serving
  std::string why_not;  // of !writable or !ready
  std::string api_address, worker_address, http_address;
  base::WallTime started;
  std::vector<std::string> warnings;
  core::EventSeq last_event;  // the newest one committed
  // Counters since start, for /metrics.
  uint64_t decided_events = 0, commits = 0, committed_changes = 0, metric_points = 0;
  uint64_t dropped_points = 0;   // metric points left out, by full buffers or a full disk
  uint64_t loop_queue = 0;       // events waiting now
  base::Duration last_commit{};  // time of the last commit
  base::Duration last_loop_delay{};
  double decide_seconds = 0, commit_seconds = 0;  // totals
};

// Told when something committed (or soft) changed; then the watcher reads again. Coalesced: at most
// one call is outstanding per subscription.
class Subscription {
 public:
  virtual ~Subscription() = default;  // no call after the destructor returns
};

struct LogRequest {
  protocol::RankKey key;
  bool stderr_stream = false;
  uint64_t offset = 0;
  uint32_t tail_lines = 0;
  bool follow = false;
};
// Called in order; after `end` or an error never again.
using LogCallback = std::function<void(absl::StatusOr<protocol::LogData>)>;

class Api {
 public:
  virtual ~Api() = default;

  // Parses, checks (also the data and store, on a worker) and accepts. Errors as in the proto's
  // comment.
  virtual void Submit(SubmitRequest request, SubmitCallback done) = 0;
  // Code that jobs may then name; as CodeStore::Add. Blocks for the disk.
  virtual absl::StatusOr<uint64_t> AddCode(const std::string& id, uint64_t total_bytes,
                                           uint64_t offset, std::string_view data) = 0;
  virtual void Cancel(core::JobId job, std::string reason, bool save,
                      std::function<void(absl::StatusOr<JobView>)> done) = 0;
  // `by`: its jobs are to be gone by then; 0: they go on.
  virtual void Drain(core::NodeId node, std::string reason, bool undo, core::WallTime by,
                     std::function<void(absl::StatusOr<DrainResult>)> done) = 0;
  // Answers with the node as it was.
  virtual void Forget(core::NodeId node, std::function<void(absl::StatusOr<NodeView>)> done) = 0;

  // Reads see committed state only. They may block for a few milliseconds (SQL).
  virtual absl::StatusOr<core::JobId> ResolveJob(
      const std::string& id_or_name) = 0;  // NotFound, with hint
  virtual absl::StatusOr<JobView> GetJob(core::JobId job) = 0;
  virtual absl::StatusOr<std::vector<JobView>> ListJobs(const store::JobFilter& filter) = 0;
  virtual absl::StatusOr<std::vector<core::CheckpointRow>> ListCheckpoints(
      core::JobId job, bool include_deleted) = 0;
  virtual absl::StatusOr<std::vector<NodeView>> ListNodes() = 0;
  // What people call the node; its id when it is not known (any more).
  virtual std::string NodeName(const core::NodeId& node) = 0;
  virtual absl::StatusOr<std::vector<core::EventRow>> ListEvents(core::JobId job,
                                                                 core::EventSeq cursor,
                                                                 uint32_t limit) = 0;
  // The last `limit` of them, ascending.
  virtual absl::StatusOr<std::vector<core::EventRow>> ListNewestEvents(core::JobId job,
                                                                       uint32_t limit) = 0;
  virtual absl::StatusOr<std::vector<store::StoredPoint>> ReadMetrics(
      const store::MetricQuery& query) = 0;
  // Calls back when ReadMetrics finds the points that have come by now, or those that could not be
  // stored have been asked for again. At once, or from another thread.
  virtual void AfterMetrics(std::function<void()> stored) = 0;
  virtual absl::StatusOr<std::map<core::JobState, uint64_t>> CountJobs() = 0;
  // `nodes`, as ListNodes told them: what they have is held against the quotas.
  virtual QueuesView ListQueues(const std::vector<NodeView>& nodes) = 0;
  QueuesView ListQueues() { return ListQueues(ListNodes().value_or(std::vector<NodeView>())); }
  virtual absl::StatusOr<Explanation> Explain(core::JobId job) = 0;
  virtual ServerStatus Status() = 0;

  // job 0: every job, node and event. `changed` is also called when only progress or metrics moved.
  virtual std::unique_ptr<Subscription> Subscribe(core::JobId job,
                                                  std::function<void()> changed) = 0;
  // NotFound, Unavailable (the worker is unreachable) come through the callback. Destroying the
  // Subscription ends it.
  virtual std::unique_ptr<Subscription> ReadLog(const LogRequest& request, LogCallback data) = 0;
};

// One worker's stream, as the runtime sees it. Implemented by rpc/.
class WorkerSession {
 public:
  virtual ~WorkerSession() = default;
  virtual void Send(core::Term term, const protocol::WorkerOrder& order) = 0;  // never blocks
  virtual void Close() = 0;  // after what was sent has left
};

// A sign of life or of progress: worth the same a few milliseconds later, with others of its kind.
inline bool CanWait(const protocol::WorkerReport& report) {
  if (const auto* beat = std::get_if<protocol::Heartbeat>(&report)) {
    return !beat->changed_inventory;
  }
  const auto* told = std::get_if<protocol::FromTrainer>(&report);
  return told != nullptr && std::holds_alternative<protocol::TrainerProgress>(told->report);
}

// The way in for workers' streams.
class WorkerGateway {
 public:
  virtual ~WorkerGateway() = default;
  // `hello` came first on the stream. The session lives until Disconnected has been called.
  virtual core::SessionId Connected(std::shared_ptr<WorkerSession> session,
                                    protocol::WorkerHello hello) = 0;
  // Any report but hello. Returns at once.
  virtual void Reported(core::SessionId session, protocol::WorkerReport report) = 0;
  virtual void Disconnected(core::SessionId session, std::string reason) = 0;
  // At most `most` bytes of code that a job names; as CodeStore::Read. Blocks for the disk.
  virtual absl::StatusOr<code::CodePart> ReadCode(const std::string& id, uint64_t offset,
                                                  size_t most) = 0;
};

}  // namespace coxswain::coordinator::runtime
