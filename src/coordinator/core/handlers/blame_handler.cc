#include "coordinator/core/handlers/blame_handler.h"

#include <algorithm>

#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr Duration kRemembered = base::seconds(3600);

bool MayBeTheMachine(const AttemptRow& attempt) {
  if (!attempt.exit || attempt.user_error || attempt.cause == Cause::kOutOfMemory) return false;
  return attempt.cause == Cause::kInfrastructure || attempt.exit->record.signal != 0;
}

bool FailedElsewhere(const Turn& turn, const NodeId& node, JobId job) {
  return std::any_of(turn.soft.nodes.begin(), turn.soft.nodes.end(), [&](const auto& other) {
    return other.first != node && other.second.blamed.contains(job);
  });
}

// "j3 (mnist): rank 0 on a crashed (SIGBUS); j5 ...", and of how many different jobs.
std::string Evidence(const Turn& turn, const NodeId& id, size_t* different) {
  std::set<std::string> who;
  std::string text;
  for (const auto& [job, blame] : turn.soft.nodes.at(id).blamed) {
    if (FailedElsewhere(turn, id, job) || !who.insert(blame.who).second) continue;
    text += (text.empty() ? "" : "; ") + base::ToString(job) + " " + blame.what;
  }
  *different = who.size();
  return text;
}

// Not more than a third: what takes down that many is not the machines.
bool MayCordonOneMore(const Turn& turn) {
  size_t cordoned = 1;
  for (const auto& [id, row] : turn.tables.nodes()) cordoned += row.cordoned ? 1 : 0;
  return cordoned * 3 <= turn.tables.nodes().size();
}

}  // namespace

void BlameNode(Turn& turn, const AttemptRow& failed) {
  if (!MayBeTheMachine(failed)) return;
  const NodeId& id = failed.exit->node;
  turn.soft.jobs[failed.job].shuns.insert(id);
  uint32_t enough = turn.settings.scheduling.cordon_after;
  if (enough == 0) return;
  const NodeRow* row = turn.tables.FindNode(id);
  if (row == nullptr) return;
  for (auto& [other, node] : turn.soft.nodes) {
    std::erase_if(node.blamed,
                  [&](const auto& each) { return each.second.at + kRemembered < turn.now; });
  }
  const JobRow& job = turn.tables.jobs().Get(failed.job);
  turn.soft.nodes[id].blamed[failed.job] = {turn.now, OwnName(job),
                                            "(" + job.request.name + "): " + failed.reason};
  size_t different = 0;
  std::string evidence = Evidence(turn, id, &different);
  if (different < enough || row->draining) return;
  std::string text = Plural(different, "different job") +
                     " failed here within an hour, and nowhere else: " + evidence;
  if (!MayCordonOneMore(turn)) {
    turn.Note("NodeSuspected",
              turn.NodeName(id) + ": " + text +
                  "; not cordoned, for more than a third of the nodes would be",
              {.job = {}, .node = id}, "warning");
    return;
  }
  turn.EditRow(*row, [&](NodeRow& changed) {
    changed.draining = changed.cordoned = true;
    changed.drain_reason = text;
  });
  turn.Note("NodeCordoned", turn.NodeName(id) + " takes no new work: " + text,
            {.job = {}, .node = id}, "error");
  turn.TouchNode(id);
}

void ClearNodes(Turn& turn, const std::set<NodeId>& nodes) {
  for (const NodeId& id : nodes) {
    if (auto node = turn.soft.nodes.find(id); node != turn.soft.nodes.end()) {
      node->second.blamed.clear();
    }
  }
}

}  // namespace coxswain::coordinator::core
