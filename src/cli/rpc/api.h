// What a coordinator says, as plain values. Fields mean what proto/coxswain/v1/coxswain.proto says;
// states are its names without prefix ("COMPLETED", "VERIFIED"). Times are microseconds since the
// Unix epoch. `json` is the whole answer as JSON, in protobuf's own
// mapping, where ClientOptions asks for it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace coxswain::cli::rpc {

struct ExitInfo {
  bool ended = false;
  int code = 0;
  int signal = 0;
  uint32_t rank = 0;
  std::string node;
  std::string last_log;
};

enum class Cause {
  kNone,
  kUser,
  kInfrastructure,
  kOutOfMemory,
  kTimeLimit,
  kCancelled,
  kPreempted,
  kResized
};

struct Progress {
  int64_t epoch = 0;  // 1-based
  int64_t epochs = 0;
  int64_t step = 0;
  int64_t total_steps = 0;
  int64_t position = 0;
  std::optional<double> loss;  // none reported yet: nothing
  double samples_per_second = 0;
  int64_t remaining_ms = -1;
  bool has_eval = false;
  double eval_accuracy = 0;
  std::optional<double> eval_loss = std::nullopt;  // none: it tells none
  int64_t global_batch = 0;                        // samples per step; 0: not known
  double gradient_noise = 0;                       // in samples; 0: not known
};

struct RankStatus {
  uint32_t rank = 0;
  std::string node;
  std::string state;
  int64_t pid = 0;
  int64_t step = 0;
  std::string phase;
  std::vector<std::string> gpu_uuids;
  bool reachable = false;
  ExitInfo exit;
};

struct Attempt {
  uint32_t number = 0;
  int64_t started_us = 0;
  int64_t ended_us = 0;
  Cause cause = Cause::kNone;
  std::string reason;
  ExitInfo exit;
  std::string resumed_from;
  int64_t resumed_position = 0;
  std::string kind;  // "LOST_PEER"; empty: nothing went wrong
  uint32_t workers = 0;
};

struct StepTime {
  uint32_t nodes = 0, workers = 0;
  int64_t global_batch = 0;
  double seconds = 0;
};

struct Checkpoint {
  std::string id;
  std::string state;
  int64_t step = 0;
  int64_t position = 0;
  uint64_t generation = 0;
  std::string uri;
  int64_t bytes = 0;
  uint32_t shards = 0;
  int64_t opened_us = 0;
  int64_t committed_us = 0;
  int64_t verified_us = 0;
  std::string reason;
  bool final = false;
  bool best = false;  // when it was saved, by an evaluation, which is `metric`
  double metric = 0;
};

struct Job {
  std::string id;
  std::string name;
  std::string state = "UNSPECIFIED";
  std::string reason;
  Cause cause = Cause::kNone;
  int64_t submitted_us = 0;
  int64_t started_us = 0;
  int64_t ended_us = 0;
  uint32_t workers = 0;
  uint32_t attempt = 0;
  uint32_t max_attempts = 0;
  uint64_t generation = 0;
  std::map<std::string, std::string> labels;
  std::string spec_yaml;
  bool has_progress = false;
  Progress progress;
  std::vector<RankStatus> ranks;
  std::vector<Attempt> attempts;
  ExitInfo exit;
  std::string model_uri;
  bool has_checkpoint = false;
  Checkpoint last_checkpoint;
  bool has_best = false;
  Checkpoint best_checkpoint;  // by its evaluations
  std::string submitted_by;
  std::string queue;  // empty: the default one
  bool own_program = false;
  int32_t priority = 0;
  uint32_t preemptions = 0;
  uint32_t min_workers = 0, max_workers = 0;
  uint32_t workers_now = 0;  // that hold slots
  int64_t min_global_batch = 0, max_global_batch = 0;
  std::string batch_reason;
  uint32_t resizes = 0;
  uint32_t failed_attempts = 0;
  std::string failure_kind;  // as Attempt.kind
  std::vector<StepTime> step_times;
  int64_t expected_start_us = 0;  // while it waits; 0: not known
  int64_t expected_end_us = 0;    // while it holds slots; 0: not known
  std::vector<std::string> conditions;
  uint64_t metric_points_dropped = 0;
  int64_t metric_points_dropped_us = 0;  // when the last of them were; 0: none
  std::string json;
};

// True for states that a job never leaves.
bool HasEnded(const Job& job);
const char* ToString(Cause cause);  // "USER"; "" for kNone

struct Event {
  uint64_t cursor = 0;
  int64_t time_us = 0;
  std::string job;
  std::string node;
  std::string kind;
  std::string text;
  std::string severity;
  std::string json;
};

struct MetricPoint {
  std::string name;
  int32_t rank = -1;
  int64_t step = 0;
  double value = 0;
  int64_t time_us = 0;
  uint64_t generation = 0;
  bool repeated_by_later = false;
  std::string json;
};

struct LogChunk {
  uint32_t rank = 0;
  bool is_stderr = false;
  uint32_t attempt = 0;
  std::string data;
  std::string note;
};

struct Gpu {
  uint32_t index = 0;
  std::string uuid;
  std::string name;
  int64_t memory_bytes = 0;
  bool available = false;
  std::string why_not;
  std::string job;
};

struct Node {
  std::string id;
  std::string name;
  std::string state;
  std::string reason;
  std::string address;
  uint32_t cpu_slots = 0;
  uint32_t cpu_slots_free = 0;
  std::vector<Gpu> gpus;
  int64_t memory_bytes = 0;
  std::string version;
  int64_t last_heartbeat_us = 0;
  std::vector<std::string> jobs;
  std::map<std::string, std::string> labels;
  std::vector<std::string> conditions;
  int64_t drain_by_us = 0;  // 0: none
  bool cordoned = false;
  std::string gpu_note;  // why there are no GPUs
};

// CPU slots and GPUs; of a bound, -1: not bounded.
struct Slots {
  int64_t cpus = 0, gpus = 0;
};
struct QueueUser {
  std::string name;
  Slots held;
  uint32_t running = 0;
  double share_used = 0;  // 0 to 1
};
struct Queue {
  std::string name, parent;
  Slots quota, limit, user_limit, held;
  int64_t user_jobs = -1;  // -1: not bounded
  uint32_t running = 0, pending = 0;
  int64_t weight = 1;
  double used_slot_hours = 0;  // decayed
  double fair_slot_hours = 0;  // with what it holds for an hour more, by weight
  std::vector<QueueUser> users;
};
struct Queues {
  std::string policy;
  std::string default_queue;
  std::vector<Queue> queues;
  std::vector<std::string> warnings;
  std::string json;
};

struct NodeRoom {
  Node node;
  bool used = false;
  uint32_t ranks = 0;
  std::string why_not;
};
struct NodesAlike {
  std::string why_not;
  uint32_t count = 0;
  std::vector<std::string> names;  // the first of them
};
struct Drained {
  Node node;
  std::vector<std::string> warnings;
};
struct Explanation {
  Job job;
  std::vector<std::string> reasons;
  int64_t since_us = 0;
  int64_t expected_end_us = 0;
  std::vector<std::string> let_go;
  std::vector<Queue> queues;
  std::vector<NodeRoom> nodes;
  uint32_t nodes_in_all = 0;
  std::vector<NodesAlike> no_room;
  std::vector<std::string> warnings;
  std::string json;
};

struct ServerInfo {
  std::string version;
  std::string cluster_id;
  uint64_t term = 0;
  bool writable = false;
  std::string why_not_writable;
  std::string http_address;
  std::string worker_address;
  int64_t started_us = 0;
  std::vector<std::string> warnings;
  std::string json;
};

// A list and its JSON: {"jobs": [...]}.
template <class T>
struct Listed {
  std::vector<T> items;
  std::string json;
  std::vector<std::string> warnings = {};  // of the nodes as a whole
};

}  // namespace coxswain::cli::rpc
