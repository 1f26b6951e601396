// The writing side of state.db: one connection, prepared statements, one transaction per Commit.
#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "coordinator/store/data_lock.h"
#include "coordinator/store/schema.h"
#include "coordinator/store/sqlite_state_reader.h"
#include "coordinator/store/state_store.h"
#include "coordinator/store/tables.h"

namespace coxswain::coordinator::store {

std::string UpsertSql(const std::string& table, const std::string& key,
                      const std::string& columns) {
  std::string places;
  std::string updates;
  for (size_t at = 0; at < columns.size();) {
    size_t end = std::min(columns.find(", ", at), columns.size());
    std::string column = columns.substr(at, end - at);
    absl::StrAppend(&places, places.empty() ? "?" : ", ?");
    if ((", " + key + ", ").find(", " + column + ", ") == std::string::npos) {
      absl::StrAppend(&updates, updates.empty() ? "" : ", ", column, " = excluded.", column);
    }
    at = end + 2;
  }
  return absl::StrCat("INSERT INTO ", table, "(", columns, ") VALUES (", places, ") ON CONFLICT (",
                      key, ") DO UPDATE SET ", updates);
}

namespace {

constexpr int kCheckpointPages = 1000;
constexpr off_t kRoomBytes = 1 << 20;  // for many commits

// Whether the disk takes more than the few bytes that are free between two refusals.
absl::Status TakeRoom(const std::string& path) {
  const std::string file = path + "-room";
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const int error = fd < 0 ? errno : posix_fallocate(fd, 0, kRoomBytes);
  if (fd >= 0) close(fd);
  unlink(file.c_str());
  if (error != ENOSPC && error != EDQUOT) return absl::OkStatus();  // the commit will say it
  return absl::ResourceExhaustedError(
      absl::StrCat("no space left on the disk of ", path, ": free some space"));
}

template <class Row>
absl::Status LoadRows(Connection& connection, const std::string& rest, std::vector<Row>& out) {
  absl::StatusOr<Statement> statement = connection.Prepare(SelectSql<Row>(rest));
  return statement.ok() ? ReadRows(*statement, out) : statement.status();
}

// Which row, of those that are written again and again; nothing: of another kind.
using RowKey = std::tuple<size_t, uint64_t, uint64_t, uint64_t>;
std::optional<RowKey> KeyOf(const core::Change& change) {
  size_t kind = change.index();
  if (std::holds_alternative<core::ClusterRow>(change)) return RowKey(kind, 0, 0, 0);
  if (const auto* job = std::get_if<core::JobRow>(&change))
    return RowKey(kind, job->id.value, 0, 0);
  if (const auto* attempt = std::get_if<core::AttemptRow>(&change)) {
    return RowKey(kind, attempt->job.value, attempt->number.value, 0);
  }
  if (const auto* generation = std::get_if<core::GenerationRow>(&change)) {
    return RowKey(kind, generation->job.value, generation->generation.value, 0);
  }
  if (const auto* rank = std::get_if<core::RankRow>(&change)) {
    return RowKey(kind, rank->key.job.value, rank->key.attempt.value, rank->key.rank);
  }
  return std::nullopt;
}

// Rows that a later change of the same transaction writes again: only the last one counts.
std::vector<bool> WrittenAgain(std::span<const core::Change> changes) {
  std::vector<bool> again(changes.size());
  std::set<RowKey> later;
  for (size_t i = changes.size(); i-- > 0;) {
    if (std::holds_alternative<core::DeleteJob>(changes[i])) later.clear();
    std::optional<RowKey> key = KeyOf(changes[i]);
    again[i] = key && !later.insert(*key).second;
  }
  return again;
}

class SqliteStateStore : public StateStore {
 public:
  SqliteStateStore(SqliteOptions options, std::unique_ptr<DataLock> lock,
                   std::unique_ptr<Connection> connection)
      : options_(std::move(options)), lock_(std::move(lock)), db_(std::move(connection)) {}

  absl::StatusOr<core::Snapshot> Load(const core::ClusterId& id_if_new) override;
  absl::Status Commit(std::span<const core::Change> changes) override;
  absl::StatusOr<std::unique_ptr<StateReader>> NewReader() override {
    return NewSqliteStateReader(options_.path, options_.vfs);
  }
  absl::Status PrepareStatements();

 private:
  absl::Status WriteAll(std::span<const core::Change> changes);
  bool TextIsWritten(const core::JobRow& row);
  template <class Row>
  absl::Status Write(const Row& row);
  absl::Status Write(const core::JobRow& row);
  absl::Status Write(const core::CheckpointDamaged& change);
  absl::Status Write(const core::DeleteJob& change);
  absl::Status Write(const core::DeleteEventsUpTo& change);
  absl::Status Write(const core::DeleteNode& change);
  absl::Status Write(const core::DeleteUsage& change);
  absl::Status LoadSpecs(std::vector<core::JobRow>& jobs);
  absl::Status LoadRunTimes(std::vector<core::RunTime>& run_times);

  SqliteOptions options_;
  std::unique_ptr<DataLock> lock_;
  std::unique_ptr<Connection> db_;
  Statement begin_, commit_, rollback_;
  bool was_full_ = false;  // the last commit found no space
  // A hash of the file and the labels of jobs that have not ended, as this object wrote them: they
  // hardly ever change, the row does all the time.
  std::map<core::JobId, size_t> texts_;
  std::tuple<std::pair<core::ClusterRow*, Statement>, std::pair<core::JobRow*, Statement>,
             std::pair<core::AttemptRow*, Statement>, std::pair<core::RankRow*, Statement>,
             std::pair<core::GenerationRow*, Statement>, std::pair<core::CheckpointRow*, Statement>,
             std::pair<core::NodeRow*, Statement>, std::pair<core::EventRow*, Statement>,
             std::pair<core::UsageRow*, Statement>>
      upserts_;
  Statement spec_, drop_labels_, add_labels_, delete_events_, delete_node_, delete_usage_, damage_;
  std::vector<Statement> delete_job_;
};

absl::Status SqliteStateStore::PrepareStatements() {
  absl::Status status;
  auto prepare = [&](Statement& into, const std::string& sql) {
    if (!status.ok()) return;
    absl::StatusOr<Statement> statement = db_->Prepare(sql);
    if (statement.ok()) into = *std::move(statement);
    status = statement.status();
  };
  prepare(begin_, "BEGIN IMMEDIATE");
  prepare(commit_, "COMMIT");
  prepare(rollback_, "ROLLBACK");
  std::apply(
      [&](auto&... upsert) {
        (prepare(upsert.second,
                 UpsertSql<std::remove_pointer_t<std::remove_cvref_t<decltype(upsert.first)>>>()),
         ...);
      },
      upserts_);
  prepare(spec_,
          "INSERT INTO job_specs(job, spec_yaml) VALUES (?, ?) ON CONFLICT (job) DO UPDATE SET "
          "spec_yaml = excluded.spec_yaml WHERE spec_yaml <> excluded.spec_yaml");
  prepare(drop_labels_,
          "DELETE FROM job_labels WHERE job = ?1 AND NOT EXISTS (SELECT 1 FROM json_each(?2) AS e "
          "WHERE e.key = job_labels.key AND e.value = job_labels.value)");
  prepare(add_labels_,
          "INSERT OR IGNORE INTO job_labels(job, key, value) SELECT ?1, key, value FROM "
          "json_each(?2)");
  prepare(delete_events_, "DELETE FROM events WHERE seq <= ?");
  prepare(delete_node_, "DELETE FROM nodes WHERE id = ?");
  prepare(delete_usage_, "DELETE FROM usage WHERE queue = ? AND user = ?");
  prepare(damage_,
          "UPDATE checkpoints SET state = ?2, reason = ?3 WHERE id = ?1 AND state IN (?4, ?5) AND "
          "collect = 0");
  for (const char* sql :
       {"DELETE FROM jobs WHERE id = ?", "DELETE FROM job_specs WHERE job = ?",
        "DELETE FROM job_labels WHERE job = ?", "DELETE FROM attempts WHERE job = ?",
        "DELETE FROM ranks WHERE job = ?", "DELETE FROM generations WHERE job = ?",
        "DELETE FROM checkpoints WHERE job = ?", "DELETE FROM events WHERE job = ?"}) {
    prepare(delete_job_.emplace_back(), sql);
  }
  return status;
}

template <class Row>
absl::Status SqliteStateStore::Write(const Row& row) {
  Statement& statement = std::get<std::pair<Row*, Statement>>(upserts_).second;
  BindRow(statement, row);
  return statement.Run();
}

// And takes note that it is about to be.
bool SqliteStateStore::TextIsWritten(const core::JobRow& row) {
  size_t text = std::hash<std::string>()(row.spec_yaml);
  for (const auto& [key, value] : row.request.labels) {
    text = text * 31 + std::hash<std::string>()(key);
    text = text * 31 + std::hash<std::string>()(value);
  }
  auto [known, added] = texts_.try_emplace(row.id, text);
  bool written = !added && known->second == text;
  known->second = text;
  if (core::IsFinal(row.state)) texts_.erase(known);
  return written;
}

absl::Status SqliteStateStore::Write(const core::JobRow& row) {
  absl::Status status = Write<core::JobRow>(row);
  if (TextIsWritten(row)) return status;
  std::string labels = ToJson(row.request.labels);
  if (status.ok()) status = spec_.Bind(row.id, row.spec_yaml).Run();
  if (status.ok()) status = drop_labels_.Bind(row.id, labels).Run();
  if (status.ok()) status = add_labels_.Bind(row.id, labels).Run();
  return status;
}

absl::Status SqliteStateStore::Write(const core::CheckpointDamaged& change) {
  using State = core::CheckpointState;
  return damage_
      .Bind(change.id, State::kCorrupt, change.reason, State::kCommitted, State::kVerified)
      .Run();
}

absl::Status SqliteStateStore::Write(const core::DeleteJob& change) {
  for (Statement& statement : delete_job_) {
    absl::Status status = statement.Bind(change.job).Run();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}
absl::Status SqliteStateStore::Write(const core::DeleteEventsUpTo& change) {
  return delete_events_.Bind(change.seq).Run();
}
absl::Status SqliteStateStore::Write(const core::DeleteNode& change) {
  return delete_node_.Bind(change.id).Run();
}
absl::Status SqliteStateStore::Write(const core::DeleteUsage& change) {
  return delete_usage_.Bind(change.queue, change.user).Run();
}

absl::Status SqliteStateStore::WriteAll(std::span<const core::Change> changes) {
  absl::Status status = begin_.Bind().Run();
  std::vector<bool> again = WrittenAgain(changes);
  for (size_t i = 0; i < changes.size(); ++i) {
    if (!status.ok()) return status;
    if (!again[i]) status = std::visit([this](const auto& row) { return Write(row); }, changes[i]);
  }
  if (status.ok()) status = commit_.Bind().Run();
  return status;
}

absl::Status SqliteStateStore::Commit(std::span<const core::Change> changes) {
  if (changes.empty()) return absl::OkStatus();
  absl::Status status = was_full_ ? TakeRoom(options_.path) : absl::OkStatus();
  if (status.ok()) status = WriteAll(changes);
  was_full_ = absl::IsResourceExhausted(status);
  if (!status.ok()) {
    if (db_->InTransaction()) rollback_.Bind().Run().IgnoreError();
    texts_.clear();
    return status;
  }
  return db_->CheckpointAfter(kCheckpointPages);
}

absl::Status SqliteStateStore::LoadSpecs(std::vector<core::JobRow>& jobs) {
  absl::StatusOr<Statement> spec = db_->Prepare("SELECT spec_yaml FROM job_specs WHERE job = ?");
  if (!spec.ok()) return spec.status();
  for (core::JobRow& job : jobs) {
    absl::StatusOr<bool> row = spec->Bind(job.id).Step();
    if (!row.ok()) return row.status();
    if (*row) spec->Read(0, job.spec_yaml);
  }
  return absl::OkStatus();
}

absl::Status SqliteStateStore::LoadRunTimes(std::vector<core::RunTime>& run_times) {
  // By the partial index of ended jobs: state > 3 is its condition, 4 is COMPLETED.
  absl::StatusOr<Statement> lately = db_->Prepare(
      "SELECT submitted_by, name, ran_us FROM jobs WHERE state > 3 AND state = 4 "
      "ORDER BY ended_us DESC LIMIT 2048");
  if (!lately.ok()) return lately.status();
  while (true) {
    absl::StatusOr<bool> row = lately->Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    core::RunTime& ran = run_times.emplace_back();
    lately->Read(0, ran.user);
    lately->Read(1, ran.name);
    lately->Read(2, ran.ran);
  }
  std::reverse(run_times.begin(), run_times.end());
  return absl::OkStatus();
}

absl::StatusOr<core::Snapshot> SqliteStateStore::Load(const core::ClusterId& id_if_new) {
  const std::string of_live = "WHERE job IN (SELECT id FROM jobs WHERE state <= 3)";
  // Each half of the union has a partial index of its own: the finished are not looked at.
  const std::string unfinished =
      "(SELECT job FROM checkpoints WHERE collect <> 0 AND state <> 6 UNION "
      "SELECT job FROM checkpoints WHERE state = 2)";
  core::Snapshot snapshot;
  std::vector<core::ClusterRow> clusters;
  absl::Status status = LoadRows(*db_, "", clusters);
  if (!status.ok()) return status;
  if (clusters.empty()) {
    snapshot.cluster.id = id_if_new;
    const core::Change change = snapshot.cluster;
    status = Commit({&change, 1});
  } else {
    snapshot.cluster = clusters.front();
  }
  if (status.ok()) status = LoadRows(*db_, "ORDER BY id", snapshot.nodes);
  if (status.ok()) {
    status =
        LoadRows(*db_, "WHERE state <= 3 OR id IN " + unfinished + " ORDER BY id", snapshot.jobs);
  }
  if (status.ok()) status = LoadSpecs(snapshot.jobs);
  if (status.ok()) status = LoadRows(*db_, of_live + " ORDER BY job, number", snapshot.attempts);
  if (status.ok()) {
    status = LoadRows(*db_,
                      of_live +
                          " AND (state <> 3 OR attempt = (SELECT j.attempt FROM jobs AS j "
                          "WHERE j.id = job)) ORDER BY job, attempt, rank",
                      snapshot.ranks);
  }
  if (status.ok()) {
    status = LoadRows(*db_,
                      of_live +
                          " AND generation = (SELECT max(generation) FROM generations "
                          "AS g WHERE g.job = generations.job) ORDER BY job",
                      snapshot.generations);
  }
  if (status.ok()) {
    status = LoadRows(*db_,
                      "WHERE state <> 6 AND job IN (SELECT id FROM jobs WHERE state <= 3 UNION "
                      "SELECT job FROM checkpoints WHERE collect <> 0 AND state <> 6 UNION "
                      "SELECT job FROM checkpoints WHERE state = 2) ORDER BY id",
                      snapshot.checkpoints);
  }
  if (status.ok()) status = LoadRows(*db_, "ORDER BY queue, user", snapshot.usage);
  if (status.ok()) status = LoadRunTimes(snapshot.run_times);
  if (!status.ok()) return status;
  return snapshot;
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateStore>> OpenSqliteStore(const SqliteOptions& options) {
  std::unique_ptr<DataLock> lock;
  if (options.vfs.empty()) {
    std::filesystem::path folder = std::filesystem::path(options.path).parent_path();
    absl::StatusOr<std::unique_ptr<DataLock>> taken =
        DataLock::Take(folder.empty() ? "." : folder.string());
    if (!taken.ok()) return taken.status();
    lock = *std::move(taken);
  }
  absl::StatusOr<std::unique_ptr<Connection>> connection =
      OpenWriter(options.path, kStateMigrations, options.vfs, options.synchronous);
  if (!connection.ok()) return connection.status();
  auto store = std::make_unique<SqliteStateStore>(options, std::move(lock), *std::move(connection));
  absl::Status status = store->PrepareStatements();
  if (!status.ok()) return status;
  return store;
}

}  // namespace coxswain::coordinator::store
