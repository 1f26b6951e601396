#include "coordinator/store/schema.h"

#include <absl/strings/str_cat.h>

namespace coxswain::coordinator::store {
namespace {

constexpr int64_t kApplicationId = 0x436f7873;  // "Coxs": tells our files from other SQLite files
constexpr int64_t kCheckWholeBelow = 64 << 20;  // bytes: larger files are not read whole at a start

const char* const kStateSteps[] = {R"sql(
CREATE TABLE cluster(
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL, term INTEGER NOT NULL, last_job INTEGER NOT NULL,
  last_checkpoint INTEGER NOT NULL, last_task INTEGER NOT NULL, last_event INTEGER NOT NULL);

CREATE TABLE jobs(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL, state INTEGER NOT NULL, idempotency_key TEXT NOT NULL,
  request_digest TEXT NOT NULL, submitted_by TEXT NOT NULL, reason TEXT NOT NULL,
  cause INTEGER NOT NULL, check_state INTEGER NOT NULL, submitted_us INTEGER NOT NULL,
  started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL, attempt INTEGER NOT NULL,
  failures INTEGER NOT NULL, generation INTEGER NOT NULL, ran_us INTEGER NOT NULL,
  cancel_requested INTEGER NOT NULL, cancel_reason TEXT NOT NULL, resume_uri TEXT NOT NULL,
  allow_uncommitted INTEGER NOT NULL, model_uri TEXT NOT NULL, request TEXT NOT NULL,
  exit TEXT NOT NULL);
CREATE INDEX jobs_by_state ON jobs(state, id);
CREATE INDEX jobs_live ON jobs(id) WHERE state <= 3;
CREATE INDEX jobs_by_end ON jobs(ended_us) WHERE state > 3;
CREATE INDEX jobs_by_name ON jobs(name, id);
CREATE INDEX jobs_by_key ON jobs(idempotency_key, id) WHERE idempotency_key <> '';
CREATE TABLE job_specs(job INTEGER PRIMARY KEY, spec_yaml TEXT NOT NULL);
CREATE TABLE job_labels(key TEXT NOT NULL, value TEXT NOT NULL, job INTEGER NOT NULL,
  PRIMARY KEY (key, value, job)) WITHOUT ROWID;
CREATE INDEX job_labels_by_job ON job_labels(job);

CREATE TABLE attempts(
  job INTEGER NOT NULL, number INTEGER NOT NULL, started_us INTEGER NOT NULL,
  ended_us INTEGER NOT NULL, cause INTEGER NOT NULL, reason TEXT NOT NULL,
  resumed_uri TEXT NOT NULL, resumed_checkpoint INTEGER NOT NULL,
  resumed_position INTEGER NOT NULL, last_step INTEGER NOT NULL, user_error INTEGER NOT NULL,
  exit TEXT NOT NULL,
  PRIMARY KEY (job, number)) WITHOUT ROWID;

CREATE TABLE ranks(
  job INTEGER NOT NULL, attempt INTEGER NOT NULL, rank INTEGER NOT NULL, node TEXT NOT NULL,
  incarnation INTEGER NOT NULL, local_rank INTEGER NOT NULL, cpus INTEGER NOT NULL,
  state INTEGER NOT NULL, stop_requested INTEGER NOT NULL, finished INTEGER NOT NULL,
  pid INTEGER NOT NULL, gpus TEXT NOT NULL, exit TEXT NOT NULL,
  PRIMARY KEY (job, attempt, rank)) WITHOUT ROWID;

CREATE TABLE generations(
  job INTEGER NOT NULL, generation INTEGER NOT NULL, attempt INTEGER NOT NULL,
  made_us INTEGER NOT NULL, formed_us INTEGER NOT NULL, closed INTEGER NOT NULL,
  members TEXT NOT NULL,
  PRIMARY KEY (job, generation)) WITHOUT ROWID;

CREATE TABLE checkpoints(
  id INTEGER PRIMARY KEY, job INTEGER NOT NULL, generation INTEGER NOT NULL,
  state INTEGER NOT NULL, step INTEGER NOT NULL, position INTEGER NOT NULL, uri TEXT NOT NULL,
  manifest_hash TEXT NOT NULL, bytes INTEGER NOT NULL, shards INTEGER NOT NULL,
  final INTEGER NOT NULL, collect INTEGER NOT NULL, node TEXT NOT NULL, opened_us INTEGER NOT NULL, committed_us INTEGER NOT NULL,
  verified_us INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE INDEX checkpoints_by_job ON checkpoints(job, id);
CREATE INDEX checkpoints_to_collect ON checkpoints(id, job) WHERE collect <> 0 AND state <> 6;

CREATE TABLE nodes(
  id TEXT PRIMARY KEY, name TEXT NOT NULL, draining INTEGER NOT NULL, drain_reason TEXT NOT NULL,
  first_seen_us INTEGER NOT NULL, inventory TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE events(
  seq INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, job INTEGER NOT NULL, node TEXT NOT NULL,
  kind TEXT NOT NULL, severity TEXT NOT NULL, attempt INTEGER NOT NULL,
  generation INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX events_by_job ON events(job, seq);
)sql",
                                   R"sql(
CREATE INDEX checkpoints_to_verify ON checkpoints(job) WHERE state = 2;
ALTER TABLE jobs ADD COLUMN last_progress TEXT NOT NULL DEFAULT '';
)sql",
                                   R"sql(
ALTER TABLE jobs ADD COLUMN preemptions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN slot_time_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN workers INTEGER NOT NULL DEFAULT 1;
ALTER TABLE nodes ADD COLUMN cordoned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN drain_by_us INTEGER NOT NULL DEFAULT 0;
CREATE TABLE usage(
  queue TEXT NOT NULL, user TEXT NOT NULL, amount INTEGER NOT NULL, as_of_us INTEGER NOT NULL,
  PRIMARY KEY (queue, user)) WITHOUT ROWID;
)sql",
                                   R"sql(
ALTER TABLE jobs ADD COLUMN resizes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN speed TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE generations ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;
)sql",
                                   R"sql(
ALTER TABLE checkpoints ADD COLUMN best INTEGER NOT NULL DEFAULT 0;
ALTER TABLE checkpoints ADD COLUMN metric REAL NOT NULL DEFAULT 0;
)sql"};

const char* const kMetricSteps[] = {R"sql(
CREATE TABLE series(
  id INTEGER PRIMARY KEY, job INTEGER NOT NULL, rank INTEGER NOT NULL, name TEXT NOT NULL,
  UNIQUE (job, name, rank));
CREATE TABLE points(
  cursor INTEGER PRIMARY KEY AUTOINCREMENT, series INTEGER NOT NULL, step INTEGER NOT NULL,
  value REAL NOT NULL, time_us INTEGER NOT NULL, generation INTEGER NOT NULL,
  repeated INTEGER NOT NULL);
CREATE UNIQUE INDEX points_by_key ON points(series, step) WHERE repeated = 0;
CREATE INDEX points_by_cursor ON points(series, cursor);
CREATE TABLE batches(
  job INTEGER NOT NULL, node TEXT NOT NULL, batch INTEGER NOT NULL,
  PRIMARY KEY (job, node, batch)) WITHOUT ROWID;
CREATE TABLE dropped(job INTEGER PRIMARY KEY, points INTEGER NOT NULL);
)sql",
                                    R"sql(
ALTER TABLE dropped ADD COLUMN last_us INTEGER NOT NULL DEFAULT 0;
)sql"};

absl::Status RefuseForeign(Connection& connection, size_t newest) {
  absl::StatusOr<int64_t> version = connection.QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  absl::StatusOr<int64_t> application = connection.QueryInt("PRAGMA application_id");
  if (!application.ok()) return application.status();
  absl::StatusOr<int64_t> tables = connection.QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  if (*tables > 0 && *application != kApplicationId) {
    return absl::FailedPreconditionError(
        absl::StrCat(connection.path(), " was not made by Coxswain: move it away"));
  }
  if (*version > static_cast<int64_t>(newest)) {
    return absl::FailedPreconditionError(absl::StrCat(
        connection.path(), " has schema version ", *version, ", this coordinator knows up to ",
        newest,
        ": start the newer coordinator, or restore the backup made before its first start"));
  }
  return absl::OkStatus();
}

// Copies the committed content to `target`, and syncs it.
absl::Status BackUp(Connection& connection, const std::string& target, const std::string& vfs) {
  absl::StatusOr<std::unique_ptr<Connection>> copy =
      Connection::Open(target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs);
  if (!copy.ok()) return copy.status();
  sqlite3_backup* backup =
      sqlite3_backup_init((*copy)->handle(), "main", connection.handle(), "main");
  if (backup != nullptr) sqlite3_backup_step(backup, -1);
  int code = backup == nullptr ? sqlite3_errcode((*copy)->handle()) : sqlite3_backup_finish(backup);
  if (code == SQLITE_OK) return absl::OkStatus();
  return SqliteError(code, sqlite3_system_errno((*copy)->handle()), sqlite3_errstr(code), target);
}

// A damaged or shortened file is better found at a start than in the middle of the night.
absl::Status CheckWhole(Connection& connection) {
  absl::StatusOr<int64_t> pages = connection.QueryInt("PRAGMA page_count");
  if (!pages.ok()) return pages.status();
  absl::StatusOr<int64_t> page_bytes = connection.QueryInt("PRAGMA page_size");
  if (!page_bytes.ok()) return page_bytes.status();
  if (*pages * *page_bytes > kCheckWholeBelow) return absl::OkStatus();
  absl::StatusOr<Statement> check = connection.Prepare("PRAGMA quick_check(1)");
  if (!check.ok()) return check.status();
  absl::StatusOr<bool> row = check->Step();
  if (!row.ok()) return row.status();
  std::string result = "ok";
  if (*row) check->Read(0, result);
  if (result == "ok") return absl::OkStatus();
  return SqliteError(SQLITE_CORRUPT, 0, result, connection.path());
}

absl::Status SetUp(Connection& connection, bool synchronous) {
  absl::Status status = connection.Execute(
      absl::StrCat("PRAGMA journal_mode = WAL; PRAGMA synchronous = ", synchronous ? "FULL" : "OFF",
                   "; PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY"));
  if (status.ok()) status = connection.CheckpointAfter(1'000'000'000);  // sets our hook
  return status;
}

absl::Status Migrate(Connection& connection, Migrations migrations, const std::string& vfs) {
  absl::StatusOr<int64_t> version = connection.QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version == static_cast<int64_t>(migrations.size())) return absl::OkStatus();
  absl::Status status;
  if (*version > 0) {
    status = BackUp(connection, absl::StrCat(connection.path(), ".v", *version, "-backup"), vfs);
  }
  if (status.ok()) status = connection.Execute("BEGIN IMMEDIATE");
  for (size_t step = *version; status.ok() && step < migrations.size(); ++step) {
    status = connection.Execute(migrations[step]);
  }
  if (status.ok()) {
    status =
        connection.Execute(absl::StrCat("PRAGMA application_id = ", kApplicationId,
                                        "; PRAGMA user_version = ", migrations.size(), "; COMMIT"));
  }
  if (!status.ok() && connection.InTransaction()) connection.Execute("ROLLBACK").IgnoreError();
  return status;
}

}  // namespace

const Migrations kStateMigrations(kStateSteps);
const Migrations kMetricMigrations(kMetricSteps);

absl::StatusOr<std::unique_ptr<Connection>> OpenWriter(const std::string& path,
                                                       Migrations migrations,
                                                       const std::string& vfs, bool synchronous) {
  absl::StatusOr<std::unique_ptr<Connection>> connection =
      Connection::Open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs);
  if (!connection.ok()) return connection;
  absl::Status status = RefuseForeign(**connection, migrations.size());
  if (status.ok()) status = CheckWhole(**connection);
  if (status.ok()) status = SetUp(**connection, synchronous);
  if (status.ok()) status = Migrate(**connection, migrations, vfs);
  if (!status.ok()) return status;
  return connection;
}

absl::StatusOr<std::unique_ptr<Connection>> OpenReader(const std::string& path,
                                                       const std::string& vfs) {
  absl::StatusOr<std::unique_ptr<Connection>> connection =
      Connection::Open(path, SQLITE_OPEN_READONLY, vfs);
  if (!connection.ok()) return connection;
  absl::Status status =
      (*connection)->Execute("PRAGMA cache_size = -1000; PRAGMA temp_store = MEMORY");
  if (!status.ok()) return status;
  return connection;
}

}  // namespace coxswain::coordinator::store
