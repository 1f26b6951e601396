// The schema of state.db and metrics.db by version, and the way from an older one to the newest.
#pragma once

#include <span>
#include <string>

#include "coordinator/store/sqlite_connection.h"

namespace coxswain::coordinator::store {

// Step i leads from version i to i + 1; the first one makes the tables in an empty file.
using Migrations = std::span<const char* const>;

extern const Migrations kStateMigrations;
extern const Migrations kMetricMigrations;

// Opens the file, or makes it, for its one writer: WAL, fsync at every commit (unless `synchronous`
// is false), of the newest version. An older file is brought there in one transaction, after a copy
// of it beside it ("state.db.v1-backup"). FailedPrecondition: the file is of a newer version, or of
// another program; others as SqliteError.
absl::StatusOr<std::unique_ptr<Connection>> OpenWriter(const std::string& path,
                                                       Migrations migrations,
                                                       const std::string& vfs, bool synchronous);
absl::StatusOr<std::unique_ptr<Connection>> OpenReader(const std::string& path,
                                                       const std::string& vfs);

}  // namespace coxswain::coordinator::store
