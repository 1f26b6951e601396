#include "coordinator/core/handlers/admission.h"

#include <algorithm>
#include <cctype>

#include "common/base/version.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

std::string WrongCluster(const Turn& turn, const protocol::WorkerHello& hello) {
  return "this worker belongs to cluster " + hello.cluster.value +
         ", this coordinator is cluster " + turn.cluster().id.value +
         ": point the worker at its own coordinator, or give it a new, empty data directory";
}

std::string WrongProtocol(const protocol::WorkerHello& hello) {
  return "this worker (version " + hello.inventory.version + ") speaks protocols " +
         std::to_string(hello.protocol_oldest) + " to " + std::to_string(hello.protocol_newest) +
         ", this coordinator (version " + base::kVersion + ") " +
         std::to_string(base::kProtocolOldest) + " to " + std::to_string(base::kProtocolNewest) +
         ": install matching versions (the coordinator may be one version ahead of its workers)";
}

// As cox-worker's --name; pages, commands and metrics show it, and people type it.
bool IsNodeName(const std::string& name) {
  constexpr size_t kLongest = 253;
  return name.size() <= kLongest && std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
         });
}

std::string WrongName(const std::string& name) {
  return "this worker's name, " + JsonQuote(name.substr(0, 64)) +
         ", is not at most 253 letters, digits, '.', '_' and '-': give it another one "
         "(cox-worker --name)";
}

protocol::Rejected RefuseForGood(Turn& turn, const protocol::WorkerHello& hello,
                                 const std::string& why) {
  turn.Note("NodeRefused",
            "the worker " + hello.inventory.name + " (" + hello.inventory.address +
                ") was refused: " + why,
            {.job = {}, .node = hello.node}, "warning");
  return {why, true};
}

// The id is in use by a stream whose lease has not run out. It may be the same machine, started
// again before its old stream was found dead: so the first refusal is not for good. If the other
// one renews its lease after that, both live.
protocol::Rejected IdInUse(Turn& turn, NodeSoft& node, const protocol::WorkerHello& hello) {
  bool both_live = node.refused == hello.incarnation && node.heard > node.refused_at;
  std::string other = turn.NodeName(hello.node);
  if (node.refused != hello.incarnation) {
    node.refused = hello.incarnation;
    node.refused_at = turn.now;
    turn.Note("NodeRefused",
              "a second worker (" + hello.inventory.name + ", " + hello.inventory.address +
                  ") came with the id of " + other + ", which is connected",
              {.job = {}, .node = hello.node}, "warning");
  }
  std::string text = "a worker with this id (" + hello.node.value +
                     ") is connected already: " + other +
                     ". If this machine's disk was copied from it, remove the file " +
                     "'identity' from this worker's data directory to get an id of its own";
  if (!both_live) text += "; if it is the same machine, it is let in when the old stream ends";
  return {text, both_live};
}

}  // namespace

std::optional<protocol::Rejected> WhyRejected(Turn& turn, const protocol::WorkerHello& hello) {
  if (!hello.cluster.empty() && hello.cluster != turn.cluster().id) {
    return RefuseForGood(turn, hello, WrongCluster(turn, hello));
  }
  if (hello.protocol_newest < base::kProtocolOldest ||
      hello.protocol_oldest > base::kProtocolNewest) {
    return RefuseForGood(turn, hello, WrongProtocol(hello));
  }
  for (const std::string& name : {hello.inventory.name, hello.node.value}) {
    if (!IsNodeName(name)) return protocol::Rejected{WrongName(name), true};
  }
  if (hello.node.empty()) return protocol::Rejected{"the worker sent no node id", true};
  auto found = turn.soft.nodes.find(hello.node);
  if (found == turn.soft.nodes.end()) return std::nullopt;
  NodeSoft& node = found->second;
  bool other_lives = node.session && node.reachable && node.lease_until > turn.now &&
                     node.incarnation != hello.incarnation;
  if (!other_lives) return std::nullopt;
  return IdInUse(turn, node, hello);
}

}  // namespace coxswain::coordinator::core
