// Every table once: its columns, and the fields of the row that go there, in the same order.
// Writing and reading use the same list, so they cannot drift apart. The schema itself is in
// schema.cc.
#pragma once

#include <tuple>

#include "coordinator/store/row_json.h"
#include "coordinator/store/sqlite_connection.h"

namespace coxswain::coordinator::store {

// A field that is one JSON text in its column.
template <class T>
struct JsonField {
  T& value;
};
template <class T>
JsonField(T&) -> JsonField<T>;

template <class T>
struct Column<JsonField<T>> {
  static void Bind(sqlite3_stmt* s, int i, const JsonField<T>& field) {
    Column<std::string>::Bind(s, i, ToJson(field.value));
  }
  static bool Read(sqlite3_stmt* s, int i, const JsonField<T>& field) {
    std::string text;
    Column<std::string>::Read(s, i, text);
    return FromJson(text, &field.value);
  }
};

// The key of a table of one row.
struct One {};
template <>
struct Column<One> {
  static void Bind(sqlite3_stmt* s, int i, One) { sqlite3_bind_int(s, i, 1); }
  static bool Read(sqlite3_stmt*, int, One) { return true; }
};

template <class... Args>
std::tuple<Args...> Fields(Args&&... args) {
  return std::tuple<Args...>(std::forward<Args>(args)...);
}

// kName, kKey (columns of the primary key), kColumns, FieldsOf(row).
template <class Row>
struct Table;

template <>
struct Table<core::ClusterRow> {
  static constexpr char kName[] = "cluster";
  static constexpr char kKey[] = "one";
  static constexpr char kColumns[] =
      "one, id, term, last_job, last_checkpoint, last_task, last_event";
  template <class R>
  static auto FieldsOf(R& r) {
    return Fields(One{}, r.id, r.term, r.last_job, r.last_checkpoint, r.last_task, r.last_event);
  }
};

template <>
struct Table<core::JobRow> {  // spec_yaml is in job_specs
  static constexpr char kName[] = "jobs";
  static constexpr char kKey[] = "id";
  static constexpr char kColumns[] =
      "id, name, state, idempotency_key, request_digest, submitted_by, reason, cause, check_state, "
      "submitted_us, started_us, ended_us, attempt, failures, generation, ran_us, "
      "cancel_requested, cancel_reason, resume_uri, allow_uncommitted, model_uri, request, exit, "
      "last_progress, preemptions, slot_time_us, resizes, speed, kind";
  template <class R>
  static auto FieldsOf(R& r) {
    return Fields(r.id, r.request.name, r.state, r.idempotency_key, r.request_digest,
                  r.submitted_by, r.reason, r.cause, r.check, r.submitted, r.started, r.ended,
                  r.attempt, r.failures, r.generation, r.ran, r.cancel_requested, r.cancel_reason,
                  r.resume_uri, r.allow_uncommitted, r.model_uri, JsonField{r.request},
                  JsonField{r.exit}, JsonField{r.last_progress}, r.preemptions, r.slot_time,
                  r.resizes, JsonField{r.speed}, r.kind);
  }
};

template <>
struct Table<core::AttemptRow> {
  static constexpr char kName[] = "attempts";
  static constexpr char kKey[] = "job, number";
  static constexpr char kColumns[] =
      "job, number, started_us, ended_us, cause, reason, resumed_uri, resumed_checkpoint, "
      "resumed_position, last_step, user_error, exit, workers, kind";
  template <class R>
  static auto FieldsOf(R& r) {
    return Fields(r.job, r.number, r.started, r.ended, r.cause, r.reason, r.resumed_uri, r.resumed,
                  r.resumed_position, r.last_step, r.user_error, JsonField{r.exit}, r.workers,
                  r.kind);
  }
};

template <>
struct Table<core::RankRow> {
  static constexpr char kName[] = "ranks";
  static constexpr char kKey[] = "job, attempt, rank";
  static constexpr char kColumns[] =
      "job, attempt, rank, node, incarnation, local_rank, cpus, state, stop_requested, finished, "
      "pid, "
      "gpus, exit";
  template <class R>
  static auto FieldsOf(R& r) {
    return Fields(r.key.job, r.key.attempt, r.key.rank, r.node, r.incarnation, r.local_rank, r.cpus,
                  r.state, r.stop_requested, r.finished, r.pid, JsonField{r.gpu_uuids},
                  JsonField{r.exit});
  }
};

template <>
struct Table<core::GenerationRow> {
  static constexpr char kName[] = "generations";
  static constexpr char kKey[] = "job, generation";
  static constexpr char kColumns[] =
      "job, generation, attempt, made_us, formed_us, closed, members, batch";
  template <class R>
  static auto FieldsOf(R& r) {
    return Fields(r.job, r.generation, r.attempt, r.made, r.formed, r.closed, JsonField{r.members},
                  r.batch);
  }
};

template <>
struct Table<core::CheckpointRow> {
  static constexpr char kName[] = "checkpoints";
  static constexpr char kKey[] = "id";
  static constexpr char kColumns[] =
      "id, job, generation, state, step, position, uri, manifest_hash, bytes, shards, final, "
      "best, metric, collect, node, opened_us, committed_us, verified_us, reason";
  template <class R>
  static auto FieldsOf(R& r) {
    return Fields(r.id, r.job, r.generation, r.state, r.step, r.position, r.uri, r.manifest_hash,
                  r.bytes, r.shards, r.final, r.best, r.metric, r.collect, r.node, r.opened,
                  r.committed, r.verified, r.reason);
  }
};

template <>
struct Table<core::NodeRow> {
  static constexpr char kName[] = "nodes";
  static constexpr char kKey[] = "id";
  static constexpr char kColumns[] =
      "id, name, draining, cordoned, drain_reason, drain_by_us, first_seen_us, inventory";
  template <class R>
  static auto FieldsOf(R& r) {
    return Fields(r.id, r.name, r.draining, r.cordoned, r.drain_reason, r.drain_by, r.first_seen,
                  JsonField{r.inventory});
  }
};

template <>
struct Table<core::UsageRow> {
  static constexpr char kName[] = "usage";
  static constexpr char kKey[] = "queue, user";
  static constexpr char kColumns[] = "queue, user, amount, as_of_us";
  template <class R>
  static auto FieldsOf(R& r) {
    return Fields(r.queue, r.user, r.amount, r.as_of);
  }
};

template <>
struct Table<core::EventRow> {
  static constexpr char kName[] = "events";
  static constexpr char kKey[] = "seq";
  static constexpr char kColumns[] =
      "seq, time_us, job, node, kind, severity, attempt, generation, text";
  template <class R>
  static auto FieldsOf(R& r) {
    return Fields(r.seq, r.time, r.job, r.node, r.kind, r.severity, r.attempt, r.generation,
                  r.text);
  }
};

// "INSERT ... ON CONFLICT (key) DO UPDATE ...": a row written whole, new or not.
std::string UpsertSql(const std::string& table, const std::string& key, const std::string& columns);

template <class Row>
std::string UpsertSql() {
  return UpsertSql(Table<Row>::kName, Table<Row>::kKey, Table<Row>::kColumns);
}
// "SELECT columns FROM table " + rest.
template <class Row>
std::string SelectSql(const std::string& rest) {
  return std::string("SELECT ") + Table<Row>::kColumns + " FROM " + Table<Row>::kName + " " + rest;
}
template <class Row>
void BindRow(Statement& statement, const Row& row) {
  std::apply([&](const auto&... fields) { statement.Bind(fields...); }, Table<Row>::FieldsOf(row));
}
template <class Row>
bool ReadRow(Statement& statement, Row& row) {
  return std::apply([&](auto&&... fields) { return statement.Read(0, fields...); },
                    Table<Row>::FieldsOf(row));
}
// All rows of a bound statement.
template <class Row>
absl::Status ReadRows(Statement& statement, std::vector<Row>& out) {
  while (true) {
    absl::StatusOr<bool> row = statement.Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    if (!ReadRow(statement, out.emplace_back())) {
      statement.Reset();
      return SqliteError(SQLITE_CORRUPT, 0,
                         std::string("unreadable JSON in table ") + Table<Row>::kName,
                         statement.path());
    }
  }
}

}  // namespace coxswain::coordinator::store
