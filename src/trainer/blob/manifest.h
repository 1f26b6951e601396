// manifest.json: all that is known of a checkpoint, and `committed`, the object that says the
// coordinator has recorded it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/protocol/trainer_messages.h"
#include "trainer/blob/hasher.h"
#include "trainer/blob/tensor_info.h"

namespace coxswain::trainer::blob {

inline constexpr char kManifestName[] = "manifest.json";
inline constexpr char kCommittedName[] = "committed";
inline constexpr int kManifestFormat = 1;

// What a resumed run needs besides the tensors.
struct CheckpointInfo {
  std::string cluster;
  std::string job;              // "j12"
  base::Generation generation;  // that saved it
  int64_t step = 0;
  int64_t position = 0;  // samples used
  int64_t epoch = 0;
  uint32_t world_size = 0;  // that saved it
  std::string spec_digest;  // XXH3-64 of the job file's text (HashHex)
  // Small texts of the trainer's own: random state, best evaluation ... Kept as they are (any
  // bytes).
  std::map<std::string, std::string> state;
  friend bool operator==(const CheckpointInfo&, const CheckpointInfo&) = default;
};

struct Manifest {
  CheckpointInfo info;
  std::vector<TensorInfo> tensors;      // in the order that the shares are cut from
  std::vector<protocol::Shard> shards;  // ascending by rank
  friend bool operator==(const Manifest&, const Manifest&) = default;
};

std::string ToJson(const Manifest& manifest);  // the same bytes for the same manifest
// INVALID_ARGUMENT names the key, what was found and what was expected; FAILED_PRECONDITION: of
// another format number.
absl::StatusOr<Manifest> ParseManifest(std::string_view json);

// The text of `committed`: {"manifest_hash": "..."}.
std::string CommittedText(std::string_view manifest_hash);
absl::StatusOr<std::string> ParseCommitted(std::string_view text);

}  // namespace coxswain::trainer::blob
