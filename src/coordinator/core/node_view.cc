#include "coordinator/core/node_view.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kMostTold = 3;  // of nodes of one name

// The connected nodes whose name is not theirs alone, as indices, by name.
std::map<std::string_view, std::vector<size_t>> SameNames(const std::vector<NodeView>& nodes) {
  std::vector<std::pair<std::string_view, size_t>> names;
  names.reserve(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].live.reachable) names.emplace_back(nodes[i].row->name, i);
  }
  std::sort(names.begin(), names.end());
  std::map<std::string_view, std::vector<size_t>> same;
  for (size_t i = 1; i < names.size(); ++i) {
    if (names[i].first != names[i - 1].first) continue;
    std::vector<size_t>& group = same[names[i].first];
    if (group.empty()) group.push_back(names[i - 1].second);
    group.push_back(names[i].second);
  }
  return same;
}

// "n-1 at 10.0.0.7".
std::string Whereabouts(const NodeView& node) {
  const std::string& address = node.row->inventory.address;
  return node.row->id.value + (address.empty() ? "" : " at " + address);
}

// All of them but `own`: "n-1 at 10.0.0.7, n-2 at 10.0.0.8 and 4 more".
std::string Those(const std::vector<NodeView>& nodes, const std::vector<size_t>& group,
                  size_t own) {
  std::string text;
  size_t told = 0;
  const size_t all =
      group.size() - static_cast<size_t>(std::count(group.begin(), group.end(), own));
  for (size_t i : group) {
    if (i == own || told == kMostTold) continue;
    text += (told++ == 0 ? "" : ", ") + Whereabouts(nodes[i]);
  }
  return all == told ? text : text + " and " + std::to_string(all - told) + " more";
}

}  // namespace

const char* NoWorkWord(const NodeRow& row, bool empty) {
  if (row.cordoned) return "cordoned";
  if (empty) return "drained";
  return row.drain_by ? "draining" : "cordoned";
}

std::string NodeState(const NodeView& node) {
  if (!node.live.reachable) return node.live.left ? "SHUT_DOWN" : "UNREACHABLE";
  if (!node.row->draining) return "READY";
  std::string state = NoWorkWord(*node.row, node.live.jobs.empty());
  for (char& c : state) c = static_cast<char>(c - 'a' + 'A');
  return state;
}

std::string NoWorkText(const NodeRow& row) {
  if (!row.draining) return "";
  const std::string how = row.cordoned ? "cordoned" : "no new work";
  return row.drain_reason.empty() ? how : how + ": " + row.drain_reason;
}

void TellSameNames(std::vector<NodeView>* nodes) {
  for (const auto& [name, group] : SameNames(*nodes)) {
    for (size_t i : group) {
      (*nodes)[i].same_name = "another connected node has this name: " + Those(*nodes, group, i);
    }
  }
}

std::vector<std::string> NodeWarnings(const std::vector<NodeView>& nodes) {
  std::vector<std::string> warnings;
  for (const auto& [name, group] : SameNames(nodes)) {
    warnings.push_back(std::to_string(group.size()) + " connected nodes are called " +
                       std::string(name) + ": " + Those(nodes, group, nodes.size()) +
                       "; if that is one machine with two data directories, stop one worker; else "
                       "give one of them another name (cox-worker --name)");
  }
  return warnings;
}

}  // namespace coxswain::coordinator::core
