#include "coordinator/store/sqlite_connection.h"

#include <absl/strings/str_cat.h>

#include <cstring>

namespace coxswain::coordinator::store {

absl::Status SqliteError(int code, int system_error, const std::string& detail,
                         const std::string& path) {
  std::string system = system_error == 0 ? "" : absl::StrCat(" (", strerror(system_error), ")");
  if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) {
    return absl::DataLossError(absl::StrCat("fsync failed on ", path, system,
                                            ": what was written may be gone; check the disk"));
  }
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(
          absl::StrCat("no space left on the disk of ", path, ": free some space"));
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return absl::PermissionDeniedError(
          absl::StrCat("cannot write ", path, system,
                       ": give the coordinator's user write access to it and its folder"));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(absl::StrCat(path, " is damaged (", detail,
                                              "): restore it from a backup, or move it away to "
                                              "start with an empty one"));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(
          absl::StrCat(path, " is locked by another program: stop that program"));
    case SQLITE_IOERR:
      return absl::UnavailableError(
          absl::StrCat("I/O error on ", path, system, ": ", detail, "; check the disk"));
    default:
      return absl::InternalError(absl::StrCat(path, ": SQLite error ", code, ": ", detail));
  }
}

absl::StatusOr<bool> Statement::Step() {
  int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  sqlite3* db = sqlite3_db_handle(statement_.get());
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_.get());
    return false;
  }
  absl::Status error = SqliteError(sqlite3_extended_errcode(db), sqlite3_system_errno(db),
                                   sqlite3_errmsg(db), path_);
  sqlite3_reset(statement_.get());
  return error;
}

absl::Status Statement::Run() {
  while (true) {
    absl::StatusOr<bool> row = Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
  }
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const std::string& path, int flags,
                                                             const std::string& vfs) {
  std::unique_ptr<Connection> connection(new Connection(path));
  int code = sqlite3_open_v2(path.c_str(), &connection->db_, flags | SQLITE_OPEN_NOMUTEX,
                             vfs.empty() ? nullptr : vfs.c_str());
  if (connection->db_ != nullptr) sqlite3_extended_result_codes(connection->db_, 1);
  if (code != SQLITE_OK) return connection->Error(code);
  sqlite3_busy_timeout(connection->db_, 2000);
  return connection;
}

Connection::~Connection() { sqlite3_close_v2(db_); }

absl::Status Connection::Error(int code) const {
  if (db_ == nullptr) return SqliteError(code, 0, sqlite3_errstr(code), path_);
  return SqliteError(sqlite3_extended_errcode(db_), sqlite3_system_errno(db_), sqlite3_errmsg(db_),
                     path_);
}

absl::StatusOr<Statement> Connection::Prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v3(db_, sql.c_str(), static_cast<int>(sql.size()),
                                SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return Error(code);
  return Statement(statement, path_);
}

absl::Status Connection::Execute(const std::string& sql) {
  int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error(code);
}

absl::StatusOr<int64_t> Connection::QueryInt(const std::string& sql) {
  absl::StatusOr<Statement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  int64_t value = 0;
  if (*row) statement->Read(0, value);
  return value;
}

absl::Status Connection::CheckpointAfter(int pages) {
  // The hook replaces SQLite's own automatic checkpoint, which hides fsync errors.
  static constexpr auto kHook = [](void* self, sqlite3*, const char*, int wal_pages) {
    static_cast<Connection*>(self)->wal_pages_ = wal_pages;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(db_, kHook, this);
  if (wal_pages_ < pages) return absl::OkStatus();
  int code = sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  wal_pages_ = 0;
  absl::Status status = code == SQLITE_OK ? absl::OkStatus() : Error(code);
  return absl::IsDataLoss(status) ? status : absl::OkStatus();
}

}  // namespace coxswain::coordinator::store
