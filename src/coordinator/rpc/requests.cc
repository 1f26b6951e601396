#include "coordinator/rpc/requests.h"

#include <algorithm>
#include <charconv>

#include "common/base/limits.h"
#include "common/config/quantities.h"
#include "coordinator/rpc/page_token.h"
#include "coxswain/v1/coxswain.pb.h"

namespace coxswain::coordinator::rpc {
namespace {

constexpr size_t kNameLongest = 1024;
constexpr int kListLongest = 1000;

grpc::Status TooLong(const char* field, size_t found, size_t most) {
  return Invalid(std::string(field) + " has " + std::to_string(found) + " bytes, at most " +
                 std::to_string(most) + " are allowed");
}

// A reason becomes part of events, tables and log lines.
grpc::Status CheckReason(const std::string& reason) {
  if (reason.size() > base::kMostReasonBytes) {
    return TooLong("reason", reason.size(), base::kMostReasonBytes);
  }
  if (config::FindBadByte(reason) == std::string::npos) return grpc::Status::OK;
  return Invalid("reason holds a control character, expected one line");
}

}  // namespace

grpc::Status Invalid(const std::string& text) { return {grpc::StatusCode::INVALID_ARGUMENT, text}; }

grpc::Status BadPageToken() {
  return Invalid(
      "page_token is none that this call has returned for the same filter: begin again without it");
}

grpc::Status Check(const v1::SubmitJobRequest& request) {
  if (request.spec_yaml().empty()) return Invalid("spec_yaml is empty, expected a job file's text");
  if (request.spec_yaml().size() > base::kMostJobFileBytes) {
    return TooLong("spec_yaml", request.spec_yaml().size(), base::kMostJobFileBytes);
  }
  if (request.spec_name().size() > kNameLongest) {
    return TooLong("spec_name", request.spec_name().size(), kNameLongest);
  }
  if (request.idempotency_key().size() > base::kMostIdempotencyKeyBytes) {
    return TooLong("idempotency_key", request.idempotency_key().size(),
                   base::kMostIdempotencyKeyBytes);
  }
  if (config::FindBadByte(request.idempotency_key()) != std::string::npos) {
    return Invalid("idempotency_key holds a control character, expected a line of text");
  }
  if (request.overrides_size() > kListLongest) {
    return Invalid(std::to_string(request.overrides_size()) + " overrides, at most " +
                   std::to_string(kListLongest) + " are allowed");
  }
  if (request.allow_uncommitted() && request.resume_from().empty()) {
    return Invalid("allow_uncommitted needs resume_from (a checkpoint URI)");
  }
  return grpc::Status::OK;
}

grpc::Status Check(const v1::CancelJobRequest& request) { return CheckReason(request.reason()); }

grpc::Status Check(const v1::DrainNodeRequest& request) {
  if (request.deadline_us() < 0) {
    return Invalid("deadline_us is " + std::to_string(request.deadline_us()) +
                   ", expected microseconds since 1970, or 0 for none");
  }
  return CheckReason(request.reason());
}

grpc::Status Check(const v1::GetLogsRequest& request) {
  if (request.rank() < -1) {
    return Invalid("rank is " + std::to_string(request.rank()) +
                   ", expected a rank, or -1 for all");
  }
  if (!v1::LogStream_IsValid(request.stream())) {
    return Invalid("stream is " + std::to_string(request.stream()) + ", expected 0 to 2");
  }
  for (const v1::LogCursor& cursor : request.cursors()) {
    if (cursor.stream() != v1::LOG_STREAM_STDOUT && cursor.stream() != v1::LOG_STREAM_STDERR) {
      return Invalid("a cursor's stream is " + std::to_string(cursor.stream()) +
                     ", expected 1 (stdout) or 2 (stderr)");
    }
  }
  return grpc::Status::OK;
}

grpc::Status Check(const v1::GetMetricsRequest& request) {
  if (request.max_points() < 0) {
    return Invalid("max_points is " + std::to_string(request.max_points()) +
                   ", expected 0 (all) or more");
  }
  if (request.names_size() > kListLongest) {
    return Invalid(std::to_string(request.names_size()) + " names, at most " +
                   std::to_string(kListLongest) + " are allowed");
  }
  return grpc::Status::OK;
}

grpc::Status Check(const v1::ListEventsRequest& request) {
  for (const auto& [field, kinds] : {std::pair("kinds", &request.kinds()),
                                     std::pair("without_kinds", &request.without_kinds())}) {
    if (kinds->size() > kListLongest) {
      return Invalid(std::to_string(kinds->size()) + " " + field + ", at most " +
                     std::to_string(kListLongest) + " are allowed");
    }
    if (std::any_of(kinds->begin(), kinds->end(), [](const auto& kind) { return kind.empty(); })) {
      return Invalid(std::string(field) +
                     ": found an empty one, expected a kind of event or its beginning, such as "
                     "JobFailed or Checkpoint");
    }
  }
  return grpc::Status::OK;
}

uint32_t PageSize(uint32_t asked) {
  return asked == 0 ? kPageDefault : std::min(asked, kPageLargest);
}

grpc::Status ReadFilter(const v1::ListJobsRequest& request, store::JobFilter* filter,
                        std::string* scope) {
  *scope = "jobs";
  if (request.active_only()) {
    if (request.states_size() > 0) return Invalid("give states or active_only, not both");
    filter->states = {core::JobState::kPending, core::JobState::kRunning,
                      core::JobState::kRecovering};
  }
  for (int state : request.states()) {
    if (!v1::JobState_IsValid(state) || state == v1::JOB_STATE_UNSPECIFIED) {
      return Invalid("states holds " + std::to_string(state) + ", expected 1 to 10");
    }
    filter->states.push_back(static_cast<core::JobState>(state));
  }
  for (core::JobState state : filter->states)
    *scope += " " + std::to_string(static_cast<int>(state));
  filter->name_prefix = request.name_prefix();
  *scope += " " + request.name_prefix();
  filter->labels.insert(request.labels().begin(), request.labels().end());
  for (const auto& [key, value] : filter->labels) *scope += " " + key + "=" + value;
  filter->queues.assign(request.queues().begin(), request.queues().end());
  for (const std::string& queue : filter->queues) *scope += " queue " + queue;
  filter->submitted_by = request.submitted_by();
  *scope += " by " + request.submitted_by();
  filter->limit = PageSize(request.page_size()) + 1;
  if (request.page_token().empty()) return grpc::Status::OK;
  std::optional<std::string> position = ReadPageToken(request.page_token(), *scope);
  uint64_t before = 0;
  if (!position ||
      std::from_chars(position->data(), position->data() + position->size(), before).ec !=
          std::errc()) {
    return BadPageToken();
  }
  filter->before = core::JobId(before);
  return grpc::Status::OK;
}

}  // namespace coxswain::coordinator::rpc
