// Looks at where ranks are placed: labels, kinds of GPUs, racks and machines are as their job asks.
// Written apart from the planner, from the words of docs/job-spec.md.
#pragma once

#include <string>
#include <vector>

#include "sim/durable_store.h"
#include "sim/options.h"

namespace coxswain::sim {

// What is wrong with this new rank's place; empty: nothing.
std::string WhyWrongPlace(const Rows& rows, const core::RankRow& row);

// Is there room for the whole gang if nothing else runs and all machines are there?
bool CouldFit(const std::vector<MachinePlan>& machines, const core::JobRequest& request);

}  // namespace coxswain::sim
