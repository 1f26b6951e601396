#include "trainer/task/task.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "common/config/job_parser.h"
#include "trainer/blob/checkpoint_io.h"
#include "trainer/blob/text.h"
#include "trainer/task/collector.h"
#include "trainer/task/idx_checker.h"
#include "trainer/task/image_model_checker.h"
#include "trainer/task/memory_checker.h"
#include "trainer/task/own_model_checker.h"
#include "trainer/task/resume_checker.h"
#include "trainer/task/store_checker.h"
#include "trainer/task/table_checker.h"
#include "trainer/task/text_checker.h"

namespace coxswain::trainer::task {
namespace {

using blob::Cat;
using nlohmann::ordered_json;
using Result = absl::StatusOr<ordered_json>;

// A check is quick or it fails; reading a checkpoint back may wait for its store.
constexpr blob::RetryPolicy kCheckPolicy{base::milliseconds(200), base::seconds(1),
                                         base::seconds(3)};
constexpr blob::RetryPolicy kReadPolicy{base::milliseconds(200), base::seconds(2),
                                        base::seconds(60)};

std::string TextAt(const ordered_json& json, const char* key) {
  auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

absl::StatusOr<config::JobSpec> ParseSpec(const std::string& yaml) {
  auto parsed = config::ParseJob(yaml, "job.yaml", {});
  if (auto* job = std::get_if<config::ParsedJob>(&parsed)) return std::move(job->spec);
  const auto& mistakes = std::get<std::vector<config::Mistake>>(parsed);
  return absl::InvalidArgumentError(mistakes.empty() ? "job.yaml: cannot be read"
                                                     : mistakes.front().ToString());
}

// One task's surroundings.
struct Context {
  const protocol::StartTask& task;
  ordered_json argument;
  config::JobSpec spec;  // defaults if the order has no job file
  std::string base;      // the job's store
  blob::RetryPolicy policy;

  blob::StoreSettings Settings(const std::string& what) const {
    return {spec.checkpoint.endpoint, spec.checkpoint.region,
            std::make_shared<blob::Patience>(policy, what), nullptr};
  }
};

absl::Status RequireStore(const Context& context) {
  if (!context.base.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "the job names no store (spec.checkpoint.store) and this worker knows no default");
}

absl::Status CheckPlace(const Context& context) {
  if (absl::Status status = RequireStore(context); !status.ok()) return status;
  auto store = blob::OpenStore(context.base, context.Settings("store " + context.base));
  if (!store.ok()) return store.status();
  auto probe = context.argument.find("probe");
  if (probe != context.argument.end()) {
    if (auto checkpoint = probe->find("checkpoint"); checkpoint != probe->end()) {
      return SeeCheckpoint(TextAt(*checkpoint, "uri"), TextAt(*checkpoint, "manifest_hash"),
                           context.Settings("checkpoint"));
    }
    if (std::string token = TextAt(*probe, "write"); !token.empty())
      return WriteMark(**store, token);
    std::string token = TextAt(*probe, "see");
    absl::Status seen = SeeMark(**store, token);
    if (seen.ok() && probe->value("keep", false)) return seen;
    absl::Status removed = RemoveMark(**store, token);
    return seen.ok() ? removed : seen;
  }
  if (context.argument.value("multi_node", false)) {
    if (absl::Status status = CheckShared(context.base); !status.ok()) return status;
  }
  return CheckStore(**store);
}

ResumeOrder ResumeOrderOf(const Context& context) {
  ResumeOrder order;
  auto found = context.argument.find("resume");
  if (found == context.argument.end() || !found->is_object()) return order;
  order.uncommitted = found->value("uncommitted", false);
  order.elsewhere = found->value("elsewhere", false);
  order.at_submit = context.argument.value("at_submit", false);
  for (const auto& each : found->value("candidates", ordered_json::array())) {
    order.candidates.push_back(
        {base::CheckpointId(), TextAt(each, "uri"), TextAt(each, "manifest_hash")});
  }
  return order;
}

// Whether the model fits, and what it is to begin with fits it.
// `rows`: bytes of them that are kept in memory.
absl::Status CheckModel(const Context& context, const ResumeJob& job, uint64_t rows,
                        std::string* warning) {
  MachineSize machine;
  if (auto found = context.argument.find("machine"); found != context.argument.end()) {
    machine = {found->value("memory", int64_t{0}), found->value("ranks", int64_t{1})};
  }
  std::string wrong = WhyTooLarge(context.spec, job.list, machine, rows);
  if (!wrong.empty()) return absl::InvalidArgumentError(wrong);
  absl::StatusOr<std::string> resumed =
      CheckResume(ResumeOrderOf(context), job, context.Settings("checkpoint"));
  if (!resumed.ok()) return resumed.status();
  *warning = *std::move(resumed);
  return absl::OkStatus();
}

absl::Status CheckTableData(const Context& context, ordered_json* result, std::string* warning) {
  absl::StatusOr<TableSummary> tables = CheckTables(context.spec, context.Settings("data"));
  if (!tables.ok()) return tables.status();
  if (tables->train_rows >= 0) (*result)["train_samples"] = tables->train_rows;
  if (tables->evaluate_rows >= 0) (*result)["evaluate_samples"] = tables->evaluate_rows;
  (*result)["numeric_columns"] = tables->columns.numeric.size();
  (*result)["categorical_columns"] = tables->columns.categorical.size();
  const state::TableShape least = tables->LeastShape();
  absl::StatusOr<state::StateList> list =
      context.spec.model.IsOwn()
          ? CheckOwnModel(context.spec, SamplesOf(least, tables->columns.classes),
                          context.Settings("model"))
          : state::ListState(context.spec, least);
  if (!list.ok()) return list.status();
  absl::Status fits =
      CheckModel(context, {context.spec, *list, tables->train_rows, &tables->columns},
                 tables->kept_bytes, warning);
  if (!tables->warning.empty()) {
    *warning += (warning->empty() ? "" : "; ") + tables->warning;
  }
  return fits;
}

absl::Status CheckText(const Context& context, ordered_json* result, std::string* warning) {
  absl::StatusOr<TextCheck> checked = CheckTextJob(context.spec, context.Settings("data"));
  if (!checked.ok()) return checked.status();
  if (checked->samples >= 0) (*result)["train_samples"] = checked->samples;
  if (checked->evaluate_samples >= 0) (*result)["evaluate_samples"] = checked->evaluate_samples;
  (*result)["parameters"] = checked->list.parameters;
  return CheckModel(context, {context.spec, checked->list, checked->samples}, 0, warning);
}

absl::Status CheckData(const Context& context, ordered_json* result, std::string* warning) {
  if (context.spec.data.IsTable()) return CheckTableData(context, result, warning);
  const config::Data& data = context.spec.data;
  if (data.IsText()) return CheckText(context, result, warning);
  blob::StoreSettings settings = context.Settings("data");
  absl::StatusOr<IdxSummary> train =
      CheckIdxPair(data.train, "spec.data.train", data.classes, settings);
  if (!train.ok()) return train.status();
  (*result)["train_samples"] = train->samples;
  (*result)["height"] = train->height;
  (*result)["width"] = train->width;
  const state::ImageShape image{static_cast<int64_t>(train->channels),
                                static_cast<int64_t>(train->height),
                                static_cast<int64_t>(train->width)};
  absl::StatusOr<state::StateList> list =
      CheckImageModel(context.spec, image, context.Settings("model"));
  if (!list.ok()) return list.status();
  auto samples = static_cast<int64_t>(train->samples);
  if (data.limit > 0) samples = std::min(data.limit, samples);
  absl::Status fits = CheckModel(context, {context.spec, *list, samples}, 0, warning);
  if (!fits.ok()) return fits;
  if (!data.evaluate) return absl::OkStatus();
  absl::StatusOr<IdxSummary> evaluate =
      CheckIdxPair(*data.evaluate, "spec.data.evaluate", data.classes, settings);
  if (!evaluate.ok()) return evaluate.status();
  if (evaluate->height != train->height || evaluate->width != train->width ||
      evaluate->channels != train->channels) {
    return absl::InvalidArgumentError(Cat("spec.data.evaluate.images: ", data.evaluate->images,
                                          ": found images of ", evaluate->height, "x",
                                          evaluate->width, ", expected ", train->height, "x",
                                          train->width, " as in ", data.train.images));
  }
  (*result)["evaluate_samples"] = evaluate->samples;
  return absl::OkStatus();
}

// What the program needs is on the machine that runs it, and nobody else can tell.
absl::Status CheckProgram(const Context& context, std::string* warning) {
  ResumeJob job{context.spec, state::StateList(), 0};
  absl::StatusOr<std::string> resumed =
      CheckResume(ResumeOrderOf(context), job, context.Settings("checkpoint"));
  if (resumed.ok()) *warning = *resumed;
  return resumed.status();
}

Result Check(const Context& context, std::string* warning) {
  ordered_json result = ordered_json::object();
  if (!context.argument.contains("probe")) {
    absl::Status status = context.spec.HasProgram() ? CheckProgram(context, warning)
                                                    : CheckData(context, &result, warning);
    if (!status.ok()) return status;
  }
  if (absl::Status status = CheckPlace(context); !status.ok()) {
    return absl::Status(status.code(), Cat("spec.checkpoint.store: ", status.message()));
  }
  result["store"] = context.base;
  return result;
}

Result Verify(const Context& context) {
  std::string uri = TextAt(context.argument, "uri");
  if (uri.empty()) return absl::InternalError("the order to verify names no checkpoint (\"uri\")");
  blob::ReadOptions options;
  options.manifest_hash = TextAt(context.argument, "manifest_hash");
  absl::StatusOr<blob::VerifiedCheckpoint> verified =
      blob::VerifyCheckpoint(uri, context.Settings("checkpoint store " + uri), options);
  if (!verified.ok()) return verified.status();
  return ordered_json{{"step", verified->manifest.info.step},
                      {"shards", verified->manifest.shards.size()},
                      {"bytes", verified->bytes},
                      {"manifest_hash", verified->manifest_hash},
                      {"committed", verified->committed}};
}

Result CollectAll(const Context& context) {
  std::string prefix = TextAt(context.argument, "prefix");
  if (prefix.empty()) prefix = context.base;
  std::vector<std::string> uris;
  if (auto list = context.argument.find("uris"); list != context.argument.end()) {
    for (const auto& uri : *list) {
      if (uri.is_string()) uris.push_back(uri.get<std::string>());
    }
  }
  if (prefix.empty()) return RequireStore(context);
  absl::StatusOr<Collected> collected =
      Collect(prefix, uris, context.Settings("checkpoint store " + prefix));
  if (!collected.ok()) return collected.status();
  return ordered_json{{"deleted", collected->deleted},
                      {"bytes", collected->bytes},
                      {"aborted_uploads", collected->aborted_uploads}};
}

Result Run(const protocol::StartTask& task, const std::string& default_store,
           std::string* warning) {
  Context context{task, ordered_json::parse(task.argument, nullptr, false), {}, "", kReadPolicy};
  if (!context.argument.is_object()) {
    return absl::InternalError(
        Cat("the argument of the ", ToString(task.kind), " task is no JSON object"));
  }
  if (task.kind == protocol::TaskKind::kCheck) context.policy = kCheckPolicy;
  std::string yaml = TextAt(context.argument, "spec_yaml");
  if (yaml.empty()) yaml = task.spec_yaml;
  if (!yaml.empty() || task.kind == protocol::TaskKind::kCheck) {
    absl::StatusOr<config::JobSpec> spec = ParseSpec(yaml);
    if (!spec.ok()) return spec.status();
    context.spec = *std::move(spec);
  }
  context.base =
      context.spec.checkpoint.store.empty() ? default_store : context.spec.checkpoint.store;
  switch (task.kind) {
    case protocol::TaskKind::kCheck:
      return Check(context, warning);
    case protocol::TaskKind::kVerify:
      return Verify(context);
    case protocol::TaskKind::kCollect:
      return CollectAll(context);
  }
  return absl::InternalError("unknown kind of task");
}

bool IsUserError(const protocol::StartTask& task, const absl::Status& status) {
  if (task.kind == protocol::TaskKind::kVerify) return blob::IsCorrupt(status);
  if (absl::IsInternal(status)) return false;
  if (!blob::IsRetryable(status)) return true;
  ordered_json argument = ordered_json::parse(task.argument, nullptr, false);
  return argument.is_object() && argument.value("at_submit", false);
}

}  // namespace

protocol::TaskEnded RunTask(const protocol::StartTask& task, const std::string& default_store) {
  protocol::TaskEnded ended;
  ended.task = task.task;
  std::string warning;
  Result result = Run(task, default_store, &warning);
  ended.ok = result.ok();
  if (result.ok()) {
    ended.error = std::move(warning);
    ended.result = result->dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  } else {
    ended.error = std::string(result.status().message());
    ended.user_error = IsUserError(task, result.status());
  }
  return ended;
}

}  // namespace coxswain::trainer::task
