// What `cox nodes`, `cox queues` and `cox explain` show of nodes and queues, in the same words.
#pragma once

#include <string>
#include <vector>

#include "cli/output/table.h"
#include "cli/rpc/api.h"

namespace coxswain::cli::verbs {

// Headings or cells in between those that only one verb shows.
template <class T>
std::vector<T> Row(std::vector<T> first, const std::vector<T>& shared,
                   const std::vector<T>& last = {}) {
  first.insert(first.end(), shared.begin(), shared.end());
  first.insert(first.end(), last.begin(), last.end());
  return first;
}

inline const std::vector<std::string> kNodeHeadings = {"STATE", "SLOTS FREE", "GPUS FREE", "JOBS"};
std::vector<output::Cell> NodeCells(const rpc::Node& node);

// Its own reason, its conditions, and why a GPU is not given out.
std::string Remarks(const rpc::Node& node);

inline const std::vector<std::string> kQueueHeadings = {"RUNNING", "PENDING", "HELD",
                                                        "QUOTA",   "LIMIT",   "OF A USER"};
std::vector<output::Cell> QueueCells(const rpc::Queue& queue);

}  // namespace coxswain::cli::verbs
