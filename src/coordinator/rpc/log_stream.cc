#include "coordinator/rpc/log_stream.h"

#include <algorithm>
#include <utility>

#include "common/base/clock.h"
#include "common/rpc/channel.h"
#include "common/rpc/convert.h"
#include "coordinator/rpc/streams.h"

namespace coxswain::coordinator::rpc {
namespace {

using coxswain::rpc::ToGrpc;
using coxswain::rpc::Utf8;

constexpr size_t kChunkMost = 64 << 10;
// Between tries to reach a worker that is away, or a rank that has not begun to write.
constexpr base::Duration kRetry = base::milliseconds(500);

class LogStream final : public StreamCall<v1::LogChunk> {
 public:
  LogStream(runtime::Api* api, WorkLoop* loop, const v1::GetLogsRequest& request)
      : StreamCall(loop), api_(api), request_(request), inbox_([this] { Wake(); }) {}
  ~LogStream() override {
    for (LogSource& source : sources_) source.reading.reset();  // before the inbox goes
  }

 private:
  Step Produce(v1::LogChunk* out) override {
    if (!begun_) {
      if (grpc::Status status = Begin(); !status.ok()) return Step::End(status);
    }
    if (attempt_ == core::Attempt()) return NotStarted(out);
    for (size_t i : inbox_.TakeOverrun()) Close(i, base::Time{});
    LogInbox::Item item;
    while (inbox_.Take(&item)) {
      Step step = Handle(std::move(item), out);
      if (step.kind != Step::kWait) return step;
    }
    return OpenOrEnd();
  }

  grpc::Status Begin() {
    begun_ = true;
    absl::StatusOr<core::JobId> id = api_->ResolveJob(request_.job());
    if (!id.ok()) return ToGrpc(id.status());
    job_ = *id;
    if (request_.follow()) subscription_ = api_->Subscribe(job_, [this] { Wake(); });
    absl::StatusOr<runtime::JobView> job = api_->GetJob(job_);
    if (!job.ok()) return ToGrpc(job.status());
    const core::JobRow& row = job->record.job;
    if (request_.rank() >= 0 && static_cast<uint32_t>(request_.rank()) >= row.request.workers) {
      return {grpc::StatusCode::NOT_FOUND,
              base::ToString(job_) + " has no rank " + std::to_string(request_.rank()) +
                  ": its ranks are 0 to " + std::to_string(row.request.workers - 1)};
    }
    if (request_.attempt() > row.attempt.value) {
      return {grpc::StatusCode::NOT_FOUND, base::ToString(job_) + " has no attempt " +
                                               std::to_string(request_.attempt()) +
                                               ": it has had " + std::to_string(row.attempt.value)};
    }
    core::Attempt wanted =
        request_.attempt() == 0 ? row.attempt : core::Attempt(request_.attempt());
    if (wanted) OpenAttempt(wanted, row.request.workers);
    return grpc::Status::OK;
  }

  // The job has never run.
  Step NotStarted(v1::LogChunk* out) {
    absl::StatusOr<runtime::JobView> job = api_->GetJob(job_);
    if (!job.ok()) return Step::End(ToGrpc(job.status()));
    const core::JobRow& row = job->record.job;
    if (row.attempt) {
      OpenAttempt(row.attempt, row.request.workers);
      return OpenOrEnd();
    }
    bool wait = request_.follow() && !core::IsFinal(row.state);
    if (noted_) return wait ? Step::Wait() : Step::End(grpc::Status::OK);
    noted_ = true;
    out->set_note(base::ToString(job_) + " is " + core::ToString(row.state) + " and has never run" +
                  (wait ? ": its log will follow" : ""));
    return Step::Write();
  }

  void OpenAttempt(core::Attempt attempt, uint32_t workers) {
    for (size_t i = 0; i < sources_.size(); ++i) inbox_.Forget(i);
    sources_.clear();
    attempt_ = attempt;
    found_ = false;
    for (uint32_t rank = 0; rank < workers; ++rank) {
      if (request_.rank() >= 0 && rank != static_cast<uint32_t>(request_.rank())) continue;
      for (bool err : {false, true}) {
        if (request_.stream() == (err ? v1::LOG_STREAM_STDOUT : v1::LOG_STREAM_STDERR)) continue;
        AddSource(rank, err);
      }
    }
  }

  void AddSource(core::Rank rank, bool err) {
    LogSource& source = sources_.emplace_back();
    source.key = {job_, attempt_, rank};
    source.stderr_stream = err;
    source.tail_lines = request_.tail_lines();
    for (const v1::LogCursor& cursor : request_.cursors()) {
      bool same_stream = (cursor.stream() == v1::LOG_STREAM_STDERR) == err;
      bool same_attempt = cursor.attempt() == 0 || cursor.attempt() == attempt_.value;
      if (cursor.rank() != rank || !same_stream || !same_attempt) continue;
      source.offset = cursor.offset();
      source.offset_by_client = true;
      source.tail_lines = 0;
    }
  }

  // A message for the client, or Wait: nothing to send of it.
  Step Handle(LogInbox::Item item, v1::LogChunk* out) {
    LogSource& source = sources_[item.source];
    out->set_rank(source.key.rank);
    out->set_attempt(static_cast<uint32_t>(source.key.attempt.value));
    out->set_stream(source.stderr_stream ? v1::LOG_STREAM_STDERR : v1::LOG_STREAM_STDOUT);
    if (!item.data.ok()) return HandleError(item, out);
    protocol::LogData& data = *item.data;
    if (!data.error.empty()) return HandleGap(item.source, data, out);
    found_ = true;
    source.told_unreachable = false;
    source.tail_lines = 0;
    size_t take = ChunkLength(data.data);
    source.offset = data.offset + take;
    source.offset_by_client = false;
    out->set_data(data.data.substr(0, take));
    out->set_next_offset(source.offset);
    if (take < data.data.size()) {
      data.data.erase(0, take);
      data.offset += take;
      inbox_.PutBack(std::move(item));
    } else if (data.end) {
      End(item.source);
    }
    return take > 0 ? Step::Write() : Step::Wait();
  }

  static size_t ChunkLength(const std::string& data) {
    if (data.size() <= kChunkMost) return data.size();
    size_t line_end = data.rfind('\n', kChunkMost - 1);
    return line_end == std::string::npos ? kChunkMost : line_end + 1;
  }

  // The worker could not read at the offset: it has been rotated away (a later byte is there), or
  // the rank has written nothing at all.
  Step HandleGap(size_t index, const protocol::LogData& data, v1::LogChunk* out) {
    LogSource& source = sources_[index];
    if (data.oldest_offset <= source.offset) {
      End(index);
      last_error_ = Utf8(data.error);
      return Step::Wait();
    }
    if (source.offset_by_client) {
      return Step::End({grpc::StatusCode::OUT_OF_RANGE, Utf8(data.error)});
    }
    uint64_t begin = source.offset;
    source.offset = data.oldest_offset;
    Close(index, base::Time{});
    if (begin == 0 && !found_) return Step::Wait();  // nobody has asked for that byte
    out->set_next_offset(source.offset);
    out->set_note("bytes " + std::to_string(begin) + " to " + std::to_string(source.offset - 1) +
                  " have been rotated away");
    return Step::Write();
  }

  Step HandleError(const LogInbox::Item& item, v1::LogChunk* out) {
    LogSource& source = sources_[item.source];
    const absl::Status& status = item.data.status();
    if (absl::IsNotFound(status)) {
      End(item.source);
      last_error_ = std::string(status.message());
      return Step::Wait();
    }
    absl::StatusOr<runtime::JobView> job = api_->GetJob(job_);
    bool may_come = request_.follow() && job.ok() && !core::IsFinal(job->record.job.state);
    if (!absl::IsUnavailable(status) || !may_come) return Step::End(ToGrpc(status));
    Close(item.source, base::MonotonicNow() + kRetry);
    if (std::exchange(source.told_unreachable, true)) return Step::Wait();
    out->set_next_offset(source.offset);
    out->set_note("rank " + std::to_string(source.key.rank) + "'s worker is unreachable (" +
                  Utf8(std::string(status.message())) + "), its log will follow");
    return Step::Write();
  }

  void Close(size_t index, base::Time retry_at) {
    inbox_.Forget(index);
    sources_[index].reading.reset();
    sources_[index].state = LogSource::State::kClosed;
    sources_[index].retry_at = retry_at;
  }
  void End(size_t index) {
    Close(index, base::Time{});
    sources_[index].state = LogSource::State::kEnded;
  }

  // Nothing has arrived: open what is closed, go on to the next attempt, or end.
  Step OpenOrEnd() {
    base::Time now = base::MonotonicNow();
    std::optional<base::Time> until;
    bool ended = true;
    for (size_t i = 0; i < sources_.size(); ++i) {
      LogSource& source = sources_[i];
      ended = ended && source.state == LogSource::State::kEnded;
      if (source.state != LogSource::State::kClosed) continue;
      if (source.retry_at > now) {
        until = std::min(until.value_or(source.retry_at), source.retry_at);
      } else {
        source.state = LogSource::State::kOpen;
        source.reading = api_->ReadLog({.key = source.key,
                                        .stderr_stream = source.stderr_stream,
                                        .offset = source.offset,
                                        .tail_lines = source.tail_lines,
                                        .follow = request_.follow()},
                                       inbox_.CallbackFor(i));
      }
    }
    if (ended) return AttemptEnded();
    return until ? Step::WaitUntil(*until) : Step::Wait();
  }

  Step AttemptEnded() {
    if (!found_ && !request_.follow() && !last_error_.empty()) {
      return Step::End({grpc::StatusCode::NOT_FOUND, last_error_});
    }
    if (!request_.follow() || request_.attempt() != 0) return Step::End(grpc::Status::OK);
    absl::StatusOr<runtime::JobView> job = api_->GetJob(job_);
    if (!job.ok()) return Step::End(ToGrpc(job.status()));
    const core::JobRow& row = job->record.job;
    if (row.attempt > attempt_) {
      OpenAttempt(row.attempt, row.request.workers);
      return OpenOrEnd();
    }
    if (core::IsFinal(row.state)) return Step::End(grpc::Status::OK);
    // A rank may not have begun to write when it was asked.
    for (LogSource& source : sources_) {
      if (job->record.ranks.size() <= source.key.rank) continue;
      if (!job->record.ranks[source.key.rank].exit) {
        source.state = LogSource::State::kClosed;
        source.retry_at = base::MonotonicNow() + kRetry;
      }
    }
    return Step::WaitUntil(base::MonotonicNow() + kRetry);
  }

  runtime::Api* const api_;
  const v1::GetLogsRequest request_;
  LogInbox inbox_;
  bool begun_ = false;
  bool noted_ = false;  // that the job has never run
  core::JobId job_;
  core::Attempt attempt_;  // 0: none yet
  std::vector<LogSource> sources_;
  bool found_ = false;  // some source of this attempt has answered
  std::string last_error_;
  std::unique_ptr<runtime::Subscription> subscription_;
};

}  // namespace

std::shared_ptr<StreamCall<v1::LogChunk>> MakeLogStream(runtime::Api* api, WorkLoop* loop,
                                                        const v1::GetLogsRequest& request) {
  return std::make_shared<LogStream>(api, loop, request);
}

}  // namespace coxswain::coordinator::rpc
