// The worker's shell: feeds the core with what happens and does what it decides. One thread, the
// loop's; what comes from other threads is posted to it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "common/config/daemon_config.h"
#include "worker/core/worker.h"
#include "worker/gpu/gpu_watch.h"
#include "worker/process/environment.h"
#include "worker/process/process_table.h"
#include "worker/runtime/code_cache.h"
#include "worker/runtime/coordinator_link.h"
#include "worker/runtime/data_folder.h"
#include "worker/runtime/event_loop.h"
#include "worker/runtime/log_relay.h"
#include "worker/runtime/metric_relay.h"
#include "worker/runtime/metrics_buffer.h"
#include "worker/runtime/trainer_gateway.h"

namespace coxswain::worker {

struct WorkerOptions {
  config::WorkerConfig config;
  int lifeline_fd = -1;
  int signal_fd = -1;  // a signalfd of SIGTERM and SIGINT
  std::string token;
  std::string shim_program, trainer_program;
};

class WorkerLoop {
 public:
  WorkerLoop(WorkerOptions options, DataFolder& folder);
  ~WorkerLoop();

  // Finds the ranks of an earlier life and opens all doors. Errors are one line.
  absl::Status Start();
  // Until the core says Exit; returns its code.
  int Run();

 private:
  // worker_loop.cc: what happens.
  absl::Status FillInventory(protocol::Inventory& inventory) const;
  // Ranks of an earlier life; `adopt`: what to call for those that still run.
  void FindRanks(std::vector<core::FoundRank>& found, std::vector<std::function<void()>>& adopt);
  void WatchSignalsAndLifeline();
  absl::Status StartGateway();
  CoordinatorSettings SettingsOfCoordinator() const;
  void StartLink();
  void StartGpuWatch();
  void WatchDisk();
  // Tells the core what it finds, then calls `then`.
  void LookAtDisk(std::function<void()> then);
  void CheckDisk(const std::string& write_problem);
  void SweepFolders(bool disk_short);
  void TakeMetrics(ConnectionId connection, uint64_t sequence,
                   std::vector<protocol::MetricPoint> points, uint64_t dropped);
  void Feed(core::EventBody body);
  void ArmTimer();
  // acts.cc: what the core wants.
  void Execute(core::Decisions decisions);
  void Do(const core::SendReport& act);
  void Do(const core::DropStream& act);
  void Do(const core::LaunchRank& act);
  void Do(const core::SignalRank& act);
  void Do(const core::RecordAcknowledgement& act);
  void Do(const core::SendToTrainer& act);
  void Do(const core::RefuseTrainer& act);
  void Do(const core::LaunchTask& act);
  void Do(const core::SendTask& act);
  void Do(const core::AcknowledgeTask& act);
  void Do(const core::StopTask& act);
  void Do(const core::ServeLog& act);
  void Do(const core::BeginRelay& act);
  void Do(const core::EndRelay& act);
  void Do(const core::TrimMetrics& act);
  void Do(const core::ForgetFolder& act);
  void Do(const core::Exit& act);
  absl::Status LaunchRank(const protocol::StartRank& start);
  process::ShimProgram Program(const std::string& folder) const;
  process::ProcessEvents RankEvents(const protocol::StartRank& start);
  std::string TaskFolder(base::TaskId task) const;
  bool SendBulk(protocol::WorkerReport report);

  const WorkerOptions options_;
  DataFolder& folder_;
  const std::string boot_id_;
  EventLoop loop_;
  process::ProcessTable processes_;
  process::Surroundings surroundings_;
  std::optional<core::Worker> core_;
  std::unique_ptr<MetricsBuffer> buffer_;
  std::optional<MetricRelay> relay_;
  std::optional<LogRelay> logs_;
  std::unique_ptr<CodeCache> code_;  // outlives the gateway, which asks it
  std::unique_ptr<TrainerGateway> gateway_;
  std::unique_ptr<CoordinatorLink> link_;
  std::optional<gpu::GpuWatch> gpus_;
  int task_lifeline_[2] = {-1, -1};  // tasks end with this process, however it ends
  std::optional<base::Time> armed_;
  std::optional<core::Exit> exit_;
  std::string metrics_problem_;  // said once per change
  std::string drop_reason_;      // of the last stream given up; said once per change
  EventLoop slow_loop_;          // work that may wait for a disk, on `slow_thread_`
  std::thread slow_thread_;
};

}  // namespace coxswain::worker
