#include <absl/strings/str_cat.h>

#include <atomic>

#include "coordinator/store/metric_store.h"
#include "coordinator/store/schema.h"

namespace coxswain::coordinator::store {
namespace {

constexpr int kCheckpointPages = 1000;
// Numbers of batches remembered per worker and job; anything older counts as taken in.
constexpr uint64_t kBatchesKept = 4096;
constexpr int kJobsPerPrune = 100;

class SqliteMetricReader : public MetricReader {
 public:
  explicit SqliteMetricReader(std::unique_ptr<Connection> connection)
      : db_(std::move(connection)) {}

  absl::StatusOr<std::vector<StoredPoint>> Read(const MetricQuery& query) override;
  absl::StatusOr<DroppedPoints> ReadDropped(base::JobId job) override;

 private:
  std::unique_ptr<Connection> db_;
};

absl::StatusOr<DroppedPoints> SqliteMetricReader::ReadDropped(base::JobId job) {
  absl::StatusOr<Statement> statement =
      db_->Prepare("SELECT points, last_us FROM dropped WHERE job = ?");
  if (!statement.ok()) return statement.status();
  absl::StatusOr<bool> row = statement->Bind(job).Step();
  if (!row.ok()) return row.status();
  DroppedPoints dropped;
  if (*row) statement->Read(0, dropped.points, dropped.last);
  return dropped;
}

// Keeps, of n points of a name, `max` evenly spaced ones, the last always among them.
std::string ThinnedSql(const std::string& plain) {
  return absl::StrCat(
      "SELECT cursor, name, rank, step, value, time_us, generation, repeated FROM (SELECT *, "
      "row_number() OVER w AS i, count(*) OVER (PARTITION BY name) AS n FROM (",
      plain,
      ") WINDOW w AS (PARTITION BY name ORDER BY step, cursor)) WHERE n <= ?6 OR (i * ?6) / n > "
      "((i - 1) * ?6) / n ORDER BY cursor LIMIT ?5");
}

absl::StatusOr<std::vector<StoredPoint>> SqliteMetricReader::Read(const MetricQuery& query) {
  std::string names;
  for (size_t i = 0; i < query.names.size(); ++i) absl::StrAppend(&names, ", ?", i + 7);
  std::string sql = absl::StrCat(
      "SELECT cursor, name, rank, step, value, time_us, generation, repeated FROM points JOIN "
      "series ON series.id = points.series WHERE job = ?1 AND cursor > ?2 AND (repeated = 0 OR ?3)",
      names.empty() ? "" : absl::StrCat(" AND name IN (", names.substr(2), ")"), " AND ?4 = ?4");
  sql = query.max_points > 0 ? ThinnedSql(sql) : sql + " AND ?6 = ?6 ORDER BY cursor LIMIT ?5";
  absl::StatusOr<Statement> statement = db_->Prepare(sql);
  if (!statement.ok()) return statement.status();
  statement->Bind(query.job, query.after_cursor, query.include_repeated, 0, query.limit,
                  query.max_points);
  for (size_t i = 0; i < query.names.size(); ++i) {
    statement->BindAt(static_cast<int>(i + 7), query.names[i]);
  }
  std::vector<StoredPoint> points;
  while (true) {
    absl::StatusOr<bool> row = statement->Step();
    if (!row.ok()) return row.status();
    if (!*row) return points;
    StoredPoint& p = points.emplace_back();
    statement->Read(0, p.cursor, p.point.name, p.point.rank, p.point.step, p.point.value,
                    p.point.time, p.point.generation, p.repeated_by_later);
  }
}

class SqliteMetricStore : public MetricStore {
 public:
  SqliteMetricStore(std::string path, std::string vfs, std::unique_ptr<Connection> connection)
      : path_(std::move(path)), vfs_(std::move(vfs)), db_(std::move(connection)) {}

  absl::Status PrepareStatements();
  absl::Status Append(std::span<const NodeBatch> batches, base::WallTime now) override;
  uint64_t dropped_points() const override { return dropped_; }
  absl::Status DeleteJobs(const std::vector<base::JobId>& jobs) override;
  absl::StatusOr<size_t> Prune(const MetricLimits& limits, base::WallTime now) override;
  absl::StatusOr<std::unique_ptr<MetricReader>> NewReader() override;

 private:
  template <class Body>
  absl::Status InTransaction(Body body);
  // `dropped` grows by what the batch says is left out, unless it was here before.
  absl::Status AppendOne(const NodeBatch& of_node, base::WallTime now, uint64_t* dropped);
  absl::Status AppendPoint(base::JobId job, const protocol::MetricPoint& point);
  absl::StatusOr<bool> IsNew(const base::NodeId& node, const protocol::MetricBatch& batch);
  absl::StatusOr<int64_t> SeriesOf(base::JobId job, const protocol::MetricPoint& point);

  std::string path_, vfs_;
  std::unique_ptr<Connection> db_;
  Statement newest_batch_, add_batch_, prune_batches_, add_dropped_;
  Statement find_series_, add_series_, find_current_, outdate_, add_point_;
  std::vector<Statement> delete_job_;
  std::atomic<uint64_t> dropped_ = 0;
};

absl::Status SqliteMetricStore::Append(std::span<const NodeBatch> batches, base::WallTime now) {
  uint64_t dropped = 0;
  absl::Status status = InTransaction([&] {
    absl::Status status;
    for (const NodeBatch& each : batches) {
      if (status.ok()) status = AppendOne(each, now, &dropped);
    }
    return status;
  });
  if (status.ok()) dropped_ += dropped;
  return status;
}

absl::Status SqliteMetricStore::PrepareStatements() {
  absl::Status status;
  auto prepare = [&](Statement& into, const std::string& sql) {
    if (!status.ok()) return;
    absl::StatusOr<Statement> statement = db_->Prepare(sql);
    if (statement.ok()) into = *std::move(statement);
    status = statement.status();
  };
  prepare(newest_batch_, "SELECT ifnull(max(batch), 0) FROM batches WHERE job = ? AND node = ?");
  prepare(add_batch_,
          "INSERT INTO batches(job, node, batch) VALUES (?, ?, ?) ON CONFLICT DO NOTHING "
          "RETURNING batch");
  prepare(prune_batches_, "DELETE FROM batches WHERE job = ? AND node = ? AND batch < ?");
  prepare(add_dropped_,
          "INSERT INTO dropped(job, points, last_us) VALUES (?, ?, ?) ON CONFLICT (job) DO UPDATE "
          "SET points = points + excluded.points, last_us = excluded.last_us");
  prepare(find_series_, "SELECT id FROM series WHERE job = ? AND name = ? AND rank = ?");
  prepare(add_series_, "INSERT INTO series(job, name, rank) VALUES (?, ?, ?) RETURNING id");
  prepare(find_current_,
          "SELECT cursor, generation FROM points WHERE series = ? AND step = ? AND repeated = 0");
  prepare(outdate_, "UPDATE points SET repeated = 1 WHERE cursor = ?");
  prepare(add_point_,
          "INSERT INTO points(series, step, value, time_us, generation, repeated) VALUES "
          "(?, ?, ?, ?, ?, ?)");
  for (const char* sql :
       {"DELETE FROM points WHERE series IN (SELECT id FROM series WHERE job = ?)",
        "DELETE FROM series WHERE job = ?", "DELETE FROM batches WHERE job = ?",
        "DELETE FROM dropped WHERE job = ?"}) {
    prepare(delete_job_.emplace_back(), sql);
  }
  return status;
}

template <class Body>
absl::Status SqliteMetricStore::InTransaction(Body body) {
  absl::Status status = db_->Execute("BEGIN IMMEDIATE");
  if (status.ok()) status = body();
  if (status.ok()) status = db_->Execute("COMMIT");
  if (!status.ok()) {
    if (db_->InTransaction()) db_->Execute("ROLLBACK").IgnoreError();
    return status;
  }
  return db_->CheckpointAfter(kCheckpointPages);
}

absl::StatusOr<bool> SqliteMetricStore::IsNew(const base::NodeId& node,
                                              const protocol::MetricBatch& batch) {
  absl::StatusOr<bool> row = newest_batch_.Bind(batch.job, node).Step();
  if (!row.ok()) return row.status();
  uint64_t newest = 0;
  if (*row) newest_batch_.Read(0, newest);
  newest_batch_.Reset();
  if (batch.batch + kBatchesKept <= newest) return false;
  absl::StatusOr<bool> added = add_batch_.Bind(batch.job, node, batch.batch).Step();
  add_batch_.Reset();
  if (added.ok() && *added && batch.batch > newest && batch.batch > kBatchesKept) {
    absl::Status status = prune_batches_.Bind(batch.job, node, batch.batch - kBatchesKept).Run();
    if (!status.ok()) return status;
  }
  return added;
}

absl::StatusOr<int64_t> SqliteMetricStore::SeriesOf(base::JobId job,
                                                    const protocol::MetricPoint& point) {
  int64_t id = 0;
  for (Statement* statement : {&find_series_, &add_series_}) {
    absl::StatusOr<bool> row = statement->Bind(job, point.name, point.rank).Step();
    if (!row.ok()) return row.status();
    if (*row) statement->Read(0, id);
    statement->Reset();
    if (*row) break;
  }
  return id;
}

absl::Status SqliteMetricStore::AppendPoint(base::JobId job, const protocol::MetricPoint& point) {
  absl::StatusOr<int64_t> series = SeriesOf(job, point);
  if (!series.ok()) return series.status();
  absl::StatusOr<bool> row = find_current_.Bind(*series, point.step).Step();
  if (!row.ok()) return row.status();
  bool repeated = false;
  uint64_t cursor = 0;
  base::Generation generation;
  if (*row) find_current_.Read(0, cursor, generation);
  find_current_.Reset();
  if (*row) {
    if (generation == point.generation) return absl::OkStatus();
    repeated = point.generation < generation;
    absl::Status status = repeated ? absl::OkStatus() : outdate_.Bind(cursor).Run();
    if (!status.ok()) return status;
  }
  return add_point_.Bind(*series, point.step, point.value, point.time, point.generation, repeated)
      .Run();
}

absl::Status SqliteMetricStore::AppendOne(const NodeBatch& of_node, base::WallTime now,
                                          uint64_t* dropped) {
  const protocol::MetricBatch& batch = of_node.batch;
  absl::StatusOr<bool> is_new = IsNew(of_node.node, batch);
  if (!is_new.ok()) return is_new.status();
  if (!*is_new) return absl::OkStatus();
  absl::Status status;
  if (batch.dropped > 0) status = add_dropped_.Bind(batch.job, batch.dropped, now).Run();
  *dropped += batch.dropped;
  for (const protocol::MetricPoint& point : batch.points) {
    if (status.ok()) status = AppendPoint(batch.job, point);
  }
  return status;
}

absl::Status SqliteMetricStore::DeleteJobs(const std::vector<base::JobId>& jobs) {
  for (base::JobId job : jobs) {  // a transaction each, so that new points wait for one job at most
    absl::Status status = InTransaction([&] {
      absl::Status status;
      for (Statement& statement : delete_job_) {
        if (status.ok()) status = statement.Bind(job).Run();
      }
      return status;
    });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> SqliteMetricStore::Prune(const MetricLimits& limits, base::WallTime now) {
  absl::StatusOr<int64_t> bytes = db_->QueryInt(
      "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, "
      "pragma_freelist_count, pragma_page_size");
  if (!bytes.ok()) return bytes.status();
  bool too_large = limits.bytes != 0 && static_cast<uint64_t>(*bytes) > limits.bytes;
  int64_t oldest = limits.age.count() == 0 ? INT64_MIN : now.us - limits.age.count();
  absl::StatusOr<Statement> expired = db_->Prepare(
      "SELECT job FROM (SELECT job, max((SELECT time_us FROM points AS p WHERE p.series = "
      "series.id "
      "ORDER BY cursor DESC LIMIT 1)) AS last FROM series GROUP BY job) WHERE last < ?1 OR ?2 "
      "ORDER "
      "BY last LIMIT ?3");
  if (!expired.ok()) return expired.status();
  expired->Bind(oldest, too_large, too_large ? 1 : kJobsPerPrune);
  std::vector<base::JobId> jobs;
  while (true) {
    absl::StatusOr<bool> row = expired->Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    expired->Read(0, jobs.emplace_back());
  }
  absl::Status status = DeleteJobs(jobs);
  if (!status.ok()) return status;
  return jobs.size();
}

absl::StatusOr<std::unique_ptr<MetricReader>> SqliteMetricStore::NewReader() {
  absl::StatusOr<std::unique_ptr<Connection>> connection = OpenReader(path_, vfs_);
  if (!connection.ok()) return connection.status();
  return std::make_unique<SqliteMetricReader>(*std::move(connection));
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricStore>> OpenSqliteMetricStore(const std::string& path,
                                                                   const std::string& vfs) {
  absl::StatusOr<std::unique_ptr<Connection>> connection =
      OpenWriter(path, kMetricMigrations, vfs, true);
  if (!connection.ok()) return connection.status();
  auto store = std::make_unique<SqliteMetricStore>(path, vfs, *std::move(connection));
  absl::Status status = store->PrepareStatements();
  if (!status.ok()) return status;
  return store;
}

}  // namespace coxswain::coordinator::store
