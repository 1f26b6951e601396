// What the configuration says about who gets slots, and when. The shell has checked it: parents
// exist, no cycles, children's quotas fit into their parent's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/policy_name.h"
#include "common/base/time.h"

namespace coxswain::coordinator::core {

constexpr size_t kMostQueueLevels = 8;  // a queue, its parent, and so on

// CPU slots and GPUs. A kind that is not set is not counted.
struct Bound {
  std::optional<int64_t> cpus, gpus;
  friend bool operator==(const Bound&, const Bound&) = default;
};

struct QueueSettings {
  std::string name;
  std::string parent;                 // empty: none
  Bound quota{.cpus = 0, .gpus = 0};  // guaranteed; what is idle of it is lent
  Bound limit;                        // never more, what is borrowed included
  Bound user_limit;                   // of one user in it
  std::optional<int64_t> user_jobs;   // running at a time, of one user
  int64_t weight = 1;                 // of fair shares among the queues of one parent
  friend bool operator==(const QueueSettings&, const QueueSettings&) = default;
};

using base::PolicyName;

struct SchedulingSettings {
  PolicyName policy = PolicyName::kFifo;
  std::vector<QueueSettings> queues;  // empty: one, "default", that may use everything
  std::string default_queue = "default";
  bool backfill = true;
  base::Duration half_life = base::seconds(7 * 24 * 3600);  // of what was used, for fair shares
  int64_t slots_per_gpu = 8;  // a GPU counts as so many CPU slots there
  // las, elastic: who has had less than this goes first. Time on GPUs, or on CPU slots for jobs
  // without.
  base::Duration las_threshold = base::seconds(10 * 3600);
  // A job is not made larger sooner after its last start, nor its batch after the last change.
  base::Duration resize_after = base::seconds(180);
  base::Duration replan = base::seconds(60);  // while jobs wait, at least so often
  uint32_t cordon_after =
      3;                    // a node on which so many different jobs failed is used no more; 0: is
  base::Duration settle{};  // a plan is made no sooner after the one before
};

}  // namespace coxswain::coordinator::core
