// TaskLink over gRPC on the worker's Unix socket: one stream for the whole life of the task, so
// that the worker sees the process, made again when it breaks.
#include "common/base/version.h"
#include "common/rpc/convert.h"
#include "common/rpc/duplex_link.h"
#include "coxswain/internal/v1/internal.grpc.pb.h"
#include "trainer/runtime/task_link.h"

namespace coxswain::trainer {
namespace {

namespace wire = ::coxswain::internal::v1;

class TaskClient final : public TaskLink {
 public:
  explicit TaskClient(const TaskLinkSettings& settings)
      : settings_(settings),
        address_("unix:" + settings.socket),
        link_({address_, "", {}, settings.task.value}) {
    link_.Start({[] {}, [this](wire::TrainerDown& in) { Received(in); },
                 [this](wire::TrainerUp* out) { return Next(out); }, [] {},
                 [this](const grpc::Status& status) { return Ended(status); }});
  }

  absl::StatusOr<protocol::StartTask> Receive(base::Duration limit) override {
    absl::Status status = WaitFor(limit, [this] { return task_.has_value(); });
    if (!status.ok()) return status;
    std::lock_guard lock(mutex_);
    return *task_;
  }

  absl::Status Report(const protocol::TaskEnded& ended, base::Duration limit) override {
    {
      std::lock_guard lock(mutex_);
      report_ = ended;
      confirmed_ = false;
      report_sent_ = false;
    }
    link_.Kick();
    return WaitFor(limit, [this] { return confirmed_; });
  }

 private:
  template <class Condition>
  absl::Status WaitFor(base::Duration limit, const Condition& condition) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, limit, [&] { return condition() || refused_; });
    if (condition()) return absl::OkStatus();
    if (refused_) return absl::PermissionDeniedError(last_reason_);
    return absl::DeadlineExceededError(
        last_reason_.empty() ? address_ + ": the worker does not answer" : last_reason_);
  }

  void Received(const wire::TrainerDown& in) {
    link_.Proven();
    protocol::StartTask task;
    std::lock_guard lock(mutex_);
    if (in.has_task_ended_received()) {
      confirmed_ = true;
    } else if (in.has_start_task() && rpc::FromProto(in.start_task(), &task).ok() &&
               task.task == settings_.task) {
      task_ = std::move(task);
    }
    changed_.notify_all();
  }

  bool Next(wire::TrainerUp* out) {
    std::lock_guard lock(mutex_);
    if (!hello_sent_) {
      hello_sent_ = true;
      out->mutable_hello()->set_task(settings_.task.value);
      out->mutable_hello()->set_protocol_oldest(base::kProtocolOldest);
      out->mutable_hello()->set_protocol_newest(base::kProtocolNewest);
      return true;
    }
    if (!report_ || report_sent_) return false;
    report_sent_ = true;
    rpc::ToProto(*report_, out->mutable_task_ended());
    return true;
  }

  bool Ended(const grpc::Status& status) {
    std::lock_guard lock(mutex_);
    hello_sent_ = false;
    report_sent_ = false;
    refused_ = status.error_code() == grpc::StatusCode::PERMISSION_DENIED ||
               status.error_code() == grpc::StatusCode::FAILED_PRECONDITION;
    last_reason_ = refused_ ? status.error_message() : rpc::WhyFailed(address_, status);
    changed_.notify_all();
    return !refused_;
  }

  const TaskLinkSettings settings_;
  const std::string address_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<protocol::StartTask> task_;  // guarded by mutex_, as is all below
  std::optional<protocol::TaskEnded> report_;
  bool hello_sent_ = false;   // on this stream
  bool report_sent_ = false;  // on this stream
  bool confirmed_ = false;
  bool refused_ = false;
  std::string last_reason_;
  rpc::DuplexLink<wire::TrainerGateway, wire::TrainerUp, wire::TrainerDown>
      link_;  // last: ends first
};

}  // namespace

std::unique_ptr<TaskLink> MakeTaskLink(const TaskLinkSettings& settings) {
  return std::make_unique<TaskClient>(settings);
}

}  // namespace coxswain::trainer
