#include "common/rpc/convert_parts.h"

namespace coxswain::rpc {
namespace {

// Rounded up, so that a short time never becomes none.
int64_t Milliseconds(base::Duration duration) {
  return std::chrono::ceil<base::milliseconds>(duration).count();
}

struct OrderWriter {
  wire::WorkerOrder* out;

  void operator()(const protocol::Welcome& in) const {
    wire::Welcome* to = out->mutable_welcome();
    to->set_cluster(Utf8(in.cluster.value));
    to->set_term(in.term.value);
    to->set_lease_ms(Milliseconds(in.lease));
    to->set_warning(Utf8(in.warning));
  }
  void operator()(const protocol::Rejected& in) const {
    out->mutable_rejected()->set_reason(Utf8(in.reason));
    out->mutable_rejected()->set_permanent(in.permanent);
  }
  void operator()(const protocol::StartRank& in) const {
    wire::StartRank* to = out->mutable_start_rank();
    ToProto(in.key, to->mutable_key());
    to->set_incarnation(in.incarnation.value);
    to->set_job_name(Utf8(in.job_name));
    to->set_world_size(in.world_size);
    to->set_local_rank(in.local_rank);
    to->set_spec_yaml(Utf8(in.spec_yaml));
    for (const std::string& uuid : in.gpu_uuids) to->add_gpu_uuids(Utf8(uuid));
    to->set_cpus(in.cpus);
    to->set_state_prefix(Utf8(in.state_prefix));
    to->set_local_world_size(in.local_world_size);
    to->set_node_rank(in.node_rank);
    to->set_nodes(in.nodes);
    for (const std::string& uuid : in.node_gpus) to->add_node_gpus(Utf8(uuid));
  }
  void operator()(const protocol::StopRank& in) const {
    wire::StopRank* to = out->mutable_stop_rank();
    ToProto(in.key, to->mutable_key());
    to->set_grace_ms(Milliseconds(in.grace));
    to->set_reason(Utf8(in.reason));
    to->set_jobs_grace(in.jobs_grace);
  }
  void operator()(const protocol::ToTrainer& in) const {
    wire::ToTrainer* to = out->mutable_to_trainer();
    ToProto(in.key, to->mutable_key());
    to->set_incarnation(in.incarnation.value);
    ToProto(in.order, to->mutable_order());
  }
  void operator()(const protocol::AcknowledgeExit& in) const {
    wire::AcknowledgeExit* to = out->mutable_acknowledge_exit();
    ToProto(in.key, to->mutable_key());
    to->set_incarnation(in.incarnation.value);
  }
  void operator()(const protocol::AcknowledgeMetrics& in) const {
    out->mutable_acknowledge_metrics()->set_job(in.job.value);
    out->mutable_acknowledge_metrics()->set_batch(in.batch);
  }
  void operator()(const protocol::ReadLog& in) const {
    wire::ReadLog* to = out->mutable_read_log();
    to->set_request(in.request);
    ToProto(in.key, to->mutable_key());
    to->set_stderr_stream(in.stderr_stream);
    to->set_offset(in.offset);
    to->set_follow(in.follow);
    to->set_tail_lines(in.tail_lines);
    to->set_cancel(in.cancel);
  }
  void operator()(const protocol::StartTask& in) const { ToProto(in, out->mutable_start_task()); }
  void operator()(const protocol::ForgetJob& in) const {
    out->mutable_forget_job()->set_job(in.job.value);
  }
};

absl::Status ReadIncarnation(std::string_view message, uint64_t in, base::Incarnation* out) {
  if (in == 0) return OutOfRange(message, "incarnation", 0, 1, UINT64_MAX);
  *out = base::Incarnation(in);
  return absl::OkStatus();
}

absl::Status ReadMilliseconds(std::string_view message, std::string_view field, int64_t in,
                              base::Duration* out) {
  constexpr int64_t kLongest = 1000ll * 3600 * 24 * 365;  // a year: far below overflow
  if (in < 0 || in > kLongest) {
    return absl::InvalidArgumentError(std::string(message) + "." + std::string(field) + " is " +
                                      std::to_string(in) + ", expected 0 to " +
                                      std::to_string(kLongest) + " milliseconds");
  }
  *out = base::milliseconds(in);
  return absl::OkStatus();
}

}  // namespace

static absl::Status FromProto(const wire::Welcome& in, protocol::Welcome* out) {
  if (in.cluster().empty()) return Missing("Welcome", "cluster");
  if (in.term() == 0) return OutOfRange("Welcome", "term", 0, 1, UINT64_MAX);
  if (in.lease_ms() <= 0) return Missing("Welcome", "lease_ms");
  out->cluster = base::ClusterId(in.cluster());
  out->term = base::Term(in.term());
  out->warning = in.warning();
  return ReadMilliseconds("Welcome", "lease_ms", in.lease_ms(), &out->lease);
}

static absl::Status FromProto(const wire::Rejected& in, protocol::Rejected* out) {
  out->reason = in.reason();
  out->permanent = in.permanent();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::StartRank& in, protocol::StartRank* out) {
  COX_RETURN_IF_ERROR(ReadPart("StartRank", "key", in.has_key(), in.key(), &out->key));
  COX_RETURN_IF_ERROR(ReadIncarnation("StartRank", in.incarnation(), &out->incarnation));
  if (in.world_size() <= in.key().rank()) {
    return OutOfRange("StartRank", "world_size", in.world_size(), in.key().rank() + 1ull,
                      UINT64_MAX);
  }
  out->job_name = in.job_name();
  out->world_size = in.world_size();
  out->local_rank = in.local_rank();
  out->spec_yaml = in.spec_yaml();
  out->gpu_uuids.assign(in.gpu_uuids().begin(), in.gpu_uuids().end());
  out->cpus = in.cpus();
  out->state_prefix = in.state_prefix();
  out->local_world_size = in.local_world_size();
  out->node_rank = in.node_rank();
  out->nodes = in.nodes();
  out->node_gpus.assign(in.node_gpus().begin(), in.node_gpus().end());
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::StopRank& in, protocol::StopRank* out) {
  COX_RETURN_IF_ERROR(ReadPart("StopRank", "key", in.has_key(), in.key(), &out->key));
  out->reason = in.reason();
  out->jobs_grace = in.jobs_grace();
  return ReadMilliseconds("StopRank", "grace_ms", in.grace_ms(), &out->grace);
}

static absl::Status FromProto(const wire::ToTrainer& in, protocol::ToTrainer* out) {
  COX_RETURN_IF_ERROR(ReadPart("ToTrainer", "key", in.has_key(), in.key(), &out->key));
  COX_RETURN_IF_ERROR(ReadIncarnation("ToTrainer", in.incarnation(), &out->incarnation));
  return ReadPart("ToTrainer", "order", in.has_order(), in.order(), &out->order);
}

static absl::Status FromProto(const wire::AcknowledgeExit& in, protocol::AcknowledgeExit* out) {
  COX_RETURN_IF_ERROR(ReadPart("AcknowledgeExit", "key", in.has_key(), in.key(), &out->key));
  return ReadIncarnation("AcknowledgeExit", in.incarnation(), &out->incarnation);
}

static absl::Status FromProto(const wire::AcknowledgeMetrics& in,
                              protocol::AcknowledgeMetrics* out) {
  if (in.job() == 0) return OutOfRange("AcknowledgeMetrics", "job", 0, 1, UINT64_MAX);
  out->job = base::JobId(in.job());
  out->batch = in.batch();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::ReadLog& in, protocol::ReadLog* out) {
  COX_RETURN_IF_ERROR(ReadPart("ReadLog", "key", in.has_key(), in.key(), &out->key));
  out->request = in.request();
  out->stderr_stream = in.stderr_stream();
  out->offset = in.offset();
  out->follow = in.follow();
  out->tail_lines = in.tail_lines();
  out->cancel = in.cancel();
  return absl::OkStatus();
}

static absl::Status FromProto(const wire::ForgetJob& in, protocol::ForgetJob* out) {
  if (in.job() == 0) return OutOfRange("ForgetJob", "job", 0, 1, UINT64_MAX);
  out->job = base::JobId(in.job());
  return absl::OkStatus();
}

// Reads `in` as alternative T of `out`.
template <class T, class Part>
static absl::Status Read(const Part& in, protocol::WorkerOrder* out) {
  return FromProto(in, &out->emplace<T>());
}

void ToProto(const protocol::WorkerOrder& in, base::Term term, wire::WorkerOrder* out) {
  out->set_term(term.value);
  std::visit(OrderWriter{out}, in);
}

absl::Status FromProto(const wire::WorkerOrder& in, base::Term* term, protocol::WorkerOrder* out) {
  *term = base::Term(in.term());
  switch (in.body_case()) {
    case wire::WorkerOrder::kWelcome:
      return Read<protocol::Welcome>(in.welcome(), out);
    case wire::WorkerOrder::kRejected:
      return Read<protocol::Rejected>(in.rejected(), out);
    case wire::WorkerOrder::kStartRank:
      return Read<protocol::StartRank>(in.start_rank(), out);
    case wire::WorkerOrder::kStopRank:
      return Read<protocol::StopRank>(in.stop_rank(), out);
    case wire::WorkerOrder::kToTrainer:
      return Read<protocol::ToTrainer>(in.to_trainer(), out);
    case wire::WorkerOrder::kAcknowledgeExit:
      return Read<protocol::AcknowledgeExit>(in.acknowledge_exit(), out);
    case wire::WorkerOrder::kAcknowledgeMetrics:
      return Read<protocol::AcknowledgeMetrics>(in.acknowledge_metrics(), out);
    case wire::WorkerOrder::kReadLog:
      return Read<protocol::ReadLog>(in.read_log(), out);
    case wire::WorkerOrder::kStartTask:
      return Read<protocol::StartTask>(in.start_task(), out);
    case wire::WorkerOrder::kForgetJob:
      return Read<protocol::ForgetJob>(in.forget_job(), out);
    case wire::WorkerOrder::BODY_NOT_SET:
      return EmptyBody("WorkerOrder");
  }
  return EmptyBody("WorkerOrder");
}

}  // namespace coxswain::rpc
