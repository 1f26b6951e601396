#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/output/table.h"
#include "cli/output/words.h"
#include "cli/rpc/coordinator_clock.h"
#include "cli/verbs/flag_checks.h"
#include "cli/verbs/job_view.h"
#include "cli/verbs/verb.h"
#include "common/base/byte_text.h"

namespace coxswain::cli::verbs {
namespace {

using output::Ago;

struct Flags {
  rpc::JobFilter filter{
      .states = {}, .name_prefix = "", .labels = {}, .active_only = false, .limit = 100};
  std::vector<std::string> labels;
};

std::string StepText(const rpc::Progress& progress) {
  if (progress.step == 0) return "";
  return output::Count(progress.step) +
         (progress.total_steps > 0 ? "/" + output::Count(progress.total_steps) : "");
}

void PrintTable(const Session& session, const std::vector<rpc::Job>& jobs) {
  std::vector<std::string> headings = {"ID", "NAME", "STATE", "RANKS", "STEP", "LOSS", "AGE"};
  if (session.wide())
    headings.insert(headings.end(),
                    {"ATTEMPT", "FAILED", "QUEUE", "PRIORITY", "BY", "LABELS", "LEFT"});
  headings.push_back("REASON");
  output::Table table(headings);
  const int64_t now = rpc::CoordinatorNow().us;
  for (const rpc::Job& job : jobs) {
    const rpc::Progress& p = job.progress;
    std::vector<output::Cell> row = {
        job.id,
        job.name,
        {job.state, output::ColourOfState(job.state)},
        base::RangedText(job.workers_now, job.min_workers, job.max_workers),
        StepText(p),
        p.loss ? output::Number(*p.loss) : "",
        Ago(job.submitted_us, now)};
    if (session.wide()) {
      row.push_back(std::to_string(job.attempt));
      row.push_back(std::to_string(job.failed_attempts) + "/" + std::to_string(job.max_attempts));
      row.push_back(job.queue);
      row.push_back(std::to_string(job.priority));
      row.push_back(job.submitted_by);
      row.push_back(output::Labels(job.labels));
      row.push_back(LeftText(job));
    }
    row.push_back(job.reason);
    table.Add(std::move(row));
  }
  session.Print(table.ToString(session.out()));
}

int List(const Session& session, Flags flags) {
  for (const std::string& label : flags.labels) {
    const size_t equals = label.find('=');
    if (equals == std::string::npos) {
      session.Note("cox: --label: found \"" + label + "\", expected NAME=VALUE");
      return kUsage;
    }
    flags.filter.labels[label.substr(0, equals)] = label.substr(equals + 1);
  }
  for (std::string& state : flags.filter.states) {
    std::transform(state.begin(), state.end(), state.begin(),
                   [](unsigned char c) { return std::toupper(c); });
  }
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  const auto jobs = (*client)->ListJobs(flags.filter);
  if (!jobs.ok()) return session.Fail(jobs.status());
  if (session.machine_readable()) {
    session.PrintStructured(jobs->json);
  } else if (jobs->items.empty()) {
    const rpc::JobFilter& f = flags.filter;
    const bool all = f.states.empty() && f.name_prefix.empty() && f.labels.empty() &&
                     f.queues.empty() && f.submitted_by.empty() && !f.active_only;
    session.Note(all ? "no jobs; `cox submit FILE` adds one" : "no such jobs");
  } else {
    PrintTable(session, jobs->items);
  }
  return kSuccess;
}

}  // namespace

void AddJobs(CLI::App* app, Session* session) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app->add_subcommand("jobs", "List jobs, newest first");
  verb->add_option("--state", flags->filter.states, "only this state, such as RUNNING (repeatable)")
      ->allow_extra_args(false);
  verb->add_flag("--active", flags->filter.active_only, "only jobs that have not ended");
  verb->add_option("--name", flags->filter.name_prefix, "only names that begin so");
  verb->add_option("--label", flags->labels, "only with this label, NAME=VALUE (repeatable)")
      ->allow_extra_args(false);
  verb->add_option("--queue", flags->filter.queues,
                   "only of this queue, or of those below it (repeatable)")
      ->allow_extra_args(false);
  verb->add_option("--user", flags->filter.submitted_by,
                   "only of this user: NAME, or NAME@MACHINE");
  verb->add_option("--limit", flags->filter.limit, "at most so many; 0: all")
      ->capture_default_str()
      ->check(WrongCount);
  verb->footer(
      "\nExamples:\n  cox jobs\n  cox jobs --active -o wide\n  cox jobs --label team=vision -o "
      "json\n  cox jobs --active --queue research --user ann");
  verb->callback([=] { session->action = [=] { return List(*session, *flags); }; });
}

}  // namespace coxswain::cli::verbs
