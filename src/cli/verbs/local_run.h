// One `cox run`: the daemons, the job, the signals.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "cli/local/local_cluster.h"
#include "cli/local/signal_watch.h"
#include "cli/rpc/client.h"
#include "cli/verbs/job_file.h"
#include "cli/verbs/job_view.h"
#include "cli/verbs/run_summary.h"
#include "cli/verbs/session.h"

namespace coxswain::cli::verbs {

struct RunFlags {
  JobFileFlags job;
  std::string data_dir;
  std::string resume_from;
  bool uncommitted = false;
  uint32_t cpu_slots = 0;  // 0: what the machine has, but never less than the job needs
};

class LocalRun {
 public:
  LocalRun(const Session& session, const RunFlags& flags);

  // The whole run; returns the exit code. Every process it started has ended then.
  int Run();

 private:
  absl::Status Start(const config::JobSpec& spec);
  absl::Status WaitForWorker();
  absl::StatusOr<rpc::Job> SubmitAndWatch(const rpc::SubmitRequest& request);
  absl::StatusOr<rpc::Job> SaveAfterTimeout(const std::string& job);
  void ReadMetrics(RunResult* result);
  int Finish(const rpc::Job& job, int64_t epochs);
  int GiveUp(const absl::Status& status, bool submitting);

  // On the signal thread.
  void OnSignal(int signal);
  void OnInterrupt();
  void OnChildEnded();

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
  std::mutex mutex_;
  std::string job_;         // guarded by mutex_; empty: not yet accepted
  int interrupts_ = 0;      // guarded by mutex_
  bool finishing_ = false;  // guarded by mutex_: children may end
};

}  // namespace coxswain::cli::verbs
