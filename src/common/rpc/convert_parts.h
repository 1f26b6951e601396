// Private to common/rpc: conversions of the messages inside the messages of convert.h, and the
// checks that they share.
#pragma once

#include "common/rpc/convert.h"
#include "coxswain/internal/v1/internal.pb.h"

namespace coxswain::rpc {

void ToProto(const protocol::TrainerReady& in, wire::TrainerReady* out);
void ToProto(const protocol::ExitRecord& in, wire::ExitRecord* out);
void ToProto(const protocol::Inventory& in, wire::Inventory* out);
void ToProto(const protocol::Shard& in, wire::Shard* out);

absl::Status FromProto(const wire::TrainerReady& in, protocol::TrainerReady* out);
absl::Status FromProto(const wire::ExitRecord& in, protocol::ExitRecord* out);
absl::Status FromProto(const wire::Inventory& in, protocol::Inventory* out);
absl::Status FromProto(const wire::Shard& in, protocol::Shard* out);

#define COX_RETURN_IF_ERROR(expression)                                  \
  do {                                                                   \
    if (absl::Status status = (expression); !status.ok()) return status; \
  } while (false)

// "RankStarted.key is missing"
absl::Status Missing(std::string_view message, std::string_view field);
// "StartTask.kind is 9, expected 0 to 2"
absl::Status OutOfRange(std::string_view message, std::string_view field, uint64_t found,
                        uint64_t low, uint64_t high);
absl::Status EmptyBody(std::string_view message);

// An enumeration sent as its number; `last` is its highest value.
template <class Enum>
absl::Status ReadEnum(std::string_view message, std::string_view field, uint32_t in, Enum last,
                      Enum* out) {
  if (in > static_cast<uint32_t>(last)) {
    return OutOfRange(message, field, in, 0, static_cast<uint32_t>(last));
  }
  *out = static_cast<Enum>(in);
  return absl::OkStatus();
}

// A required part. `Part` is a message field's getter result, `has` whether it was set.
template <class Part, class Out>
absl::Status ReadPart(std::string_view message, std::string_view field, bool has, const Part& in,
                      Out* out) {
  if (!has) return Missing(message, field);
  return FromProto(in, out);
}

}  // namespace coxswain::rpc
