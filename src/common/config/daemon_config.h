// The settings of the two daemons: `coordinator.yaml`, `worker.yaml` and the flags over them. Every
// key is also a flag: `lease` is --lease, `rank_logs.file_size` is --rank-logs.file-size; a flag
// wins over the file. configs/*.yaml are the shipped files with every key and its default; defaults
// stand here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/policy_name.h"
#include "common/base/time.h"
#include "common/config/mistake.h"

namespace coxswain::config {

// What is kept of one kind, and for how long: whichever limit is reached first removes the oldest.
struct KeepRows {
  base::Duration age = std::chrono::hours(90 * 24);
  int64_t most = 0;  // rows
};
struct KeepBytes {
  base::Duration age = std::chrono::hours(90 * 24);
  int64_t size = 0;
};

// scheduling.queues.NAME: docs/howto/queues.md. CPU slots and GPUs; what is not set is not bounded.
struct SlotBound {
  std::optional<int64_t> cpus, gpus;
};
struct QueueConfig {
  std::string parent;                     // the queue that it is a part of; empty: none
  SlotBound quota{.cpus = 0, .gpus = 0};  // guaranteed; what is idle of it is lent
  SlotBound limit;                        // never more, with what is borrowed
  SlotBound user_limit;                   // one user's jobs together
  std::optional<int64_t> user_jobs;       // user_limit.jobs: of one user, running at a time
  int64_t weight = 1;                     // of its fair share, against the others of its parent
};

// scheduling:
struct SchedulingConfig {
  std::string rack_label = "rack";
  base::PolicyName policy = base::PolicyName::kFifo;
  bool backfill = true;
  base::Duration half_life = std::chrono::hours(7 * 24);  // fair: of what was used
  int64_t slots_per_gpu = 8;                              // fair: a GPU counts as so many
  base::Duration las_threshold = std::chrono::hours(10);  // las: of time on one GPU
  base::Duration resize_after = base::seconds(180);       // of jobs with a range of workers
  base::Duration replan = base::seconds(60);
  uint32_t cordon_after = 3;  // jobs that failed on a node within an hour; 0: never
  std::string default_queue = "default";
  std::map<std::string, QueueConfig> queues;  // empty: one, "default", without bounds
};

struct CoordinatorConfig {
  std::string data_dir;                   // absolute; DefaultDataDir("coordinator")
  std::string listen = "127.0.0.1:7070";  // the API; port 0: any free one (all three)
  std::string worker_listen = "127.0.0.1:7071";
  std::string http_listen = "127.0.0.1:7072";
  std::vector<std::string> http_hosts;  // names accepted in Host: besides the addresses themselves
  std::string token_file;               // <data_dir>/token, made when missing
  bool allow_plaintext = false;         // needed for any address that is not loopback
  std::string default_store;            // for jobs that name none; file://<data_dir>/store
  base::Duration lease = base::seconds(5);  // 1s..5m; base::Deadlines derives every timeout from it
  base::Duration idempotency_window = std::chrono::hours(7 * 24);
  int64_t max_active_jobs = 100'000;  // PENDING and RUNNING; more are RESOURCE_EXHAUSTED
  SchedulingConfig scheduling;
  KeepRows finished_jobs{.most = 100'000};       // retention.finished_jobs
  KeepRows events{.most = 1'000'000};            // retention.events
  KeepBytes metrics{.size = int64_t{10} << 30};  // retention.metrics
  int64_t recording_size = int64_t{64} << 20;    // retention.recording.size; 0: none is made
  std::string log_level = "info";                // debug, info, warn, error
};

struct WorkerConfig {
  std::string data_dir;                        // absolute; DefaultDataDir("worker")
  std::string coordinator = "127.0.0.1:7071";  // its worker_listen
  std::string token_file;  // empty: COX_TOKEN, else the local coordinator's own file
  std::string name;        // [A-Za-z0-9._-]{1,63}; empty: the host name
  std::map<std::string, std::string> labels;
  uint32_t cpu_slots = 0;  // 0: as many as the machine lets this process use
  bool gpus = true;        // offer the GPUs that NVML reports
  std::string nvml_library = "libnvidia-ml.so.1";  // loaded when it is there; a path or a name
  std::string advertise_address;  // where other ranks reach ours; empty: see interface
  Mistake advertise_place;        // where that was set, for what only the machine can tell of it
  std::string interface;  // its address is used; empty: that of the route to the coordinator
  uint16_t trainer_port_first = 0;  // trainer_ports: "29500-29599"; 0: any free port
  uint16_t trainer_port_last = 0;
  int64_t rank_log_file_size = int64_t{64} << 20;  // rank_logs.file_size, per file of one stream
  uint32_t rank_log_files = 4;                     // rank_logs.files: kept per stream, the newest
  KeepBytes rank_logs{.age = std::chrono::hours(30 * 24),
                      .size = int64_t{10} << 30};  // all of ended jobs
  int64_t metrics_buffer = int64_t{256} << 20;     // bytes on disk while the coordinator is away
  std::string log_level = "info";
};

// ${XDG_STATE_HOME:-$HOME/.local/state}/coxswain/<program>.
std::string DefaultDataDir(std::string_view program);
// Seen from the current folder, without "." and ".."; as it is where that folder is gone.
std::string AbsolutePath(const std::string& path);

// What a daemon's command line and file say.
template <class Config>
struct Start {
  Config config;
  int lifeline_fd = -1;  // --lifeline-fd: end, ranks and all, when this pipe closes; -1: none
};
// Nothing to start: print `text` (to stderr if `code` is not 0) and exit with `code`: 0 for --help
// and
// --version; 78 (EX_CONFIG) for mistakes, all of them, one a line: a restart would not help.
struct EndNow {
  int code = 0;
  std::string text;
};

// Reads the flags, then the file named by --config (none: no file), and lays the flags over it.
std::variant<Start<CoordinatorConfig>, EndNow> ReadCoordinatorStart(int argc,
                                                                    const char* const* argv);
std::variant<Start<WorkerConfig>, EndNow> ReadWorkerStart(int argc, const char* const* argv);

// The same from a text, for tests and tools. `flags`: "lease=10s".
std::variant<CoordinatorConfig, std::vector<Mistake>> ParseCoordinatorConfig(
    std::string_view yaml, std::string_view file, const std::vector<std::string>& flags = {});
std::variant<WorkerConfig, std::vector<Mistake>> ParseWorkerConfig(
    std::string_view yaml, std::string_view file, const std::vector<std::string>& flags = {});

// "retention.events.age" and so on, in the order of the shipped files.
std::vector<std::string> KnownCoordinatorKeys();
std::vector<std::string> KnownWorkerKeys();

}  // namespace coxswain::config
