// `cox explain`: why a job waits, when it starts or ends, who may take its slots, and what its
// queues and the nodes have for it.
#include <CLI/CLI.hpp>

#include <algorithm>

#include "cli/output/words.h"
#include "cli/verbs/fleet_cells.h"
#include "cli/verbs/job_view.h"
#include "cli/verbs/verb.h"
#include "common/base/clock.h"

namespace coxswain::cli::verbs {
namespace {

constexpr size_t kMostNodes = 20;

std::string Lines(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += "  " + output::OneLine(text) + "\n";
  return out;
}

bool HoldsSlots(const rpc::Job& job) {
  return !rpc::HasEnded(job) && !job.attempts.empty() && job.attempts.back().ended_us == 0;
}

// "j12 (mnist) is RUNNING since 2026-11-21 13:04:05 (12m ago): attempt 1 (0 of at most 3
// failed), 4 ranks".
std::string Headline(const rpc::Explanation& it) {
  const rpc::Job& job = it.job;
  std::string text = job.id + " (" + output::OneLine(job.name) + ") is " + job.state;
  const bool starting = HoldsSlots(job) && job.state != "RUNNING";
  if (starting) text += ", starting";
  if (it.since_us > 0) {
    text += " since " + output::When(it.since_us) + " (" +
            output::Ago(it.since_us, base::WallNow().us) + ")";
  }
  if (!HoldsSlots(job)) return text + "\n";
  return text + ": " + AttemptText(job) + ", " + RanksText(job) + "\n";
}

std::string Facts(const Session& session, const rpc::Explanation& it) {
  const bool holds = HoldsSlots(it.job);
  output::Fields fields;
  if (holds) {
    fields.Add("Ends", TimeText(it.expected_end_us));
  } else {
    fields.Add("Starts", StartText(it.job));
  }
  fields.Add("Queue", QueueText(it.job));
  for (const std::string& condition : it.job.conditions) fields.Add("Amiss", condition);
  std::string text = "\n" + fields.ToString(session.out());
  if (!it.let_go.empty()) text += "\nMay take its slots:\n" + Lines(it.let_go);
  return text;
}

// Its queue and those above.
std::string QueueTable(const Session& session, const std::vector<rpc::Queue>& queues) {
  if (queues.empty()) return "";
  output::Table table(Row<std::string>({"QUEUE"}, kQueueHeadings));
  for (const rpc::Queue& queue : queues) {
    table.Add(Row<output::Cell>({queue.name}, QueueCells(queue)));
  }
  return "\n" + table.ToString(session.out());
}

std::string NodeTable(const Session& session, const rpc::Explanation& it) {
  if (it.nodes.empty()) return "";
  const bool holds = HoldsSlots(it.job);
  const std::vector<std::string> last =
      holds ? std::vector<std::string>{"REMARKS"} : std::vector<std::string>{"ROOM", "WHY NOT"};
  output::Table table(Row<std::string>({"NODE"}, kNodeHeadings, last));
  const size_t shown = std::min(it.nodes.size(), kMostNodes);
  for (size_t i = 0; i < shown; ++i) {
    const rpc::NodeRoom& room = it.nodes[i];
    const std::string ranks = std::to_string(room.ranks) + (room.ranks == 1 ? " rank" : " ranks");
    const std::vector<output::Cell> cells =
        holds ? std::vector<output::Cell>{Remarks(room.node)}
              : std::vector<output::Cell>{room.ranks > 0 ? ranks : "", room.why_not};
    table.Add(Row<output::Cell>({room.node.name}, NodeCells(room.node), cells));
  }
  const std::string more =
      it.nodes_in_all > shown
          ? "and " + std::to_string(it.nodes_in_all - shown) + " more (cox nodes)\n"
          : "";
  return "\n" + table.ToString(session.out()) + more;
}

int Explain(const Session& session, const std::string& id) {
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  const auto it = (*client)->ExplainJob(id);
  if (!it.ok()) return session.Fail(it.status());
  if (session.machine_readable()) {
    session.PrintStructured(it->json);
    return kSuccess;
  }
  std::string out = Headline(*it) + Lines(it->reasons);
  if (!rpc::HasEnded(it->job)) {
    out += Facts(session, *it) + QueueTable(session, it->queues) + NodeTable(session, *it);
  }
  session.Print(out);
  for (const std::string& warning : it->warnings) session.Note("warning: " + warning);
  return kSuccess;
}

}  // namespace

void AddExplain(CLI::App* app, Session* session) {
  auto job = std::make_shared<std::string>();
  CLI::App* verb = app->add_subcommand(
      "explain", "Why a job waits, when it starts or ends, and who may take its slots");
  verb->add_option("JOB", *job, "id or name")->required();
  verb->footer("\nExamples:\n  cox explain j12\nBefore submission: cox submit FILE --dry-run");
  verb->callback([=] { session->action = [=] { return Explain(*session, *job); }; });
}

}  // namespace coxswain::cli::verbs
