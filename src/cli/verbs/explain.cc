// `cox explain`: why a job waits, when it starts or ends, who may take its slots, and what its
// queues and the nodes have for it.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstring>

#include "cli/output/words.h"
#include "cli/rpc/coordinator_clock.h"
#include "cli/verbs/fleet_cells.h"
#include "cli/verbs/job_view.h"
#include "cli/verbs/verb.h"

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
            output::Ago(it.since_us, rpc::CoordinatorNow().us) + ")";
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
  for (const std::string& condition : OtherConditions(it.job)) fields.Add("Amiss", condition);
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

// What is said of one node, of several.
std::string OfSeveral(const std::string& why_not) {
  static constexpr std::pair<const char*, const char*> kWords[] = {
      {"it is ", ""}, {"it has ", "they have "}, {"it does ", "they do "}, {"its ", "their "}};
  for (const auto& [one, several] : kWords) {
    if (why_not.starts_with(one)) return several + why_not.substr(std::strlen(one));
  }
  return why_not;
}

// "3 nodes without room (unreachable): a, b, c", of reasons that several nodes have in common.
std::string AlikeLines(const rpc::Explanation& it) {
  std::string out;
  for (const rpc::NodesAlike& alike : it.no_room) {
    if (alike.count < 2) continue;
    std::string names;
    for (const std::string& name : alike.names) {
      names += (names.empty() ? "" : ", ") + output::OneLine(name);
    }
    if (alike.count > alike.names.size()) {
      names += " and " + std::to_string(alike.count - alike.names.size()) + " more";
    }
    out += std::to_string(alike.count) + " nodes without room (" +
           output::OneLine(OfSeveral(alike.why_not)) + "): " + names + "\n";
  }
  return out;
}

// It has a line of AlikeLines.
bool IsAlike(const rpc::Explanation& it, const rpc::NodeRoom& room) {
  return std::any_of(it.no_room.begin(), it.no_room.end(), [&](const rpc::NodesAlike& alike) {
    return alike.count > 1 && alike.why_not == room.why_not;
  });
}

std::string NodeTable(const Session& session, const rpc::Explanation& it) {
  std::vector<rpc::NodeRoom> rooms;
  for (const rpc::NodeRoom& room : it.nodes) {
    if (!IsAlike(it, room)) rooms.push_back(room);
  }
  const std::string alike = AlikeLines(it);
  if (rooms.empty()) return alike.empty() ? "" : "\n" + alike;
  const bool holds = HoldsSlots(it.job);
  const std::vector<std::string> last =
      holds ? std::vector<std::string>{"REMARKS"} : std::vector<std::string>{"ROOM", "WHY NOT"};
  output::Table table(Row<std::string>({"NODE"}, kNodeHeadings, last));
  const size_t shown = std::min(rooms.size(), kMostNodes);
  size_t told = shown;
  for (const rpc::NodesAlike& each : it.no_room) told += each.count > 1 ? each.count : 0;
  for (size_t i = 0; i < shown; ++i) {
    const rpc::NodeRoom& room = rooms[i];
    const std::string ranks = std::to_string(room.ranks) + (room.ranks == 1 ? " rank" : " ranks");
    const std::vector<output::Cell> cells =
        holds ? std::vector<output::Cell>{Remarks(room.node)}
              : std::vector<output::Cell>{room.ranks > 0 ? ranks : "", room.why_not};
    table.Add(Row<output::Cell>({room.node.name}, NodeCells(room.node), cells));
  }
  const std::string more =
      it.nodes_in_all > told
          ? "and " + std::to_string(it.nodes_in_all - told) + " more (cox nodes)\n"
          : "";
  return "\n" + table.ToString(session.out()) + alike + more;
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
