// What a queue's limits keep back, and how that is told. Inside scheduling/ only.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "coordinator/core/scheduling/jobs_view.h"
#include "coordinator/core/scheduling/queue_tree.h"

namespace coxswain::coordinator::core {

// "queue ci may hold 4 GPUs; it holds 3 GPUs, this needs 2 GPUs": `who` needs it, "this" or a name.
std::string LimitText(const QueueTree& tree, QueueIndex by, const PlannedJob& job,
                      const std::string& who);
// The same of what one user may have there.
std::string UserLimitText(const QueueTree& tree, QueueIndex by, const PlannedJob& job,
                          const std::string& who);
// ": it can never start so; ..."
std::string NeverText(const QueueTree& tree, QueueIndex by);

// Whose user has as much as he may: one of his jobs is first, and none of his goes before it that
// takes of the same. Those of others do, and those of his that take nothing of that.
class UserLines {
 public:
  struct First {
    JobId job;
    std::string text;  // why it waits
  };
  void Add(const QueueTree& tree, QueueIndex by, const PlannedJob& job, std::string text);
  // Null: nobody is ahead of it so.
  const First* AheadOf(const QueueTree& tree, const PlannedJob& job) const;

 private:
  enum Kind : size_t { kCpus, kGpus, kJobs, kKinds };
  std::map<std::pair<QueueIndex, std::string_view>, std::array<std::optional<First>, kKinds>>
      lines_;
};

}  // namespace coxswain::coordinator::core
