#include <CLI/CLI.hpp>

#include "cli/output/table.h"
#include "cli/output/words.h"
#include "cli/verbs/job_view.h"
#include "cli/verbs/verb.h"
#include "common/base/byte_text.h"
#include "common/config/job_parser.h"

namespace coxswain::cli::verbs {
namespace {

using output::Fields;
using output::When;

std::string ExitText(const rpc::ExitInfo& exit) {
  if (!exit.ended) return "";
  return output::ExitWords(exit.code, exit.signal) + " of rank " + std::to_string(exit.rank) +
         (exit.node.empty() ? "" : " on " + exit.node);
}

std::string CheckpointText(const rpc::Checkpoint& c, const std::string& metric) {
  return c.id + " " + c.state + " at step " + output::Count(c.step) +
         (c.best ? " (" + metric + " " + output::Number(c.metric) + ")" : "") + ", " + c.uri;
}

// Of a job that is not training.
std::string EndProgress(const rpc::Progress& p) {
  std::string text = "step " + output::Count(p.step);
  if (p.total_steps > 0) text += "/" + output::Count(p.total_steps);
  return p.loss ? text + ", loss " + output::Number(*p.loss) : text;
}

// A URI by its last part alone, unless all of it is asked for: it would push the columns after it
// off the screen.
std::string From(const rpc::Attempt& attempt, bool own_program, bool whole) {
  if (attempt.resumed_from.empty()) return "the start";
  std::string from = attempt.resumed_from;
  const size_t slash = from.find_last_of('/');
  if (!whole && slash != std::string::npos) from = "..." + from.substr(slash);
  if (attempt.resumed_position == 0) return from;  // ordered, not yet restored
  return from + (own_program ? " (step " : " (sample ") + output::Count(attempt.resumed_position) +
         ")";
}

std::string SizeText(const rpc::Job& job) {
  const std::string text = base::RangedText(job.workers_now, job.min_workers, job.max_workers);
  if (job.resizes == 0) return text;
  return text + ", moved " + std::to_string(job.resizes) + (job.resizes == 1 ? " time" : " times");
}

std::string BatchText(const rpc::Job& job) {
  const rpc::Progress& p = job.progress;
  if (p.global_batch == 0) return "";
  std::string text = base::RangedText(p.global_batch, job.min_global_batch, job.max_global_batch) +
                     " samples a step";
  if (p.gradient_noise > 0) text += ", gradient noise scale " + output::Number(p.gradient_noise);
  return job.batch_reason.empty() ? text : text + ": " + job.batch_reason;
}

std::string Summary(const Session& session, const rpc::Job& job) {
  Fields fields;
  fields.Add("Job", job.id + " (" + job.name + ")");
  fields.Add("State", {job.state, output::ColourOfState(job.state)});
  fields.Add("Reason", job.reason);
  if (job.state == "PENDING") fields.Add("Starts", StartText(job));
  fields.Add("Queue", QueueText(job));
  fields.Add("Cause", CauseText(job.cause, job.failure_kind));
  for (const std::string& condition : OtherConditions(job))
    fields.Add("Note", {condition, output::Colour::kYellow});
  fields.Add("Progress", job.has_progress && job.progress.step > 0 && !rpc::HasEnded(job)
                             ? ProgressText(job)
                             : (job.progress.step > 0 ? EndProgress(job.progress) : ""));
  fields.Add("Ranks", SizeText(job));
  fields.Add("Batch", BatchText(job));
  fields.Add("Evaluation", EvaluationText(job.progress));
  fields.Add("Submitted",
             When(job.submitted_us) + (job.submitted_by.empty() ? "" : " by " + job.submitted_by));
  fields.Add("Started", When(job.started_us));
  fields.Add("Ended", When(job.ended_us));
  fields.Add("Exit", ExitText(job.exit));
  fields.Add("Attempt", std::to_string(job.attempt) + ", generation " +
                            std::to_string(job.generation) + "; " +
                            std::to_string(job.failed_attempts) + " of at most " +
                            std::to_string(job.max_attempts) + " failed");
  for (const auto& [name, value] : job.labels) fields.Add("Label", name + "=" + value);
  const std::string metric = job.has_best ? config::BestMetricOf(job.spec_yaml) : "";
  if (job.has_checkpoint) fields.Add("Checkpoint", CheckpointText(job.last_checkpoint, metric));
  if (job.has_best) fields.Add("Best", CheckpointText(job.best_checkpoint, metric));
  fields.Add("Model", job.model_uri);
  return fields.ToString(session.out());
}

std::string Ranks(const Session& session, const rpc::Job& job) {
  output::Table table({"RANK", "NODE", "STATE", "PID", "STEP", "PHASE", "GPUS", "EXIT"});
  for (const rpc::RankStatus& rank : job.ranks) {
    std::string gpus;
    for (const std::string& uuid : rank.gpu_uuids) gpus += (gpus.empty() ? "" : ",") + uuid;
    table.Add({std::to_string(rank.rank),
               rank.node,
               {rank.reachable || rank.exit.ended ? rank.state : rank.state + " (unreachable)",
                output::ColourOfState(rank.state)},
               rank.pid > 0 ? std::to_string(rank.pid) : "",
               rank.exit.ended || rank.step == 0 ? "" : output::Count(rank.step),
               rank.phase,
               gpus,
               rank.exit.ended && rank.state != "LOST"
                   ? output::ExitWords(rank.exit.code, rank.exit.signal)
                   : ""});
  }
  return table.ToString(session.out());
}

std::string Attempts(const Session& session, const rpc::Job& job) {
  output::Table table({"ATTEMPT", "RANKS", "STARTED", "ENDED", "FROM", "CAUSE", "EXIT", "REASON"});
  for (const rpc::Attempt& attempt : job.attempts) {
    table.Add({std::to_string(attempt.number), std::to_string(attempt.workers),
               When(attempt.started_us), When(attempt.ended_us),
               From(attempt, job.own_program, session.wide()),
               CauseText(attempt.cause, attempt.kind), ExitText(attempt.exit), attempt.reason});
  }
  return table.ToString(session.out());
}

// As measured; of a job whose size may be moved.
std::string StepTimes(const Session& session, const rpc::Job& job) {
  output::Table table({"NODES", "RANKS", "BATCH", "SECONDS/STEP", "SAMPLES/S"});
  for (const rpc::StepTime& step : job.step_times) {
    const double rate =
        step.seconds > 0 ? static_cast<double>(step.global_batch) / step.seconds : 0;
    table.Add({std::to_string(step.nodes), std::to_string(step.workers),
               output::Count(step.global_batch), output::Number(step.seconds),
               output::Count(static_cast<int64_t>(rate + 0.5))});
  }
  return table.ToString(session.out());
}

int Describe(const Session& session, const std::string& name) {
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  const absl::StatusOr<rpc::Job> job = (*client)->GetJob(name);
  if (!job.ok()) return session.Fail(job.status());
  if (session.machine_readable()) {
    session.PrintStructured(job->json);
    return kSuccess;
  }
  std::string text = Summary(session, *job);
  if (!job->ranks.empty()) text += "\n" + Ranks(session, *job);
  if (job->attempts.size() > (session.wide() ? 0 : 1)) text += "\n" + Attempts(session, *job);
  if (!job->step_times.empty() && (session.wide() || job->min_workers < job->max_workers)) {
    text += "\n" + StepTimes(session, *job);
  }
  const std::string failure = FailureText(session.out(), *job);
  if (!failure.empty()) text += "\n" + failure;
  if (session.wide()) text += "\n" + output::Harmless(job->spec_yaml);
  session.Print(text);
  return kSuccess;
}

}  // namespace

void AddDescribe(CLI::App* app, Session* session) {
  auto job = std::make_shared<std::string>();
  CLI::App* verb =
      app->add_subcommand("describe", "Everything about one job; -o wide adds its file");
  verb->add_option("JOB", *job, "id (j12) or name (the newest of that name)")->required();
  verb->footer(
      "\nExamples:\n  cox describe j12\n  cox describe fashion-mnist -o wide\n"
      "  cox describe j12 -o json    # exit.code and exit.signal are the job's own");
  verb->callback([=] { session->action = [=] { return Describe(*session, *job); }; });
}

}  // namespace coxswain::cli::verbs
