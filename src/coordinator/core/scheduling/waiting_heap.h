// The waiting jobs, the first to be given slots first; of many, only a few are asked for.
// Inside scheduling/ only.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "coordinator/core/scheduling/policies/policy.h"

namespace coxswain::coordinator::core {

class WaitingHeap {
 public:
  // As the queues are now. The lost ones are left out.
  WaitingHeap(const std::vector<WaitingJob>& waiting, const QueueTree& tree, const Policy& policy) {
    jobs_.reserve(waiting.size());
    for (const WaitingJob& job : waiting) {
      if (!job.lost) jobs_.push_back({KeyOf(job, tree, policy), &job});
    }
    heap_.resize(jobs_.size());
    std::iota(heap_.begin(), heap_.end(), size_t{0});
    std::make_heap(heap_.begin(), heap_.end(), Later{jobs_});
  }

  const WaitingJob* Next() {  // null: there are no more
    if (heap_.empty()) return nullptr;
    std::pop_heap(heap_.begin(), heap_.end(), Later{jobs_});
    const size_t first = heap_.back();
    heap_.pop_back();
    return jobs_[first].second;
  }

 private:
  struct Later {
    const std::vector<std::pair<WaitingKey, const WaitingJob*>>& jobs;
    bool operator()(size_t a, size_t b) const { return jobs[b].first < jobs[a].first; }
  };

  std::vector<std::pair<WaitingKey, const WaitingJob*>> jobs_;
  std::vector<size_t> heap_;
};

}  // namespace coxswain::coordinator::core
