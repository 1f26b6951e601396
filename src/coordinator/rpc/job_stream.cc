// WatchJob: the job and its new events, at once and at every change; bare progress at most once an
// interval. Events come from the store by cursor, so a slow watcher misses none.
#include <algorithm>

#include "common/base/clock.h"
#include "common/rpc/channel.h"
#include "coordinator/rpc/api_convert.h"
#include "coordinator/rpc/streams.h"

namespace coxswain::coordinator::rpc {
namespace {

using coxswain::rpc::ToGrpc;

constexpr uint32_t kEventsPerMessage = 500;
// Changes that come faster are looked at together.
constexpr base::Duration kShortestPause = base::milliseconds(20);

class JobStream final : public StreamCall<v1::WatchJobResponse> {
 public:
  JobStream(runtime::Api* api, WorkLoop* loop, const v1::WatchJobRequest& request)
      : StreamCall(loop),
        api_(api),
        request_(request),
        interval_(base::milliseconds(
            request.progress_interval_ms() == 0 ? 1000 : request.progress_interval_ms())),
        cursor_(request.cursor()) {}

 private:
  Step Produce(v1::WatchJobResponse* out) override {
    if (ended_ && !more_) return Step::End(grpc::Status::OK);
    base::Time now = base::MonotonicNow();
    if (subscription_ == nullptr) {
      absl::StatusOr<core::JobId> job = api_->ResolveJob(request_.job());
      if (!job.ok()) return Step::End(ToGrpc(job.status()));
      job_ = *job;
      subscription_ = api_->Subscribe(job_, [this] { Wake(); });
    } else if (last_look_ && now < *last_look_ + kShortestPause && !more_) {
      return Step::WaitUntil(*last_look_ + kShortestPause);
    }
    last_look_ = now;
    // The job first: an event that is older than it is never sent after it.
    absl::StatusOr<runtime::JobView> job = api_->GetJob(job_);
    if (!job.ok()) return Step::End(ToGrpc(job.status()));
    auto events = api_->ListEvents(job_, core::EventSeq(cursor_), kEventsPerMessage);
    if (!events.ok()) return Step::End(ToGrpc(events.status()));
    more_ = events->size() == kEventsPerMessage;
    ended_ = core::IsFinal(job->record.job.state);
    const NodeNames names = NamesFrom(api_);
    Fill(*job, JobParts::kWatch, names, out->mutable_job());
    for (const core::EventRow& event : *events) Fill(event, names, out->add_events());
    if (!events->empty()) cursor_ = events->back().seq.value;
    out->set_cursor(cursor_);
    return Decide(*out, now);
  }

  // Sends what is new, or waits.
  Step Decide(const v1::WatchJobResponse& message, base::Time now) {
    std::string hard = HardPart(message.job());
    bool changed = !last_sent_ || message.events_size() > 0 || hard != hard_ || ended_;
    if (!changed) {
      std::string whole = message.job().SerializeAsString();
      if (whole == whole_) return Step::Wait();
      if (now < *last_sent_ + interval_) return Step::WaitUntil(*last_sent_ + interval_);
    }
    hard_ = std::move(hard);
    whole_ = message.job().SerializeAsString();
    last_sent_ = now;
    return Step::Write();
  }

  // The job without what moves at every report.
  static std::string HardPart(v1::Job job) {
    job.clear_progress();
    for (v1::RankStatus& rank : *job.mutable_ranks()) {
      rank.clear_step();
      rank.clear_phase();
    }
    return job.SerializeAsString();
  }

  runtime::Api* const api_;
  const v1::WatchJobRequest request_;
  const base::Duration interval_;
  core::JobId job_;
  uint64_t cursor_;
  bool more_ = false;   // events were left for the next message
  bool ended_ = false;  // the job is final
  std::optional<base::Time> last_look_, last_sent_;
  std::string hard_, whole_;  // of the job as last sent
  std::unique_ptr<runtime::Subscription> subscription_;
};

}  // namespace

std::shared_ptr<StreamCall<v1::WatchJobResponse>> MakeJobStream(
    runtime::Api* api, WorkLoop* loop, const v1::WatchJobRequest& request) {
  return std::make_shared<JobStream>(api, loop, request);
}

}  // namespace coxswain::coordinator::rpc
