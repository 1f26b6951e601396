// The folder of one rank, `<data>/jobs/j12/a2/r0/`: what was ordered, what its shim keeps there,
// and whether the coordinator knows how it ended.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/protocol/worker_messages.h"

namespace coxswain::worker::process {

std::string JobFolder(const std::string& data_dir, base::JobId job);
std::string RankFolder(const std::string& data_dir, const protocol::RankKey& key);
inline constexpr char kSpecFile[] = "spec.yaml";

// Makes the folder with spec and record. A folder of an earlier incarnation of the same rank is set
// aside ("r0-old1"). Not synced: after a power cut no rank is there to be found again.
absl::Status WriteRankFolder(const std::string& folder, const protocol::StartRank& start,
                             const std::string& boot_id);

struct RankRecord {
  protocol::StartRank start;  // complete
  std::string boot_id;
};
absl::StatusOr<RankRecord> ReadRankFolder(const std::string& folder);

// From now on FindRankFolders leaves it out.
absl::Status MarkAcknowledged(const std::string& folder);

// The folders of all ranks whose end the coordinator does not know yet.
std::vector<std::string> FindRankFolders(const std::string& data_dir);

// The exit record that the shim left; nothing if there is none.
std::optional<protocol::ExitRecord> ReadExit(const std::string& folder);

// True while a shim lives for this folder.
bool ShimLives(const std::string& folder);

// For a rank without exit record whose shim is gone: ends what is left of it, and says what
// happened as far as it can be known.
protocol::ExitRecord LostExit(const std::string& folder, const std::string& record_boot_id,
                              const std::string& boot_id);

}  // namespace coxswain::worker::process
