#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "cli/output/words.h"
#include "cli/rpc/coordinator_clock.h"
#include "cli/verbs/flag_checks.h"
#include "cli/verbs/fleet_cells.h"
#include "cli/verbs/verb.h"
#include "common/base/byte_text.h"
#include "common/base/name_order.h"

namespace coxswain::cli::verbs {
namespace {

std::string Gpus(const Session& session, const std::vector<rpc::Node>& nodes) {
  output::Table table({"NODE", "GPU", "NAME", "MEMORY", "UUID", "JOB", "WHY NOT"});
  bool any = false;
  for (const rpc::Node& node : nodes) {
    for (const rpc::Gpu& gpu : node.gpus) {
      any = true;
      table.Add({node.name, std::to_string(gpu.index), gpu.name,
                 base::BytesText(static_cast<uint64_t>(gpu.memory_bytes)), gpu.uuid, gpu.job,
                 gpu.available ? "" : gpu.why_not});
    }
  }
  return any ? "\n" + table.ToString(session.out()) : "";
}

// With its id, where the name does not tell which one is meant (`cox drain NODE`).
std::string NameText(const rpc::Node& node, const std::map<std::string, int>& named) {
  return named.at(node.name) < 2 ? node.name : node.name + " (" + node.id + ")";
}

int List(const Session& session) {
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  auto nodes = (*client)->ListNodes();
  if (!nodes.ok()) return session.Fail(nodes.status());
  if (session.machine_readable()) {
    session.PrintStructured(nodes->json);
    return kSuccess;
  }
  if (nodes->items.empty()) {
    session.Note("no nodes; `cox-worker --coordinator HOST:PORT` on a machine adds it");
    return kSuccess;
  }
  std::stable_sort(
      nodes->items.begin(), nodes->items.end(),
      [](const rpc::Node& a, const rpc::Node& b) { return base::NameBefore(a.name, b.name); });
  std::vector<std::string> headings = Row<std::string>({"NAME"}, kNodeHeadings);
  if (session.wide())
    headings.insert(headings.end(), {"ID", "ADDRESS", "MEMORY", "VERSION", "HEARTBEAT", "LABELS"});
  headings.push_back("REMARKS");
  output::Table table(headings);
  const int64_t now = rpc::CoordinatorNow().us;
  std::map<std::string, int> named;
  for (const rpc::Node& node : nodes->items) ++named[node.name];
  for (const rpc::Node& node : nodes->items) {
    std::vector<output::Cell> row = Row<output::Cell>({NameText(node, named)}, NodeCells(node));
    if (session.wide()) {
      row.push_back(node.id);
      row.push_back(node.address);
      row.push_back(base::BytesText(static_cast<uint64_t>(node.memory_bytes)));
      row.push_back(node.version);
      row.push_back(output::Ago(node.last_heartbeat_us, now));
      row.push_back(output::Labels(node.labels));
    }
    std::string remarks = Remarks(node);
    if (session.wide() && node.gpus.empty() && !node.gpu_note.empty()) {
      remarks += (remarks.empty() ? "" : "; ") + ("no GPUs: " + node.gpu_note);
    }
    row.push_back(std::move(remarks));
    table.Add(std::move(row));
  }
  session.Print(table.ToString(session.out()) +
                (session.wide() ? Gpus(session, nodes->items) : ""));
  for (const std::string& warning : nodes->warnings) session.Note("warning: " + warning);
  return kSuccess;
}

int Forget(const Session& session, const std::string& node) {
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  const auto name = (*client)->ForgetNode(node);
  if (!name.ok()) return session.Fail(name.status());
  session.Print(output::OneLine(*name) + " is forgotten\n");
  return kSuccess;
}

}  // namespace

void AddNodes(CLI::App* app, Session* session) {
  auto forget = std::make_shared<std::string>();
  CLI::App* verb =
      app->add_subcommand("nodes", "Machines and what is free on them; -o wide adds every GPU");
  verb->add_option("--forget", *forget,
                   "take a node that is gone for good out of the lists (name or id)")
      ->check(WrongIfEmpty);
  verb->footer("\nExamples:\n  cox nodes\n  cox nodes -o wide\n  cox nodes --forget node-7");
  verb->callback([=] {
    session->action = [=] { return forget->empty() ? List(*session) : Forget(*session, *forget); };
  });
}

}  // namespace coxswain::cli::verbs
