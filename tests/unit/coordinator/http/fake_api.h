// An Api that tells of one busy cluster: a running job, one that recovers, one that waits, one that
// failed, one that ended; a node that is away. Tests change what they need.
#pragma once

#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::http {

class FakeApi : public runtime::Api {
 public:
  FakeApi();

  void Submit(runtime::SubmitRequest, runtime::SubmitCallback) override {}
  absl::StatusOr<uint64_t> AddCode(const std::string&, uint64_t, uint64_t,
                                   std::string_view) override {
    return absl::UnimplementedError("");
  }
  void Cancel(core::JobId, std::string, bool,
              std::function<void(absl::StatusOr<runtime::JobView>)>) override {}
  void Forget(core::NodeId, std::function<void(absl::StatusOr<runtime::NodeView>)>) override {}
  void Drain(core::NodeId, std::string, bool, core::WallTime,
             std::function<void(absl::StatusOr<runtime::DrainResult>)>) override {}
  absl::StatusOr<core::JobId> ResolveJob(const std::string& id_or_name) override;
  absl::StatusOr<runtime::JobView> GetJob(core::JobId job) override;
  absl::StatusOr<std::vector<runtime::JobView>> ListJobs(const store::JobFilter& filter) override;
  absl::StatusOr<std::vector<core::CheckpointRow>> ListCheckpoints(core::JobId job, bool) override;
  runtime::QueuesView ListQueues(const std::vector<runtime::NodeView>&) override { return queues; }
  absl::StatusOr<runtime::Explanation> Explain(core::JobId) override { return explanation; }
  absl::StatusOr<std::vector<runtime::NodeView>> ListNodes() override { return nodes; }
  std::string NodeName(const core::NodeId& node) override {
    for (const runtime::NodeView& view : nodes) {
      if (view.row->id == node) return view.row->name;
    }
    return node.value;
  }
  absl::StatusOr<std::vector<core::EventRow>> ListEvents(core::JobId job, core::EventSeq cursor,
                                                         uint32_t limit) override;
  absl::StatusOr<std::vector<core::EventRow>> ListNewestEvents(core::JobId job,
                                                               uint32_t limit) override;
  absl::StatusOr<std::vector<store::StoredPoint>> ReadMetrics(
      const store::MetricQuery& query) override;
  void AfterMetrics(std::function<void()> stored) override { stored(); }
  absl::StatusOr<std::map<core::JobState, uint64_t>> CountJobs() override;
  runtime::ServerStatus Status() override { return status; }
  std::unique_ptr<runtime::Subscription> Subscribe(core::JobId, std::function<void()>) override {
    return nullptr;
  }
  std::unique_ptr<runtime::Subscription> ReadLog(const runtime::LogRequest&,
                                                 runtime::LogCallback) override {
    return nullptr;
  }

  base::WallTime now;
  std::vector<runtime::JobView> jobs;  // newest first
  std::vector<runtime::NodeView> nodes;
  runtime::QueuesView queues;
  runtime::Explanation explanation;
  std::vector<core::CheckpointRow> checkpoints;
  std::vector<core::EventRow> events;
  std::vector<store::StoredPoint> points;
  runtime::ServerStatus status;

 private:
  runtime::JobView& AddJob(uint64_t id, const std::string& name, core::JobState state,
                           const std::string& reason);
  void AddRunning();
  void AddTroubled();
  void AddNodes();
  void AddQueues();
  void AddHistory();
};

// What a user or a machine may choose for a name.
inline constexpr char kEvil[] = "<script>alert('x')</script>\"onload=\"";

// The overview's page; empty, and the test has failed, if there is none.
std::string Overview(FakeApi& api);

}  // namespace coxswain::coordinator::http
