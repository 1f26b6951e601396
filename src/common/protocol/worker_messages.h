// What the coordinator and a worker say to each other over the worker's one stream.
//
// The stream begins with WorkerHello; the coordinator answers Welcome or Rejected. Hello carries
// all the worker has; the coordinator acts on the difference to its tables. Every order carries the
// term; a worker refuses a term lower than the highest it has seen (which it keeps on disk). Orders
// are safe to repeat.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/protocol/trainer_messages.h"

namespace coxswain::protocol {

using base::Attempt;
using base::ClusterId;
using base::JobId;
using base::NodeId;
using base::TaskId;
using base::Term;
using base::WallTime;

// One process slot of a job on a worker. `attempt` makes it distinct from earlier tries.
struct RankKey {
  JobId job;
  Attempt attempt;
  Rank rank = 0;
  friend auto operator<=>(const RankKey&, const RankKey&) = default;
};

// How a process ended, from the shim's exit record.
struct ExitRecord {
  int code = 0;
  int signal = 0;  // 0: ended by exit(code)
  bool oom_killed = false;
  bool stopped_by_us = false;  // the signal was ours (StopRank)
  WallTime started, ended;
  int64_t user_us = 0, system_us = 0, peak_rss_bytes = 0;
  std::string last_log;  // last lines of stderr, else stdout, at most 4 KiB
  std::string note;      // "the program could not be started: ...", "exit record lost: shim killed"
  friend bool operator==(const ExitRecord&, const ExitRecord&) = default;
};

enum class RankState : uint8_t { kStarting, kReady, kRunning, kExited };
const char* ToString(RankState state);

struct GpuInfo {
  std::string uuid;
  std::string name;
  uint32_t index = 0;
  int64_t memory_bytes = 0;
  bool available = true;
  std::string why_not;  // "in use by pid 4711 (python3)", "Xid 79", "uncorrectable ECC errors: 3"
  friend bool operator==(const GpuInfo&, const GpuInfo&) = default;
};

struct Inventory {
  std::string name;     // host name or configured; for people
  std::string address;  // advertised data address, no port
  uint32_t cpu_slots = 0;
  int64_t memory_bytes = 0;
  std::vector<GpuInfo> gpus;  // ascending by index
  std::string gpu_note;       // why there are none: "libnvidia-ml.so.1 not found"
  std::map<std::string, std::string> labels;
  std::string version;
  std::string boot_id;
  std::vector<std::string> conditions;  // "disk 97 % full: /data" ...
  // Why it cannot be given work now, after "it is": "unable to write its data directory /data: No
  // space left on device"; empty: it can.
  std::string why_no_work;
  friend bool operator==(const Inventory&, const Inventory&) = default;
};

// What a worker has of one rank.
struct RankReport {
  RankKey key;
  Incarnation incarnation;  // of the trainer process
  RankState state = RankState::kStarting;
  int64_t pid = 0;
  std::optional<ExitRecord> exit;     // not yet acknowledged
  std::optional<TrainerReady> ready;  // its last, if it has sent one
  friend bool operator==(const RankReport& a, const RankReport& b) {
    return a.key == b.key && a.incarnation == b.incarnation && a.state == b.state;
  }
};

// ---- worker -> coordinator ----

struct WorkerHello {
  ClusterId cluster;  // empty: a new worker, takes the coordinator's
  NodeId node;
  Incarnation incarnation;  // of this worker process
  Term highest_term;
  uint32_t protocol_oldest = 0, protocol_newest = 0;
  Inventory inventory;
  std::vector<RankReport> ranks;
};
struct Heartbeat {
  std::optional<Inventory> changed_inventory;
};
struct RankStarted {
  RankKey key;
  Incarnation incarnation;
  int64_t pid = 0;
};
// Until acknowledged (AcknowledgeExit).
struct RankExited {
  RankKey key;
  Incarnation incarnation;
  ExitRecord exit;
};
struct FromTrainer {
  RankKey key;
  Incarnation incarnation;
  TrainerReport report;
};
// Points of one rank, in order. Acknowledged by AcknowledgeMetrics once they are committed.
struct MetricBatch {
  JobId job;
  uint64_t batch = 0;  // rises per worker and job, kept on disk with the buffer
  std::vector<MetricPoint> points;
  uint64_t dropped = 0;  // points thinned out before this batch because the buffer was full
};
// Answer to ReadLog: in order; the last one has `end`.
struct LogData {
  uint64_t request = 0;
  uint64_t offset = 0;  // of the first byte of `data`
  std::string data;
  bool end = false;   // no more will come
  bool eof = false;   // (without follow) end of file reached, or the rank has exited
  std::string error;  // "rotated away: the oldest byte kept is 1048576"
  uint64_t oldest_offset = 0;
};
struct TaskEnded {
  TaskId task;
  bool ok = false;
  std::string error;  // one clear line when not ok
  bool user_error =
      false;           // kCheck: the job's mistake; kVerify: proved corrupt; false: try again later
  std::string result;  // JSON, by kind of task (docs/architecture.md)
};
struct Leaving {};  // the worker shuts down on purpose; its ranks go on

using WorkerReport = std::variant<WorkerHello, Heartbeat, RankStarted, RankExited, FromTrainer,
                                  MetricBatch, LogData, TaskEnded, Leaving>;

// ---- coordinator -> worker ----

struct Welcome {
  ClusterId cluster;
  Term term;
  base::Duration lease{};
  std::string warning;  // one line for the worker's log; empty: nothing is amiss
};
struct Rejected {
  std::string reason;     // one line: what is wrong and what to do
  bool permanent = true;  // the worker exits with code 78 (EX_CONFIG); false: it tries again
};
struct StartRank {
  RankKey key;
  Incarnation
      incarnation;  // chosen by the coordinator, so that a repeated order starts one process
  std::string job_name;
  uint32_t world_size = 0;
  uint32_t local_rank = 0;  // index among the job's ranks on this node
  std::string spec_yaml;    // complete, unmasked
  std::vector<std::string> gpu_uuids;
  uint32_t cpus = 1;         // threads for this rank
  std::string state_prefix;  // "CLUSTER/j12": where below the store the job's objects go
  // For programs that share machines out by themselves, as torchrun's do. 0: not known.
  uint32_t local_world_size = 0;       // of the job's ranks on this node
  uint32_t node_rank = 0, nodes = 0;   // of the job's nodes, by their lowest rank
  std::vector<std::string> node_gpus;  // of all its ranks on this node, by local rank
};
// SIGTERM, then SIGKILL after `grace`. For a rank that the worker does not have: ignored.
struct StopRank {
  RankKey key;
  base::Duration grace{};
  std::string reason;
  bool jobs_grace = false;  // spec.grace of the rank's own job file instead, where it can be read
};
struct ToTrainer {
  RankKey key;
  Incarnation incarnation;
  TrainerOrder order;
};
struct AcknowledgeExit {
  RankKey key;
  Incarnation incarnation;
};
struct AcknowledgeMetrics {
  JobId job;
  uint64_t batch = 0;  // stored, with those before it; 0: could not be stored, send again
};
struct ReadLog {
  uint64_t request = 0;
  RankKey key;
  bool stderr_stream = false;
  uint64_t offset = 0;
  bool follow = false;
  uint32_t tail_lines = 0;  // 0: from offset
  bool cancel = false;      // stop answering `request`
};
enum class TaskKind : uint8_t { kCheck, kVerify, kCollect };
const char* ToString(TaskKind kind);
struct StartTask {
  TaskId task;
  TaskKind kind = TaskKind::kCheck;
  std::string argument;   // JSON, by kind: kCheck {spec_yaml, multi_node}; kVerify {uri,
                          // manifest_hash}; kCollect {uris}
  std::string spec_yaml;  // of the job whose store it is
};
// The job has ended and its record is on disk: its folder may go after the retention time.
struct ForgetJob {
  JobId job;
};

using WorkerOrder = std::variant<Welcome, Rejected, StartRank, StopRank, ToTrainer, AcknowledgeExit,
                                 AcknowledgeMetrics, ReadLog, StartTask, ForgetJob>;

}  // namespace coxswain::protocol
