#include "common/rpc/convert_parts.h"

namespace coxswain::rpc {
static void ToProto(const protocol::RankReport& in, wire::RankReport* out) {
  ToProto(in.key, out->mutable_key());
  out->set_incarnation(in.incarnation.value);
  out->set_state(static_cast<uint32_t>(in.state));
  out->set_pid(in.pid);
  if (in.exit) ToProto(*in.exit, out->mutable_exit());
  if (in.ready) ToProto(*in.ready, out->mutable_ready());
}

namespace {

struct ReportWriter {
  wire::WorkerReport* out;

  void operator()(const protocol::WorkerHello& in) const {
    wire::WorkerHello* to = out->mutable_hello();
    to->set_cluster(Utf8(in.cluster.value));
    to->set_node(Utf8(in.node.value));
    to->set_incarnation(in.incarnation.value);
    to->set_highest_term(in.highest_term.value);
    to->set_protocol_oldest(in.protocol_oldest);
    to->set_protocol_newest(in.protocol_newest);
    ToProto(in.inventory, to->mutable_inventory());
    for (const protocol::RankReport& rank : in.ranks) ToProto(rank, to->add_ranks());
  }
  void operator()(const protocol::Heartbeat& in) const {
    wire::Heartbeat* to = out->mutable_heartbeat();
    if (in.changed_inventory) {
      ToProto(*in.changed_inventory, to->mutable_changed_inventory());
    }
  }
  void operator()(const protocol::RankStarted& in) const {
    wire::RankStarted* to = out->mutable_rank_started();
    ToProto(in.key, to->mutable_key());
    to->set_incarnation(in.incarnation.value);
    to->set_pid(in.pid);
  }
  void operator()(const protocol::RankExited& in) const {
    wire::RankExited* to = out->mutable_rank_exited();
    ToProto(in.key, to->mutable_key());
    to->set_incarnation(in.incarnation.value);
    ToProto(in.exit, to->mutable_exit());
  }
  void operator()(const protocol::FromTrainer& in) const {
    wire::FromTrainer* to = out->mutable_from_trainer();
    ToProto(in.key, to->mutable_key());
    to->set_incarnation(in.incarnation.value);
    ToProto(in.report, to->mutable_report());
  }
  void operator()(const protocol::MetricBatch& in) const {
    wire::MetricBatch* to = out->mutable_metric_batch();
    to->set_job(in.job.value);
    to->set_batch(in.batch);
    for (const protocol::MetricPoint& point : in.points) ToProto(point, to->add_points());
    to->set_dropped(in.dropped);
  }
  void operator()(const protocol::LogData& in) const {
    wire::LogData* to = out->mutable_log_data();
    to->set_request(in.request);
    to->set_offset(in.offset);
    to->set_data(in.data);
    to->set_end(in.end);
    to->set_eof(in.eof);
    to->set_error(Utf8(in.error));
    to->set_oldest_offset(in.oldest_offset);
  }
  void operator()(const protocol::TaskEnded& in) const { ToProto(in, out->mutable_task_ended()); }
  void operator()(const protocol::Leaving&) const { out->mutable_leaving(); }
};

absl::Status ReadIncarnation(std::string_view message, uint64_t in, base::Incarnation* out) {
  if (in == 0) return OutOfRange(message, "incarnation", 0, 1, UINT64_MAX);
  *out = base::Incarnation(in);
  return absl::OkStatus();
}

}  // namespace

static absl::Status FromProto(const wire::RankReport& in, protocol::RankReport* out) {
  COX_RETURN_IF_ERROR(ReadPart("RankReport", "key", in.has_key(), in.key(), &out->key));
  COX_RETURN_IF_ERROR(ReadIncarnation("RankReport", in.incarnation(), &out->incarnation));
  COX_RETURN_IF_ERROR(
      ReadEnum("RankReport", "state", in.state(), protocol::RankState::kExited, &out->state));
  out->pid = in.pid();
  if (in.has_exit()) COX_RETURN_IF_ERROR(FromProto(in.exit(), &out->exit.emplace()));
  if (in.has_ready()) COX_RETURN_IF_ERROR(FromProto(in.ready(), &out->ready.emplace()));
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::WorkerHello& in, protocol::WorkerHello* out) {
  if (in.node().empty()) return Missing("WorkerHello", "node");
  COX_RETURN_IF_ERROR(ReadIncarnation("WorkerHello", in.incarnation(), &out->incarnation));
  COX_RETURN_IF_ERROR(
      ReadPart("WorkerHello", "inventory", in.has_inventory(), in.inventory(), &out->inventory));
  out->cluster = base::ClusterId(in.cluster());
  out->node = base::NodeId(in.node());
  out->highest_term = base::Term(in.highest_term());
  out->protocol_oldest = in.protocol_oldest();
  out->protocol_newest = in.protocol_newest();
  for (const wire::RankReport& rank : in.ranks()) {
    COX_RETURN_IF_ERROR(FromProto(rank, &out->ranks.emplace_back()));
  }
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::Heartbeat& in, protocol::Heartbeat* out) {
  if (!in.has_changed_inventory()) return absl::OkStatus();
  return FromProto(in.changed_inventory(), &out->changed_inventory.emplace());
}

static absl::Status FromProto(const wire::RankStarted& in, protocol::RankStarted* out) {
  COX_RETURN_IF_ERROR(ReadPart("RankStarted", "key", in.has_key(), in.key(), &out->key));
  out->pid = in.pid();
  return ReadIncarnation("RankStarted", in.incarnation(), &out->incarnation);
}

static absl::Status FromProto(const wire::RankExited& in, protocol::RankExited* out) {
  COX_RETURN_IF_ERROR(ReadPart("RankExited", "key", in.has_key(), in.key(), &out->key));
  COX_RETURN_IF_ERROR(ReadIncarnation("RankExited", in.incarnation(), &out->incarnation));
  return ReadPart("RankExited", "exit", in.has_exit(), in.exit(), &out->exit);
}

static absl::Status FromProto(const wire::FromTrainer& in, protocol::FromTrainer* out) {
  COX_RETURN_IF_ERROR(ReadPart("FromTrainer", "key", in.has_key(), in.key(), &out->key));
  COX_RETURN_IF_ERROR(ReadIncarnation("FromTrainer", in.incarnation(), &out->incarnation));
  return ReadPart("FromTrainer", "report", in.has_report(), in.report(), &out->report);
}

static absl::Status FromProto(const wire::MetricBatch& in, protocol::MetricBatch* out) {
  if (in.job() == 0) return OutOfRange("MetricBatch", "job", 0, 1, UINT64_MAX);
  out->job = base::JobId(in.job());
  out->batch = in.batch();
  out->dropped = in.dropped();
  out->points.reserve(in.points().size());
  for (const wire::MetricPoint& point : in.points()) {
    COX_RETURN_IF_ERROR(FromProto(point, &out->points.emplace_back()));
  }
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::LogData& in, protocol::LogData* out) {
  out->request = in.request();
  out->offset = in.offset();
  out->data = in.data();
  out->end = in.end();
  out->eof = in.eof();
  out->error = in.error();
  out->oldest_offset = in.oldest_offset();
  return absl::OkStatus();
}

// Reads `in` as alternative T of `out`.
template <class T, class Part>
static absl::Status Read(const Part& in, protocol::WorkerReport* out) {
  return FromProto(in, &out->emplace<T>());
}

void ToProto(const protocol::WorkerReport& in, wire::WorkerReport* out) {
  std::visit(ReportWriter{out}, in);
}

absl::Status FromProto(const wire::WorkerReport& in, protocol::WorkerReport* out) {
  switch (in.body_case()) {
    case wire::WorkerReport::kHello:
      return Read<protocol::WorkerHello>(in.hello(), out);
    case wire::WorkerReport::kHeartbeat:
      return Read<protocol::Heartbeat>(in.heartbeat(), out);
    case wire::WorkerReport::kRankStarted:
      return Read<protocol::RankStarted>(in.rank_started(), out);
    case wire::WorkerReport::kRankExited:
      return Read<protocol::RankExited>(in.rank_exited(), out);
    case wire::WorkerReport::kFromTrainer:
      return Read<protocol::FromTrainer>(in.from_trainer(), out);
    case wire::WorkerReport::kMetricBatch:
      return Read<protocol::MetricBatch>(in.metric_batch(), out);
    case wire::WorkerReport::kLogData:
      return Read<protocol::LogData>(in.log_data(), out);
    case wire::WorkerReport::kTaskEnded:
      return Read<protocol::TaskEnded>(in.task_ended(), out);
    case wire::WorkerReport::kLeaving:
      out->emplace<protocol::Leaving>();
      return absl::OkStatus();
    case wire::WorkerReport::BODY_NOT_SET:
      return EmptyBody("WorkerReport");
  }
  return EmptyBody("WorkerReport");
}

}  // namespace coxswain::rpc
