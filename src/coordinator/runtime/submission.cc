#include "coordinator/runtime/submission.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/limits.h"
#include "common/code/code_id.h"
#include "common/config/quantities.h"

namespace coxswain::coordinator::runtime {
namespace {

constexpr size_t kMostCandidates = 8;

// Tells a repeated request from another one with the same key.
std::string Digest(const std::string& yaml, const SubmitRequest& request) {
  std::string all = absl::StrCat(yaml.size(), ":", yaml, request.resume_from.size(), ":",
                                 request.resume_from, request.allow_uncommitted ? "u" : "");
  XXH128_hash_t hash = XXH3_128bits(all.data(), all.size());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

core::Within WithinOf(config::Within within) {
  switch (within) {
    case config::Within::kFleet:
      return core::Within::kFleet;
    case config::Within::kRack:
      return core::Within::kRack;
    case config::Within::kMachine:
      return core::Within::kMachine;
  }
  return core::Within::kFleet;
}

// 0: what batch norm computes, or a model of the user's own may, belongs to the micro-batch.
int64_t AtOnce(const config::JobSpec& spec) {
  if (spec.HasProgram() || spec.model.ByMicroBatch()) return 0;
  if (spec.train.micro_batch_size > 0) return spec.train.micro_batch_size;
  return (spec.train.global_batch_size + spec.workers - 1) / spec.workers;
}

core::JobRequest RequestOf(const config::JobSpec& spec) {
  core::JobRequest r;
  r.name = spec.metadata.name;
  r.labels = spec.metadata.labels;
  r.workers = spec.workers;
  r.min_workers = spec.min_workers;
  r.max_workers = spec.max_workers;
  r.own_program = spec.HasProgram();
  r.code = spec.program.code;
  r.batch = r.own_program ? 0 : spec.train.global_batch_size;
  r.at_once = AtOnce(spec);
  r.max_batch = r.own_program ? 0 : spec.train.max_global_batch_size;
  r.cpus = spec.resources.cpus;
  r.gpus = spec.resources.gpus;
  r.memory_bytes = spec.resources.memory_bytes;
  r.node_selector = spec.placement.node_selector;
  r.gpu_kinds = spec.placement.gpu_kinds;
  r.within = WithinOf(spec.placement.within);
  r.queue = spec.queue;
  r.priority = spec.priority;
  r.expected_time = spec.expected_time;
  r.end_when_preempted = spec.end_when_preempted;
  r.max_attempts = spec.retries.max_attempts;
  r.time_limit = spec.time_limit;
  r.grace = spec.grace;
  r.keep_checkpoints = spec.checkpoint.keep;
  r.store = spec.checkpoint.store;
  r.local_store = r.store.find("://") == std::string::npos || r.store.starts_with("file://");
  return r;
}

// What --resume-from names, if it is a place: a URI, or a path as `cox run` prints it. Empty: it
// names a job or a checkpoint.
std::string UriOf(const std::string& from) {
  if (from.find("://") != std::string::npos) return from;
  return from.starts_with('/') ? "file://" + from : "";
}

absl::Status WhyNot(const SubmitRequest& request) {
  if (request.spec_yaml.size() > base::kMostJobFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the job file has ", request.spec_yaml.size(),
                                                   " bytes, at most ", base::kMostJobFileBytes,
                                                   " are taken"));
  }
  if (request.idempotency_key.size() > base::kMostIdempotencyKeyBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the idempotency key has ", request.idempotency_key.size(), " bytes, at most ",
                     base::kMostIdempotencyKeyBytes, " are taken"));
  }
  if (request.allow_uncommitted && UriOf(request.resume_from).empty()) {
    return absl::InvalidArgumentError("allow_uncommitted needs a checkpoint URI in resume_from");
  }
  return absl::OkStatus();
}

// The machine that holds it, if only that one is known to.
core::NodeId HolderOf(const core::CheckpointRow& row) {
  return row.uri.starts_with("file://") ? row.node : core::NodeId();
}

// The checkpoints of a job that can be resumed from, newest first: if one turns out to be damaged,
// the one before it is taken.
absl::Status TakeCheckpointsOf(core::JobId job, store::StateReader& reader,
                               core::JobSubmitted* event) {
  absl::StatusOr<std::vector<core::CheckpointRow>> rows = reader.ListCheckpoints(job, false);
  if (!rows.ok()) return rows.status();
  std::vector<protocol::RestoreCandidate>& found = event->request.resume_from;
  for (const core::CheckpointRow& row : *rows) {
    if (!core::CanRestore(row)) continue;
    if (found.empty()) event->request.resume_node = HolderOf(row);
    found.push_back({row.id, row.uri, row.manifest_hash});
    if (found.size() == kMostCandidates) break;
  }
  if (!found.empty()) return event->resume_uri = found.front().uri, absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("job ", base::ToString(job), " has no checkpoint to resume from"));
}

absl::Status TakeCheckpoint(const core::CheckpointRow& row, core::JobSubmitted* event) {
  if (!core::CanRestore(row)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "checkpoint ", base::ToString(row.id), " is ", core::ToString(core::ShownState(row)),
        row.reason.empty() ? "" : ": " + row.reason,
        "; name one that is COMMITTED or VERIFIED (cox "
        "checkpoints), or the job, for its newest"));
  }
  event->resume_uri = row.uri;
  event->request.resume_from = {{row.id, row.uri, row.manifest_hash}};
  event->request.resume_node = HolderOf(row);
  return absl::OkStatus();
}

// A place is the user's to spell right; whether a checkpoint is there, a worker looks.
absl::Status WhyNoPlace(const std::string& from) {
  if (from.find("://") != std::string::npos) {
    std::string wrong = config::WrongUri(from, true);
    return wrong.empty() ? absl::OkStatus()
                         : absl::InvalidArgumentError(absl::StrCat("resume_from: ", wrong));
  }
  if (from.starts_with('/') || from.find_first_of("/:") == std::string::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("resume_from: found \"", config::Escaped(from),
                   "\", expected a job (id or name), a checkpoint's id, its URI (file:///PATH or "
                   "s3://BUCKET/KEY) or an absolute path"));
}

absl::Status ResolveResume(const std::string& from, store::StateReader& reader,
                           core::JobSubmitted* event) {
  if (absl::Status status = WhyNoPlace(from); !status.ok()) return status;
  event->resume_uri = UriOf(from);
  if (from.empty() || !event->resume_uri.empty()) return absl::OkStatus();
  if (std::optional<core::CheckpointId> id = base::ParseCheckpointId(from)) {
    absl::StatusOr<core::CheckpointRow> row = reader.GetCheckpoint(*id);
    if (row.ok()) return TakeCheckpoint(*row, event);
    if (absl::IsNotFound(row.status()) && !FindJob(from, reader).ok()) {
      return absl::NotFoundError(
          absl::StrCat("there is no checkpoint ", from, " (`cox checkpoints JOB` lists a job's)"));
    }
  }
  absl::StatusOr<core::JobId> job = FindJob(from, reader);
  if (!job.ok()) return job.status();
  return TakeCheckpointsOf(*job, reader, event);
}

struct KnownKey {
  core::JobId job;     // 0: the key is new
  bool ended = false;  // the core no longer knows it
};

// The job that an earlier submission with this key made. Of one that has not ended the core looks
// whether it is the same; for a dry run, which the core is not told the key of, that is done here.
absl::StatusOr<KnownKey> FindKey(const SubmitRequest& request, const core::JobSubmitted& event,
                                 store::StateReader& reader) {
  std::string digest;
  absl::StatusOr<core::JobId> job = reader.FindIdempotencyKey(request.idempotency_key, &digest);
  if (!job.ok()) return job.status();
  if (!*job) return KnownKey{};
  absl::StatusOr<store::JobRecord> record = reader.GetJob(*job);
  if (!record.ok()) return record.status();
  if (!core::IsFinal(record->job.state) && !request.dry_run) return KnownKey{*job, false};
  if (digest == event.request_digest) return KnownKey{*job, !request.dry_run};
  return absl::AlreadyExistsError(absl::StrCat("the idempotency key '", request.idempotency_key,
                                               "' was used for a different submission (",
                                               base::ToString(*job), ")"));
}

}  // namespace

std::string WrongCode(const std::string& code) {
  if (code::IsCodeId(code)) return "";
  return absl::StrCat("found ", config::Quoted(code),
                      ", expected sha256:... of an archive that has been uploaded (UploadCode); "
                      "`cox submit` packs and uploads a directory by itself");
}

absl::StatusOr<core::JobId> FindJob(const std::string& id_or_name, store::StateReader& reader) {
  std::optional<core::JobId> id = base::ParseJobId(id_or_name);
  absl::StatusOr<core::JobId> by_name = reader.FindJobByName(id_or_name);
  if (!id) {
    if (!absl::IsNotFound(by_name.status())) return by_name;
    return absl::NotFoundError(
        absl::StrCat("no job has the id or name '", id_or_name, "': `cox jobs` lists them"));
  }
  absl::StatusOr<store::JobRecord> record = reader.GetJob(*id);
  if (record.ok()) return *id;
  if (!absl::IsNotFound(record.status())) return record.status();
  if (by_name.ok()) return by_name;
  return absl::NotFoundError(absl::StrCat("no job ", id_or_name, ": `cox jobs` lists them"));
}

std::variant<Submission, Refusal> CheckSubmission(const SubmitRequest& request,
                                                  const config::JobSite& site,
                                                  store::StateReader& reader) {
  absl::Status status = WhyNot(request);
  if (!status.ok()) return Refusal{status, {}};
  // A job that names no store gets the coordinator's, written into its text: whatever reads the job
  // later (trainers, tasks, people) finds the store there.
  auto parse = [&](const config::JobSite& at) {
    return config::ParseJob(request.spec_yaml, request.spec_name, request.overrides, at);
  };
  // The core refuses a wrong queue, after it has seen that this is no repeat; what is wrong anyway
  // is told with it.
  auto parsed = parse({site.default_store, nullptr, WrongCode});
  if (std::holds_alternative<std::vector<config::Mistake>>(parsed)) parsed = parse(site);
  if (auto* mistakes = std::get_if<std::vector<config::Mistake>>(&parsed)) {
    std::string text = mistakes->empty() ? "the job file is wrong" : mistakes->front().ToString();
    if (mistakes->size() > 1) absl::StrAppend(&text, " (and ", mistakes->size() - 1, " more)");
    return Refusal{absl::InvalidArgumentError(text), std::move(*mistakes)};
  }
  config::ParsedJob& job = std::get<config::ParsedJob>(parsed);
  Submission out;
  out.warnings = std::move(job.warnings);
  out.event.request = RequestOf(job.spec);
  out.event.idempotency_key = request.dry_run ? "" : request.idempotency_key;
  out.event.request_digest = Digest(job.yaml, request);
  out.event.spec_yaml = std::move(job.yaml);
  out.event.submitted_by = request.submitted_by;
  out.event.allow_uncommitted = request.allow_uncommitted;
  out.event.dry_run = request.dry_run;
  absl::StatusOr<KnownKey> known = FindKey(request, out.event, reader);
  if (!known.ok()) return Refusal{known.status(), {}};
  if (known->ended) out.answered_by = known->job;
  if (known->job && request.dry_run) {
    out.warnings.push_back(absl::StrCat("this idempotency key made ", base::ToString(known->job),
                                        ": the submission would be answered with that job"));
  }
  // A repeat is answered whatever has become of the checkpoint since.
  if (known->job) return out;
  status = ResolveResume(request.resume_from, reader, &out.event);
  if (!status.ok()) return Refusal{status, {}};
  return out;
}

}  // namespace coxswain::coordinator::runtime
