// A node as people see it, the word for its state, and names that stand for two.
#pragma once

#include <string>
#include <vector>

#include "common/base/shared.h"
#include "coordinator/core/views.h"

namespace coxswain::coordinator::core {

struct NodeView {
  base::Shared<NodeRow> row;
  LiveNode live;
  std::string same_name;  // which other connected nodes have its name; empty: none
};

// "READY"; "CORDONED": no new work, what runs there goes on; "DRAINING": its jobs are to be gone by
// a time; "DRAINED": drained by hand, and nothing runs there any more; "UNREACHABLE"; "SHUT_DOWN":
// likewise, but in good order, and no rank is left there.
std::string NodeState(const NodeView& node);
// The same of a node that is not to get work, in the reasons of jobs that wait: "cordoned".
const char* NoWorkWord(const NodeRow& row, bool empty);
// "cordoned: 3 jobs failed on it", "no new work: new disk"; empty: it takes work.
std::string NoWorkText(const NodeRow& row);

// Fills NodeView.same_name.
void TellSameNames(std::vector<NodeView>* nodes);
// What is amiss with the fleet as a whole: names of two connected nodes, with their ids.
std::vector<std::string> NodeWarnings(const std::vector<NodeView>& nodes);

}  // namespace coxswain::coordinator::core
