// ListEvents: the history by cursor; with `follow` until the job has ended (of the cluster: for
// ever).
#include <algorithm>
#include <deque>

#include "common/base/clock.h"
#include "common/rpc/channel.h"
#include "coordinator/rpc/api_convert.h"
#include "coordinator/rpc/streams.h"

namespace coxswain::coordinator::rpc {
namespace {

using coxswain::rpc::ToGrpc;

constexpr uint32_t kPage = 500;

class EventStream final : public StreamCall<v1::Event> {
 public:
  EventStream(runtime::Api* api, WorkLoop* loop, const v1::ListEventsRequest& request)
      : StreamCall(loop), api_(api), request_(request), cursor_(request.cursor()) {}

 private:
  Step Produce(v1::Event* out) override {
    if (!begun_) {
      if (grpc::Status status = Begin(); !status.ok()) return Step::End(status);
    }
    if (request_.limit() != 0 && sent_ == request_.limit()) return Step::End(grpc::Status::OK);
    SkipOthers();
    if (page_.empty()) {
      bool last = !request_.follow();
      if (request_.follow() && job_) {  // asked before the events: none of it comes after
        absl::StatusOr<runtime::JobView> job = api_->GetJob(job_);
        if (!job.ok()) return Step::End(ToGrpc(job.status()));
        last = core::IsFinal(job->record.job.state);
      }
      auto events = api_->ListEvents(job_, core::EventSeq(cursor_), kPage);
      if (!events.ok()) return Step::End(ToGrpc(events.status()));
      page_.assign(events->begin(), events->end());
      names_ = NamesFrom(api_);
      if (page_.empty()) return last ? Step::End(grpc::Status::OK) : Step::Wait();
      SkipOthers();
      if (page_.empty()) return Step::WaitUntil(base::MonotonicNow());  // after other calls
    }
    Fill(page_.front(), names_, out);
    cursor_ = page_.front().seq.value;
    page_.pop_front();
    ++sent_;
    return Step::Write();
  }

  // What the request does not ask for is passed over.
  void SkipOthers() {
    while (!page_.empty() && !IsWanted(page_.front().kind)) {
      cursor_ = page_.front().seq.value;
      page_.pop_front();
    }
  }

  bool IsWanted(const std::string& kind) const {
    const auto begins = [&](const std::string& asked) { return kind.starts_with(asked); };
    const auto& only = request_.kinds();
    const auto& without = request_.without_kinds();
    return (only.empty() || std::any_of(only.begin(), only.end(), begins)) &&
           std::none_of(without.begin(), without.end(), begins);
  }

  grpc::Status Begin() {
    begun_ = true;
    if (!request_.job().empty()) {
      absl::StatusOr<core::JobId> job = api_->ResolveJob(request_.job());
      if (!job.ok()) return ToGrpc(job.status());
      job_ = *job;
    }
    if (request_.follow()) subscription_ = api_->Subscribe(job_, [this] { Wake(); });
    return grpc::Status::OK;
  }

  runtime::Api* const api_;
  const v1::ListEventsRequest request_;
  bool begun_ = false;
  core::JobId job_;  // 0: the cluster
  uint64_t cursor_;  // of the last event sent or passed over
  uint32_t sent_ = 0;
  std::deque<core::EventRow> page_;
  NodeNames names_;  // of this page
  std::unique_ptr<runtime::Subscription> subscription_;
};

}  // namespace

std::shared_ptr<StreamCall<v1::Event>> MakeEventStream(runtime::Api* api, WorkLoop* loop,
                                                       const v1::ListEventsRequest& request) {
  return std::make_shared<EventStream>(api, loop, request);
}

}  // namespace coxswain::coordinator::rpc
