// SQLite in our terms: a connection, prepared statements with typed binding, errors as one clear
// line. Not thread-safe: a connection and its statements belong to one thread at a time.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <sqlite3.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>

#include "common/base/ids.h"
#include "common/base/time.h"

namespace coxswain::coordinator::store {

// The error of a failed call, with what to do about it. ResourceExhausted: the disk is full;
// PermissionDenied: not writable; DataLoss: the file is damaged, or an fsync failed; Unavailable:
// busy or an I/O error. `system_error`: errno of the failed system call, 0 if unknown.
absl::Status SqliteError(int code, int system_error, const std::string& detail,
                         const std::string& path);

// How one C++ type is bound to a parameter and read from a column.
template <class T, class = void>
struct Column;

class Statement {
 public:
  Statement() = default;
  Statement(sqlite3_stmt* statement, std::string path) : statement_(statement), path_(path) {}

  // Starts anew with these parameters, from 1 on.
  template <class... Args>
  Statement& Bind(const Args&... args) {
    Reset();
    int index = 0;
    (Column<std::remove_cvref_t<Args>>::Bind(statement_.get(), ++index, args), ...);
    return *this;
  }
  template <class T>
  void BindAt(int index, const T& value) {
    Column<T>::Bind(statement_.get(), index, value);
  }
  // True: a row is there to Read.
  absl::StatusOr<bool> Step();
  // To the end, rows ignored.
  absl::Status Run();
  // Takes the columns of the current row, from `first` on.
  // False: a column holds what this version cannot read.
  template <class... Args>
  bool Read(int first, Args&&... args) {
    bool whole = true;
    ((whole = Column<std::remove_cvref_t<Args>>::Read(statement_.get(), first++, args) && whole),
     ...);
    return whole;
  }
  void Reset() {
    sqlite3_reset(statement_.get());
    sqlite3_clear_bindings(statement_.get());
  }

  const std::string& path() const { return path_; }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  std::string path_;
};

class Connection {
 public:
  // `flags`: SQLITE_OPEN_*. `vfs`: empty for the real one.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const std::string& path, int flags,
                                                          const std::string& vfs);
  ~Connection();
  Connection(const Connection&) = delete;

  absl::StatusOr<Statement> Prepare(const std::string& sql);
  absl::Status Execute(const std::string& sql);  // one or more statements
  absl::StatusOr<int64_t> QueryInt(const std::string& sql);
  // Writes back what the write-ahead log holds, once it has this many pages; DataLoss after an
  // fsync error, other failures are left to the next time.
  absl::Status CheckpointAfter(int pages);
  bool InTransaction() const { return sqlite3_get_autocommit(db_) == 0; }
  const std::string& path() const { return path_; }
  sqlite3* handle() { return db_; }

 private:
  explicit Connection(std::string path) : path_(std::move(path)) {}
  absl::Status Error(int code) const;

  std::string path_;
  sqlite3* db_ = nullptr;
  int wal_pages_ = 0;
};

template <class T>
struct Column<T, std::enable_if_t<std::is_integral_v<T> || std::is_enum_v<T>>> {
  static void Bind(sqlite3_stmt* s, int i, T v) {
    sqlite3_bind_int64(s, i, static_cast<sqlite3_int64>(v));
  }
  static bool Read(sqlite3_stmt* s, int i, T& v) {
    v = static_cast<T>(sqlite3_column_int64(s, i));
    return true;
  }
};
template <>
struct Column<double> {
  // SQLite has no NaN: it would make NULL of it. A text stays one in a column of numbers.
  static void Bind(sqlite3_stmt* s, int i, double v) {
    if (std::isnan(v)) {
      sqlite3_bind_text(s, i, "NaN", -1, SQLITE_STATIC);
    } else {
      sqlite3_bind_double(s, i, v);
    }
  }
  static bool Read(sqlite3_stmt* s, int i, double& v) {
    const bool nan = sqlite3_column_type(s, i) == SQLITE_TEXT;
    v = nan ? std::numeric_limits<double>::quiet_NaN() : sqlite3_column_double(s, i);
    return true;
  }
};
template <>
struct Column<std::string> {
  static void Bind(sqlite3_stmt* s, int i, const std::string& v) {
    sqlite3_bind_text64(s, i, v.data(), v.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  static bool Read(sqlite3_stmt* s, int i, std::string& v) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(s, i));
    v.assign(text == nullptr ? "" : text, text == nullptr ? 0 : sqlite3_column_bytes(s, i));
    return true;
  }
};
template <class Tag>
struct Column<base::Number<Tag>> {
  static void Bind(sqlite3_stmt* s, int i, base::Number<Tag> v) {
    Column<uint64_t>::Bind(s, i, v.value);
  }
  static bool Read(sqlite3_stmt* s, int i, base::Number<Tag>& v) {
    return Column<uint64_t>::Read(s, i, v.value);
  }
};
template <class Tag>
struct Column<base::Name<Tag>> {
  static void Bind(sqlite3_stmt* s, int i, const base::Name<Tag>& v) {
    Column<std::string>::Bind(s, i, v.value);
  }
  static bool Read(sqlite3_stmt* s, int i, base::Name<Tag>& v) {
    return Column<std::string>::Read(s, i, v.value);
  }
};
template <>
struct Column<base::WallTime> {
  static void Bind(sqlite3_stmt* s, int i, base::WallTime v) { Column<int64_t>::Bind(s, i, v.us); }
  static bool Read(sqlite3_stmt* s, int i, base::WallTime& v) {
    return Column<int64_t>::Read(s, i, v.us);
  }
};
template <>
struct Column<base::Duration> {
  static void Bind(sqlite3_stmt* s, int i, base::Duration v) {
    Column<int64_t>::Bind(s, i, v.count());
  }
  static bool Read(sqlite3_stmt* s, int i, base::Duration& v) {
    v = base::Duration(sqlite3_column_int64(s, i));
    return true;
  }
};

}  // namespace coxswain::coordinator::store
