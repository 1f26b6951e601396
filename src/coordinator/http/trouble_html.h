// "Wrong now" of the overview: what is amiss with nodes, jobs and queues. However many have one
// kind of trouble, it takes one entry; those that have it are in it.
#pragma once

#include <string>
#include <vector>

#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::http {

// References: read, and shown at once.
struct Troubles {
  base::WallTime now;
  const std::vector<runtime::NodeView>& nodes;
  const std::vector<runtime::JobView>& recovering;
  uint64_t all_recovering = 0;  // those above may be the newest of them only
  const std::vector<runtime::JobView>& running;
  const std::vector<runtime::JobView>& ended;  // lately, and by the machines' fault
  const std::vector<std::string>& queue_warnings;
};
std::string TroubleHtml(const Troubles& troubles);

// "name <dim>j12</dim>", which leads to the job's page.
std::string JobTitleHtml(const runtime::JobView& job);
// An entry of a list: a line with a badge, a title and something at the side, and what is below it.
std::string ItemHtml(const std::string& badge, const std::string& title, const std::string& side,
                     const std::string& body);

}  // namespace coxswain::coordinator::http
