// `cox explain`: why a job waits, when it will start, and what each queue and node has for it.
#include <CLI/CLI.hpp>

#include <algorithm>

#include "cli/output/words.h"
#include "cli/verbs/fleet_cells.h"
#include "cli/verbs/job_view.h"
#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {
namespace {

// The reason as the coordinator gives it, a line for each of its parts.
std::string ReasonLines(const std::string& reason) {
  std::string out;
  for (size_t at = 0; at < reason.size();) {
    const size_t end = std::min(reason.find("; ", at), reason.size());
    out += "  " + output::OneLine(reason.substr(at, end - at)) + "\n";
    at = end + 2;
  }
  return out;
}

const rpc::Queue* FindQueue(const std::vector<rpc::Queue>& queues, const std::string& name) {
  auto found = std::find_if(queues.begin(), queues.end(),
                            [&](const rpc::Queue& queue) { return queue.name == name; });
  return found == queues.end() ? nullptr : &*found;
}

// Its queue and those above.
std::string QueueTable(const Session& session, const rpc::Queues& queues, const rpc::Job& job) {
  output::Table table(Row<std::string>({"QUEUE"}, kQueueHeadings));
  const rpc::Queue* queue = FindQueue(queues.queues, job.queue);
  if (queue == nullptr) return "";
  for (; queue != nullptr; queue = FindQueue(queues.queues, queue->parent)) {
    table.Add(Row<output::Cell>({queue->name}, QueueCells(*queue)));
  }
  return "\n" + table.ToString(session.out());
}

std::string NodeTable(const Session& session, const std::vector<rpc::Node>& nodes) {
  constexpr size_t kMost = 20;
  output::Table table(Row<std::string>({"NODE"}, kNodeHeadings, {"WHY NOT"}));
  for (size_t i = 0; i < std::min(nodes.size(), kMost); ++i) {
    const rpc::Node& node = nodes[i];
    table.Add(Row<output::Cell>({node.name}, NodeCells(node), {node.reason}));
  }
  const std::string more =
      nodes.size() > kMost ? "and " + std::to_string(nodes.size() - kMost) + " more (cox nodes)\n"
                           : "";
  return "\n" + table.ToString(session.out()) + more;
}

int Explain(const Session& session, const std::string& id) {
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  const auto job = (*client)->GetJob(id);
  if (!job.ok()) return session.Fail(job.status());
  if (session.machine_readable()) {
    session.PrintStructured(job->json);
    return kSuccess;
  }
  std::string out = job->id + " (" + output::OneLine(job->name) + ") is " + job->state + "\n" +
                    ReasonLines(job->reason);
  if (job->state != "PENDING" && job->state != "RECOVERING") {
    session.Print(out);
    return kSuccess;
  }
  out += "\nStarts: " + StartText(*job) + "\nQueue:  " + QueueText(*job) + "\n";
  const auto queues = (*client)->ListQueues();
  const auto nodes = (*client)->ListNodes();
  if (queues.ok()) out += QueueTable(session, *queues, *job);
  if (nodes.ok()) out += NodeTable(session, nodes->items);
  session.Print(out);
  return kSuccess;
}

}  // namespace

void AddExplain(CLI::App* app, Session* session) {
  auto job = std::make_shared<std::string>();
  CLI::App* verb = app->add_subcommand("explain", "Why a job waits, and when it will start");
  verb->add_option("JOB", *job, "id or name")->required();
  verb->footer("\nExamples:\n  cox explain j12\nBefore submission: cox submit FILE --dry-run");
  verb->callback([=] { session->action = [=] { return Explain(*session, *job); }; });
}

}  // namespace coxswain::cli::verbs
