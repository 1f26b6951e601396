// What a started coordinator leaves in its data directory for others to find, and tells to systemd.
#pragma once

#include <absl/status/status.h>

#include <string>

namespace coxswain::coordinator::runtime {

// Makes the directory (with its parents) for its owner alone, mode 0700; an existing one of ours is
// closed to others. PermissionDenied, ResourceExhausted, FailedPrecondition (not a directory): what
// to do.
absl::Status MakeDataDir(const std::string& directory);

// DataLoss: state.db is empty although metrics.db, which is made after it, is not. SQLite would
// take an empty file for a new one, and a fleet would find itself without its jobs.
absl::Status CheckStateNotEmptied(const std::string& directory);

// Where to reach a coordinator: `cox` and workers on the same machine read it.
struct Endpoint {
  std::string api, worker, http, token_file, cluster_id;
};
// Writes DIRECTORY/endpoint (JSON, with our pid) in one piece: a reader sees all of it or the old
// one.
absl::Status WriteEndpoint(const std::string& directory, const Endpoint& endpoint);
void RemoveEndpoint(const std::string& directory);

// "READY=1", "STOPPING=1" to systemd, if it started us (NOTIFY_SOCKET); otherwise nothing.
void NotifySystemd(const std::string& state);

}  // namespace coxswain::coordinator::runtime
