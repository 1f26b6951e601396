#include <CLI/CLI.hpp>

#include "cli/output/table.h"
#include "cli/output/words.h"
#include "cli/rpc/coordinator_clock.h"
#include "cli/verbs/verb.h"
#include "common/base/byte_text.h"
#include "common/config/job_parser.h"

namespace coxswain::cli::verbs {
namespace {

struct Flags {
  std::string job;
  bool all = false;
};

// The newest best one is the best.
std::string BestOf(const std::vector<rpc::Checkpoint>& newest_first) {
  for (const rpc::Checkpoint& c : newest_first) {
    if (c.best && (c.state == "COMMITTED" || c.state == "VERIFIED")) return c.id;
  }
  return "";
}

// What the best one is judged by.
std::string MetricOf(rpc::Client& client, const std::string& job) {
  const auto found = client.GetJob(job);
  const std::string metric = found.ok() ? config::BestMetricOf(found->spec_yaml) : "";
  return metric.empty() ? metric : metric + " ";
}

std::string Marks(const rpc::Checkpoint& c, bool best, const std::string& metric) {
  std::string marks = c.final ? "final" : "";
  if (best) marks += (c.final ? ", best: " : "best: ") + metric + output::Number(c.metric);
  return marks.empty() ? "" : " (" + marks + ")";
}

int List(const Session& session, const Flags& flags) {
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  const auto listed = (*client)->ListCheckpoints(flags.job, flags.all);
  if (!listed.ok()) return session.Fail(listed.status());
  if (session.machine_readable()) {
    session.PrintStructured(listed->json);
    return kSuccess;
  }
  if (listed->items.empty()) {
    session.Note("no checkpoints yet");
    return kSuccess;
  }
  std::vector<std::string> headings = {"ID", "STATE", "STEP", "SIZE", "AGE", "URI"};
  if (session.wide())
    headings.insert(headings.end(), {"SAMPLES", "SHARDS", "GENERATION", "VERIFIED", "REASON"});
  output::Table table(headings);
  const int64_t now = rpc::CoordinatorNow().us;
  const std::string best = BestOf(listed->items);
  const std::string metric = best.empty() ? "" : MetricOf(**client, flags.job);
  for (const rpc::Checkpoint& c : listed->items) {
    std::vector<output::Cell> row = {
        c.id,
        {c.state, output::ColourOfState(c.state)},
        output::Count(c.step) + Marks(c, c.id == best, metric),
        c.bytes > 0 ? base::BytesText(static_cast<uint64_t>(c.bytes)) : "",
        output::Ago(c.committed_us > 0 ? c.committed_us : c.opened_us, now),
        c.uri};
    if (session.wide()) {
      row.push_back(output::Count(c.position));
      row.push_back(std::to_string(c.shards));
      row.push_back(std::to_string(c.generation));
      row.push_back(output::When(c.verified_us));
      row.push_back(c.reason);
    }
    table.Add(std::move(row));
  }
  session.Print(table.ToString(session.out()));
  return kSuccess;
}

}  // namespace

void AddCheckpoints(CLI::App* app, Session* session) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app->add_subcommand("checkpoints", "Checkpoints of a job, newest first");
  verb->add_option("JOB", flags->job, "id (j12) or name")->required();
  verb->add_flag("--all", flags->all, "also those that have been removed");
  verb->footer("\nExamples:\n  cox checkpoints j12\n  cox checkpoints j12 --all -o wide");
  verb->callback([=] { session->action = [=] { return List(*session, *flags); }; });
}

}  // namespace coxswain::cli::verbs
