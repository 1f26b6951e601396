// One `cox run`: the daemons, the job, the signals.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "cli/local/local_cluster.h"
#include "cli/local/signal_watch.h"
#include "cli/rpc/client.h"
#include "cli/verbs/job_file.h"
#include "cli/verbs/job_view.h"
#include "cli/verbs/log_follower.h"
#include "cli/verbs/run_summary.h"
#include "cli/verbs/session.h"

namespace coxswain::cli::verbs {

struct RunFlags {
  JobFileFlags job;
  std::string data_dir;
  ResumeFlags resume;
  uint32_t cpu_slots = 0;  // 0: what the machine has, but never less than the job needs
};

class LocalRun {
 public:
  LocalRun(const Session& session, const RunFlags& flags);
  ~LocalRun();

  // The whole run; returns the exit code. Every process it started has ended then.
  int Run();

 private:
  absl::Status Start(const config::JobSpec& spec);
  absl::Status WaitForWorker();
  // An earlier run in this data directory that was cut off has left jobs that would start again.
  absl::Status EndLeftovers();
  void TellLeftover(const rpc::Job& job);
  absl::StatusOr<rpc::Job> SubmitAndWatch(const rpc::SubmitRequest& request);
  absl::StatusOr<rpc::Job> SaveAfterTimeout(const std::string& job);
  void ReadMetrics(RunResult* result);
  RunResult ResultOf(const rpc::Job& job) const;
  int Finish(const rpc::Job& job, int64_t epochs);
  void StopCluster();
  int GiveUp(const absl::Status& status, bool submitting);

  // On the signal thread.
  void OnSignal(int signal);
  void OnInterrupt();
  void OnChildEnded();
  void OnIdle();
  // Ends every process without a save, says how the job stands, and ends this one.
  [[noreturn]] void StopNow(const std::string& why, int code);

  // On the stopper thread: repeats until the coordinator has taken it.
  void AskToSave(const std::string& job, const std::string& reason);
  void SaveBy(const std::string& job, const std::string& reason);
  void Show(const std::function<void()>& show);

  const Session& session_;
  const RunFlags flags_;
  const bool default_data_dir_;
  const std::string data_dir_;
  std::FILE* const people_;  // where progress goes: stderr when stdout is for machines
  const output::Terminal terminal_;
  JobView view_;
  local::SignalWatch signals_;
  std::unique_ptr<local::LocalCluster> cluster_;
  std::unique_ptr<rpc::Client> client_;   // ends with --timeout
  std::unique_ptr<rpc::Client> control_;  // does not
  std::chrono::seconds grace_{30};        // the job's, and what its end takes
  std::thread stopper_;                   // made once, by whoever stops the job first
  std::mutex view_mutex_;                 // before mutex_
  bool silent_ = false;                   // guarded by view_mutex_: the progress line has ended
  std::mutex mutex_;
  rpc::Job last_;  // guarded by mutex_; as last heard of
  std::optional<std::chrono::steady_clock::time_point> stop_by_;  // guarded by mutex_
  std::string job_;         // guarded by mutex_; empty: not yet accepted
  int interrupts_ = 0;      // guarded by mutex_
  bool finishing_ = false;  // guarded by mutex_: children may end
  // Of a program; null: a recipe's log says nothing more. Its thread uses what is above.
  std::unique_ptr<LogFollower> output_;
};

}  // namespace coxswain::cli::verbs
