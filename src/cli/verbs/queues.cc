#include <CLI/CLI.hpp>

#include "cli/output/words.h"
#include "cli/verbs/fleet_cells.h"
#include "cli/verbs/verb.h"
#include "common/base/byte_text.h"

namespace coxswain::cli::verbs {
namespace {

std::string SlotHours(double hours) { return output::Number(hours) + " slot-h"; }

// Every queue after the one that it is a part of, two spaces further in.
void AddBelow(const rpc::Queues& all, const std::string& parent, size_t depth, bool wide,
              output::Table* table) {
  for (const rpc::Queue& queue : all.queues) {
    if (queue.parent != parent) continue;
    const char* mark = queue.name == all.default_queue ? " (default)" : "";
    std::vector<output::Cell> last = {std::to_string(queue.weight)};
    if (wide) {
      last.push_back(SlotHours(queue.used_slot_hours));
      last.push_back(SlotHours(queue.fair_slot_hours));
    }
    table->Add(Row<output::Cell>({std::string(depth * 2, ' ') + queue.name + mark},
                                 QueueCells(queue), last));
    AddBelow(all, queue.name, depth + 1, wide, table);
  }
}

std::string Users(const Session& session, const std::vector<rpc::Queue>& queues) {
  output::Table table({"QUEUE", "USER", "RUNNING", "HELD", "USED"});
  bool any = false;
  for (const rpc::Queue& queue : queues) {
    for (const rpc::QueueUser& user : queue.users) {
      any = true;
      table.Add({queue.name, user.name, std::to_string(user.running),
                 base::HeldText(user.held.cpus, user.held.gpus), output::Percent(user.share_used)});
    }
  }
  return any ? "\n" + table.ToString(session.out()) : "";
}

int List(const Session& session) {
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  const auto queues = (*client)->ListQueues();
  if (!queues.ok()) return session.Fail(queues.status());
  if (session.machine_readable()) {
    session.PrintStructured(queues->json);
    return kSuccess;
  }
  std::vector<std::string> last = {"WEIGHT"};
  if (session.wide()) last.insert(last.end(), {"USED", "FAIR"});
  output::Table table(Row<std::string>({"QUEUE"}, kQueueHeadings, last));
  AddBelow(*queues, "", 0, session.wide(), &table);
  session.Print("Policy " + queues->policy + "\n\n" + table.ToString(session.out()) +
                (session.wide() ? Users(session, queues->queues) : ""));
  for (const std::string& warning : queues->warnings) session.Note("warning: " + warning);
  return kSuccess;
}

}  // namespace

void AddQueues(CLI::App* app, Session* session) {
  CLI::App* verb = app->add_subcommand(
      "queues", "Who may hold how much, and who does; -o wide adds what queues and users have had");
  verb->footer("\nExamples:\n  cox queues\n  cox queues -o wide");
  verb->callback([=] { session->action = [=] { return List(*session); }; });
}

}  // namespace coxswain::cli::verbs
