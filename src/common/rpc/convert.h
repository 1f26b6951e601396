// The one place where protocol structs and coxswain.internal.v1 messages meet.
//
// ToProto never fails; bytes that are no UTF-8 (a rank's log may hold any) become U+FFFD in string
// fields, since a proto3 peer refuses the whole message otherwise. FromProto checks what it reads:
// an empty oneof, a missing part, a number outside its enumeration or an id of 0 where none may be
// are INVALID_ARGUMENT with the message, the field, what was found and what was expected. On error
// `out` is unspecified. All functions are pure and thread-safe.
#pragma once

#include "absl/status/status.h"
#include "common/protocol/trainer_messages.h"
#include "common/protocol/worker_messages.h"

namespace coxswain::internal::v1 {
class RankKey;
class MetricPoint;
class StartTask;
class TaskEnded;
class TrainerOrder;
class TrainerReport;
class WorkerOrder;
class WorkerReport;
}  // namespace coxswain::internal::v1

namespace coxswain::rpc {

namespace wire = ::coxswain::internal::v1;

void ToProto(const protocol::RankKey& in, wire::RankKey* out);
void ToProto(const protocol::MetricPoint& in, wire::MetricPoint* out);
void ToProto(const protocol::StartTask& in, wire::StartTask* out);
void ToProto(const protocol::TaskEnded& in, wire::TaskEnded* out);
void ToProto(const protocol::TrainerOrder& in, wire::TrainerOrder* out);
void ToProto(const protocol::TrainerReport& in, wire::TrainerReport* out);
void ToProto(const protocol::WorkerReport& in, wire::WorkerReport* out);
void ToProto(const protocol::WorkerOrder& in, base::Term term, wire::WorkerOrder* out);

[[nodiscard]] absl::Status FromProto(const wire::RankKey& in, protocol::RankKey* out);
[[nodiscard]] absl::Status FromProto(const wire::MetricPoint& in, protocol::MetricPoint* out);
[[nodiscard]] absl::Status FromProto(const wire::StartTask& in, protocol::StartTask* out);
[[nodiscard]] absl::Status FromProto(const wire::TaskEnded& in, protocol::TaskEnded* out);
[[nodiscard]] absl::Status FromProto(const wire::TrainerOrder& in, protocol::TrainerOrder* out);
[[nodiscard]] absl::Status FromProto(const wire::TrainerReport& in, protocol::TrainerReport* out);
[[nodiscard]] absl::Status FromProto(const wire::WorkerReport& in, protocol::WorkerReport* out);
[[nodiscard]] absl::Status FromProto(const wire::WorkerOrder& in, base::Term* term,
                                     protocol::WorkerOrder* out);

// `text` as valid UTF-8: every byte that cannot be part of it becomes U+FFFD.
std::string Utf8(std::string_view text);

}  // namespace coxswain::rpc
