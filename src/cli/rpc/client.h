// A client of one coordinator. Calls block; a Client may be used by several threads at once.
//
// Errors are for people: the message is one or more whole lines that can be printed as they are.
// Codes are those of the API (proto/coxswain/v1/coxswain.proto), and
//   UNAVAILABLE        nobody answered there, or the coordinator cannot serve now
//   DEADLINE_EXCEEDED  `until` passed
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/rpc/api.h"
#include "common/config/mistake.h"

namespace coxswain::cli::rpc {

using SteadyTime = std::chrono::steady_clock::time_point;

struct ClientOptions {
  std::string server;               // HOST:PORT
  std::string token;                // may be empty: the coordinator then says what is missing
  std::string token_from = "use";   // how messages call its place: "COX_TOKEN"
  std::optional<SteadyTime> until;  // --timeout: every call ends by then
  // Called when an answer is being waited for again: "cannot reach 127.0.0.1:7070: Connection
  // refused".
  std::function<void(const std::string& why)> on_trouble;
  // How long Submit and the streams try to reach a coordinator that has not answered yet. Nothing:
  // until `until`, or for 30 s.
  std::optional<std::chrono::milliseconds> patience = std::nullopt;
  // Between two tries, doubling up to 2 s.
  std::chrono::milliseconds first_pause = std::chrono::milliseconds(100);
  // Set by another thread: no call is tried again.
  std::shared_ptr<const std::atomic<bool>> given_up = nullptr;
  bool json = true;  // fill in `json` of what is returned: costs a millisecond and more
};

// What spec.code was packed into, and its name, "sha256:...".
struct Code {
  std::string id;
  std::string archive;
};

struct SubmitRequest {
  std::string yaml;
  std::string file_name;
  std::vector<std::string> overrides;
  std::string idempotency_key;
  bool dry_run = false;
  std::string resume_from;
  bool allow_uncommitted = false;
  std::shared_ptr<const Code> code;  // uploaded first, unless it is there already; null: none
};
struct Submitted {
  Job job;
  bool already_existed = false;
  std::vector<std::string> warnings;
};

struct JobFilter {
  std::vector<std::string> states;  // "RUNNING"
  std::string name_prefix;
  std::map<std::string, std::string> labels;
  std::vector<std::string> queues{};  // with those below them; empty: all
  std::string submitted_by{};         // "ann@build1", or "ann" on any machine
  bool active_only = false;
  size_t limit = 0;  // 0: all
};

struct LogRequest {
  std::string job;
  int rank = -1;
  uint32_t attempt = 0;
  enum class Stream { kBoth, kStdout, kStderr } stream = Stream::kBoth;
  bool follow = false;
  uint32_t tail_lines = 0;
};

struct MetricRequest {
  std::string job;
  std::vector<std::string> names;
  bool follow = false;
  bool include_repeated = false;
  int64_t max_points = 0;
};

struct EventRequest {
  std::string job;
  uint64_t after = 0;
  bool follow = false;
  uint32_t limit = 0;
  std::vector<std::string> kinds, without_kinds;  // whole names or how they begin
};

// True for a refusal whose message lists the job file's mistakes, a line each; other errors have
// one message.
bool HasMistakes(const absl::Status& status);
std::vector<config::Mistake> MistakesOf(const absl::Status& status);

class Client {
 public:
  // FAILED_PRECONDITION: the token holds what no token may.
  static absl::StatusOr<std::unique_ptr<Client>> Make(ClientOptions options);
  ~Client();

  // Repeats until answered, which is safe because of the key. UNAVAILABLE after `patience` if
  // nobody ever answered; INVALID_ARGUMENT: the message lists every mistake, a line each.
  absl::StatusOr<Submitted> Submit(const SubmitRequest& request);

  absl::StatusOr<Job> GetJob(const std::string& job);
  // Newest first; asks for as many pages as needed.
  absl::StatusOr<Listed<Job>> ListJobs(const JobFilter& filter);
  absl::StatusOr<Job> CancelJob(const std::string& job, const std::string& reason, bool save);
  absl::StatusOr<Listed<Checkpoint>> ListCheckpoints(const std::string& job, bool include_deleted);
  absl::StatusOr<Listed<Node>> ListNodes();
  // `deadline_us`: its jobs let go before; 0: they go on.
  absl::StatusOr<Drained> DrainNode(const std::string& node, const std::string& reason, bool undo,
                                    int64_t deadline_us);
  absl::StatusOr<Queues> ListQueues();
  absl::StatusOr<Explanation> ExplainJob(const std::string& job);
  absl::StatusOr<std::string> ForgetNode(const std::string& node);  // its name
  absl::StatusOr<ServerInfo> GetServerInfo();

  // Calls `on_news` with the job now and at every change, and with the events since the last call,
  // until the job has ended or `on_news` returns false. Returns the job as it was last.
  using OnNews = std::function<bool(const Job& job, const std::vector<Event>& events)>;
  absl::StatusOr<Job> Watch(const std::string& job, std::chrono::milliseconds progress_interval,
                            const OnNews& on_news);

  // Each returns once everything there is has been given, or with `follow` when the job has ended.
  absl::Status Logs(const LogRequest& request,
                    const std::function<void(const LogChunk&)>& on_chunk);
  absl::Status Metrics(const MetricRequest& request,
                       const std::function<void(const MetricPoint&)>& on_point);
  absl::Status Events(const EventRequest& request,
                      const std::function<void(const Event&)>& on_event);

 private:
  struct Wire;  // the stub and how calls are made
  absl::Status Upload(const Code& code);
  explicit Client(std::unique_ptr<Wire> wire);
  std::unique_ptr<Wire> wire_;
};

}  // namespace coxswain::cli::rpc
