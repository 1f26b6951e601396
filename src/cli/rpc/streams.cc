// The streams of a Client: each goes on from its cursor after a broken connection.
#include <map>
#include <tuple>

#include "cli/rpc/client.h"
#include "cli/rpc/wire.h"

namespace coxswain::cli::rpc {
namespace {

const grpc::Status kBroken(grpc::StatusCode::UNAVAILABLE, "Connection closed by the coordinator");
constexpr std::chrono::milliseconds kNoLimit(0);

wire::LogStream ToWire(LogRequest::Stream stream) {
  switch (stream) {
    case LogRequest::Stream::kBoth:
      return wire::LOG_STREAM_BOTH;
    case LogRequest::Stream::kStdout:
      return wire::LOG_STREAM_STDOUT;
    case LogRequest::Stream::kStderr:
      return wire::LOG_STREAM_STDERR;
  }
  return wire::LOG_STREAM_BOTH;
}

}  // namespace

absl::StatusOr<Job> Client::Watch(const std::string& job,
                                  std::chrono::milliseconds progress_interval,
                                  const OnNews& on_news) {
  wire::WatchJobRequest request;
  request.set_job(job);
  request.set_progress_interval_ms(static_cast<uint32_t>(progress_interval.count()));
  Job last;
  bool enough = false;
  const absl::Status status = wire_->Repeat([&](bool* heard) -> grpc::Status {
    grpc::ClientContext call;
    wire_->Prepare(&call, kNoLimit);
    const base::WallTime sent = base::WallNow();
    auto stream = wire_->stub->WatchJob(&call, request);
    wire::WatchJobResponse news;
    while (stream->Read(&news)) {
      if (!*heard) wire_->HearClockOf(call, sent);
      *heard = true;
      last = wire_->Value(news.job());
      request.set_cursor(std::max<uint64_t>(request.cursor(), news.cursor()));
      std::vector<Event> events;
      for (const auto& event : news.events()) events.push_back(wire_->Value(event));
      enough = !on_news(last, events) || HasEnded(last);
      if (enough) call.TryCancel();
      if (enough) break;
    }
    const grpc::Status end = stream->Finish();
    if (enough) return grpc::Status::OK;
    return end.ok() ? kBroken : end;
  });
  if (!status.ok()) return status;
  return last;
}

absl::Status Client::Logs(const LogRequest& request,
                          const std::function<void(const LogChunk&)>& on_chunk) {
  wire::GetLogsRequest message;
  message.set_job(request.job);
  message.set_rank(request.rank);
  message.set_attempt(request.attempt);
  message.set_stream(ToWire(request.stream));
  message.set_follow(request.follow);
  message.set_tail_lines(request.tail_lines);
  std::map<std::tuple<uint32_t, uint32_t, int>, uint64_t> offsets;  // attempt, rank, stream
  const auto read = [&](bool* heard) -> grpc::Status {
    message.clear_cursors();
    for (const auto& [key, offset] : offsets) {
      wire::LogCursor* cursor = message.add_cursors();
      cursor->set_attempt(std::get<0>(key));
      cursor->set_rank(std::get<1>(key));
      cursor->set_stream(static_cast<wire::LogStream>(std::get<2>(key)));
      cursor->set_offset(offset);
    }
    if (!offsets.empty()) message.set_tail_lines(0);
    grpc::ClientContext call;
    wire_->Prepare(&call, kNoLimit);
    auto stream = wire_->stub->GetLogs(&call, message);
    wire::LogChunk chunk;
    while (stream->Read(&chunk)) {
      *heard = true;
      if (chunk.next_offset() > 0) {
        offsets[{chunk.attempt(), chunk.rank(), chunk.stream()}] = chunk.next_offset();
      }
      on_chunk(FromWire(chunk));
    }
    return stream->Finish();
  };
  bool heard = false;
  return request.follow ? wire_->Repeat(read) : wire_->Why(read(&heard));
}

absl::Status Client::Metrics(const MetricRequest& request,
                             const std::function<void(const MetricPoint&)>& on_point) {
  wire::GetMetricsRequest message;
  message.set_job(request.job);
  for (const std::string& name : request.names) message.add_names(name);
  message.set_follow(request.follow);
  message.set_include_repeated(request.include_repeated);
  message.set_max_points(request.max_points);
  const auto read = [&](bool* heard) -> grpc::Status {
    grpc::ClientContext call;
    wire_->Prepare(&call, kNoLimit);
    auto stream = wire_->stub->GetMetrics(&call, message);
    wire::MetricPoints points;
    while (stream->Read(&points)) {
      *heard = true;
      for (const auto& point : points.points()) on_point(wire_->Value(point));
      message.set_cursor(std::max<uint64_t>(message.cursor(), points.cursor()));
    }
    return stream->Finish();
  };
  bool heard = false;
  return request.follow ? wire_->Repeat(read) : wire_->Why(read(&heard));
}

absl::Status Client::Events(const EventRequest& request,
                            const std::function<void(const Event&)>& on_event) {
  wire::ListEventsRequest message;
  message.set_job(request.job);
  message.set_cursor(request.after);
  message.set_follow(request.follow);
  message.set_limit(request.limit);
  message.mutable_kinds()->Assign(request.kinds.begin(), request.kinds.end());
  message.mutable_without_kinds()->Assign(request.without_kinds.begin(),
                                          request.without_kinds.end());
  const auto read = [&](bool* heard) -> grpc::Status {
    grpc::ClientContext call;
    wire_->Prepare(&call, kNoLimit);
    auto stream = wire_->stub->ListEvents(&call, message);
    wire::Event event;
    while (stream->Read(&event)) {
      *heard = true;
      message.set_cursor(std::max<uint64_t>(message.cursor(), event.cursor()));
      on_event(wire_->Value(event));
    }
    return stream->Finish();
  };
  bool heard = false;
  return request.follow ? wire_->Repeat(read) : wire_->Why(read(&heard));
}

}  // namespace coxswain::cli::rpc
