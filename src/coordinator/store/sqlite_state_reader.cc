#include "coordinator/store/sqlite_state_reader.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <unordered_map>

#include "coordinator/store/schema.h"
#include "coordinator/store/tables.h"

namespace coxswain::coordinator::store {
namespace {

constexpr uint32_t kJobsPerRetention = 1000;

class SqliteStateReader : public StateReader {
 public:
  explicit SqliteStateReader(std::unique_ptr<Connection> connection) : db_(std::move(connection)) {}

  absl::StatusOr<JobRecord> GetJob(core::JobId job) override;
  absl::StatusOr<core::RankRow> GetRank(const protocol::RankKey& key) override;
  absl::StatusOr<core::JobId> FindJobByName(const std::string& name) override;
  absl::StatusOr<core::JobId> FindIdempotencyKey(const std::string& key,
                                                 std::string* request_digest) override;
  absl::StatusOr<std::vector<JobRecord>> ListJobs(const JobFilter& filter) override;
  absl::StatusOr<std::vector<core::CheckpointRow>> ListCheckpoints(core::JobId job,
                                                                   bool include_deleted) override;
  absl::StatusOr<core::CheckpointRow> GetCheckpoint(core::CheckpointId id) override;
  absl::StatusOr<std::vector<core::NodeRow>> ListNodes() override;
  absl::StatusOr<std::string> NodeName(const core::NodeId& node) override {
    return Scalar(std::string(), "SELECT name FROM nodes WHERE id = ?", node);
  }
  absl::StatusOr<std::vector<core::EventRow>> ListEvents(core::JobId job, core::EventSeq cursor,
                                                         uint32_t limit) override;
  absl::StatusOr<std::vector<core::EventRow>> ListNewestEvents(core::JobId job,
                                                               uint32_t limit) override;
  absl::StatusOr<std::map<core::JobState, uint64_t>> CountJobs() override;
  absl::StatusOr<RetentionFound> FindExpired(const RetentionLimits& limits,
                                             base::WallTime now) override;

 private:
  // Prepared once per text.
  absl::StatusOr<Statement*> Cached(const std::string& sql);
  template <class Row, class... Args>
  absl::Status Query(std::vector<Row>& out, const std::string& rest, const Args&... args);
  template <class T, class... Args>
  absl::StatusOr<std::vector<T>> Scalars(const std::string& sql, const Args&... args);
  // The first column of the first row; `otherwise` when there is none.
  template <class T, class... Args>
  absl::StatusOr<T> Scalar(T otherwise, const std::string& sql, const Args&... args);
  absl::Status Complete(JobRecord& record);
  // Runs `read` on one consistent view of the committed state.
  template <class Read>
  auto InOneView(Read read) -> decltype(read());

  std::unique_ptr<Connection> db_;
  std::unordered_map<std::string, Statement> statements_;
};

absl::StatusOr<Statement*> SqliteStateReader::Cached(const std::string& sql) {
  auto it = statements_.find(sql);
  if (it == statements_.end()) {
    absl::StatusOr<Statement> statement = db_->Prepare(sql);
    if (!statement.ok()) return statement.status();
    it = statements_.emplace(sql, *std::move(statement)).first;
  }
  return &it->second;
}

template <class Row, class... Args>
absl::Status SqliteStateReader::Query(std::vector<Row>& out, const std::string& rest,
                                      const Args&... args) {
  absl::StatusOr<Statement*> statement = Cached(SelectSql<Row>(rest));
  if (!statement.ok()) return statement.status();
  (*statement)->Bind(args...);
  return ReadRows(**statement, out);
}

template <class T, class... Args>
absl::StatusOr<std::vector<T>> SqliteStateReader::Scalars(const std::string& sql,
                                                          const Args&... args) {
  absl::StatusOr<Statement*> statement = Cached(sql);
  if (!statement.ok()) return statement.status();
  (*statement)->Bind(args...);
  std::vector<T> out;
  while (true) {
    absl::StatusOr<bool> row = (*statement)->Step();
    if (!row.ok()) return row.status();
    if (!*row) return out;
    (*statement)->Read(0, out.emplace_back());
  }
}

template <class T, class... Args>
absl::StatusOr<T> SqliteStateReader::Scalar(T otherwise, const std::string& sql,
                                            const Args&... args) {
  absl::StatusOr<std::vector<T>> values = Scalars<T>(sql, args...);
  if (!values.ok()) return values.status();
  return values->empty() ? otherwise : values->front();
}

template <class Read>
auto SqliteStateReader::InOneView(Read read) -> decltype(read()) {
  absl::StatusOr<Statement*> begin = Cached("BEGIN");
  if (!begin.ok()) return begin.status();
  absl::StatusOr<Statement*> end = Cached("COMMIT");
  if (!end.ok()) return end.status();
  absl::Status status = (*begin)->Bind().Run();
  if (!status.ok()) return status;
  auto result = read();
  (*end)->Bind().Run().IgnoreError();
  return result;
}

absl::Status SqliteStateReader::Complete(JobRecord& record) {
  core::JobId job = record.job.id;
  absl::Status status = Query(record.attempts, "WHERE job = ? ORDER BY number", job);
  if (status.ok()) {
    status =
        Query(record.ranks, "WHERE job = ? AND attempt = ? ORDER BY rank", job, record.job.attempt);
  }
  std::vector<core::CheckpointRow> checkpoints;
  if (status.ok()) {
    status = Query(checkpoints, "WHERE job = ? AND state IN (2, 3) ORDER BY id DESC LIMIT 1", job);
  }
  if (!checkpoints.empty()) record.last_checkpoint = std::move(checkpoints.front());
  if (!status.ok()) return status;
  absl::StatusOr<core::EventSeq> last = Scalar(
      core::EventSeq(), "SELECT seq FROM events WHERE job = ? ORDER BY seq DESC LIMIT 1", job);
  if (last.ok()) record.last_event = *last;
  return last.status();
}

absl::StatusOr<JobRecord> SqliteStateReader::GetJob(core::JobId job) {
  return InOneView([&]() -> absl::StatusOr<JobRecord> {
    std::vector<core::JobRow> rows;
    absl::Status status = Query(rows, "WHERE id = ?", job);
    if (!status.ok()) return status;
    if (rows.empty()) return absl::NotFoundError(absl::StrCat("no job ", base::ToString(job)));
    JobRecord record;
    record.job = std::move(rows.front());
    absl::StatusOr<std::string> spec =
        Scalar(std::string(), "SELECT spec_yaml FROM job_specs WHERE job = ?", job);
    if (!spec.ok()) return spec.status();
    record.job.spec_yaml = *std::move(spec);
    status = Complete(record);
    std::vector<core::CheckpointRow> best;
    if (status.ok()) {
      status = Query(best,
                     "WHERE job = ? AND state IN (2, 3) AND best AND NOT collect "
                     "ORDER BY id DESC LIMIT 1",
                     job);
    }
    if (!status.ok()) return status;
    if (!best.empty()) record.best_checkpoint = std::move(best.front());
    return record;
  });
}

absl::StatusOr<core::RankRow> SqliteStateReader::GetRank(const protocol::RankKey& key) {
  std::vector<core::RankRow> rows;
  absl::Status status = Query(rows,
                              "WHERE job = ?1 AND rank = ?3 AND attempt = CASE ?2 WHEN 0 THEN "
                              "(SELECT attempt FROM jobs WHERE id = ?1) ELSE ?2 END",
                              key.job, key.attempt, key.rank);
  if (!status.ok()) return status;
  if (!rows.empty()) return rows.front();
  return absl::NotFoundError(
      absl::StrCat(base::ToString(key.job), " has no rank ", key.rank,
                   key.attempt ? absl::StrCat(" in attempt ", key.attempt.value) : " yet"));
}

absl::StatusOr<core::JobId> SqliteStateReader::FindJobByName(const std::string& name) {
  absl::StatusOr<core::JobId> job =
      Scalar(core::JobId(), "SELECT id FROM jobs WHERE name = ? ORDER BY id DESC LIMIT 1", name);
  if (job.ok() && !*job) return absl::NotFoundError(absl::StrCat("no job named '", name, "'"));
  return job;
}

absl::StatusOr<core::JobId> SqliteStateReader::FindIdempotencyKey(const std::string& key,
                                                                  std::string* request_digest) {
  if (key.empty()) return core::JobId();
  std::vector<core::JobRow> rows;
  absl::Status status = Query(
      rows, "WHERE idempotency_key = ? AND idempotency_key <> '' ORDER BY id DESC LIMIT 1", key);
  if (!status.ok()) return status;
  if (rows.empty()) return core::JobId();
  if (request_digest != nullptr) *request_digest = rows.front().request_digest;
  return rows.front().id;
}

// The condition on states, so that the partial index of live jobs is used where it can be.
std::string StatesSql(const std::vector<core::JobState>& states) {
  if (states.empty()) return "";
  std::string list = absl::StrJoin(states, ", ", [](std::string* out, core::JobState state) {
    absl::StrAppend(out, static_cast<int>(state));
  });
  if (states.size() == 1) return absl::StrCat(" AND state = ", list);
  bool live = std::none_of(states.begin(), states.end(), core::IsFinal);
  return absl::StrCat(live ? " AND state <= 3" : "", " AND +state IN (", list, ")");
}

absl::StatusOr<std::vector<JobRecord>> SqliteStateReader::ListJobs(const JobFilter& filter) {
  std::string where =
      "WHERE id < ?1 AND substr(name, 1, length(?2)) = ?2" + StatesSql(filter.states);
  if (!filter.labels.empty()) {
    absl::StrAppend(&where,
                    " AND NOT EXISTS (SELECT 1 FROM json_each(?3) AS e WHERE NOT EXISTS (SELECT 1 "
                    "FROM job_labels AS l WHERE l.key = e.key AND l.value = e.value AND l.job = "
                    "jobs.id))");
  } else {
    absl::StrAppend(&where, " AND ?3 IS NOT NULL");
  }
  if (!filter.queues.empty()) {
    absl::StrAppend(&where,
                    " AND json_extract(request, '$.queue') IN (SELECT value FROM json_each(?5))");
  }
  if (!filter.submitted_by.empty()) {
    absl::StrAppend(&where,
                    " AND (submitted_by = ?6 OR substr(submitted_by, 1, length(?6) + 1) = "
                    "?6 || '@')");
  }
  absl::StrAppend(&where, " AND ?5 IS NOT NULL AND ?6 IS NOT NULL ORDER BY id DESC LIMIT ?4");
  int64_t before = filter.before ? static_cast<int64_t>(filter.before.value) : INT64_MAX;
  return InOneView([&]() -> absl::StatusOr<std::vector<JobRecord>> {
    std::vector<core::JobRow> rows;
    absl::Status status = Query(rows, where, before, filter.name_prefix, ToJson(filter.labels),
                                filter.limit, ToJson(filter.queues), filter.submitted_by);
    std::vector<JobRecord> records;
    for (core::JobRow& row : rows) {
      records.emplace_back().job = std::move(row);
      if (status.ok()) status = Complete(records.back());
    }
    if (!status.ok()) return status;
    return records;
  });
}

absl::StatusOr<std::vector<core::CheckpointRow>> SqliteStateReader::ListCheckpoints(
    core::JobId job, bool include_deleted) {
  std::vector<core::CheckpointRow> rows;
  absl::Status status =
      Query(rows, "WHERE job = ? AND (state <> 6 OR ?) ORDER BY id DESC", job, include_deleted);
  if (!status.ok()) return status;
  return rows;
}

absl::StatusOr<core::CheckpointRow> SqliteStateReader::GetCheckpoint(core::CheckpointId id) {
  std::vector<core::CheckpointRow> rows;
  absl::Status status = Query(rows, "WHERE id = ?", id);
  if (!status.ok()) return status;
  if (rows.empty()) return absl::NotFoundError(absl::StrCat("no checkpoint ", base::ToString(id)));
  return rows.front();
}

absl::StatusOr<std::vector<core::NodeRow>> SqliteStateReader::ListNodes() {
  std::vector<core::NodeRow> rows;
  absl::Status status = Query(rows, "ORDER BY id");
  if (!status.ok()) return status;
  return rows;
}

absl::StatusOr<std::vector<core::EventRow>> SqliteStateReader::ListEvents(core::JobId job,
                                                                          core::EventSeq cursor,
                                                                          uint32_t limit) {
  std::vector<core::EventRow> rows;
  absl::Status status =
      job ? Query(rows, "WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?", job, cursor, limit)
          : Query(rows, "WHERE seq > ? ORDER BY seq LIMIT ?", cursor, limit);
  if (!status.ok()) return status;
  return rows;
}

absl::StatusOr<std::vector<core::EventRow>> SqliteStateReader::ListNewestEvents(core::JobId job,
                                                                                uint32_t limit) {
  std::vector<core::EventRow> rows;
  absl::Status status = job ? Query(rows, "WHERE job = ? ORDER BY seq DESC LIMIT ?", job, limit)
                            : Query(rows, "ORDER BY seq DESC LIMIT ?", limit);
  if (!status.ok()) return status;
  std::reverse(rows.begin(), rows.end());
  return rows;
}

absl::StatusOr<std::map<core::JobState, uint64_t>> SqliteStateReader::CountJobs() {
  absl::StatusOr<Statement*> statement = Cached("SELECT state, count(*) FROM jobs GROUP BY state");
  if (!statement.ok()) return statement.status();
  (*statement)->Bind();
  std::map<core::JobState, uint64_t> counts;
  while (true) {
    absl::StatusOr<bool> row = (*statement)->Step();
    if (!row.ok()) return row.status();
    if (!*row) return counts;
    core::JobState state{};
    uint64_t count = 0;
    (*statement)->Read(0, state, count);
    counts[state] = count;
  }
}

absl::StatusOr<RetentionFound> SqliteStateReader::FindExpired(const RetentionLimits& limits,
                                                              base::WallTime now) {
  // A limit of 0 is none: by age nothing is old enough, by number nothing is one too many.
  auto older_than = [now](base::Duration age) {
    return age.count() == 0 ? INT64_MIN : now.us - age.count();
  };
  auto beyond = [](uint64_t count) { return count == 0 ? INT64_MAX : static_cast<int64_t>(count); };
  return InOneView([&]() -> absl::StatusOr<RetentionFound> {
    absl::StatusOr<std::vector<core::JobId>> jobs = Scalars<core::JobId>(
        "SELECT id FROM jobs WHERE state > 3 AND (idempotency_key = '' OR submitted_us < ?1) AND "
        "(ended_us < ?2 OR ended_us <= (SELECT ended_us FROM jobs WHERE state > 3 ORDER BY "
        "ended_us DESC LIMIT 1 OFFSET ?3)) ORDER BY ended_us LIMIT ?4",
        now.us - limits.idempotency_window.count(), older_than(limits.finished_jobs_age),
        beyond(limits.finished_jobs_count), kJobsPerRetention);
    if (!jobs.ok()) return jobs.status();
    absl::StatusOr<core::EventSeq> by_age = Scalar(
        core::EventSeq(), "SELECT seq FROM events WHERE time_us < ? ORDER BY seq DESC LIMIT 1",
        older_than(limits.events_age));
    if (!by_age.ok()) return by_age.status();
    absl::StatusOr<core::EventSeq> by_count =
        Scalar(core::EventSeq(), "SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET ?",
               beyond(limits.events_count));
    if (!by_count.ok()) return by_count.status();
    return RetentionFound{*std::move(jobs), std::max(*by_age, *by_count)};
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateReader>> NewSqliteStateReader(const std::string& path,
                                                                  const std::string& vfs) {
  absl::StatusOr<std::unique_ptr<Connection>> connection = OpenReader(path, vfs);
  if (!connection.ok()) return connection.status();
  return std::make_unique<SqliteStateReader>(*std::move(connection));
}

}  // namespace coxswain::coordinator::store
