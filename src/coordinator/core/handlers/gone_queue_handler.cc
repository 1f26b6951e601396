#include "coordinator/core/handlers/gone_queue_handler.h"

#include "coordinator/core/scheduling/queue_tree.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {

void TellGoneQueues(Turn& turn) {
  if (turn.soft.told_gone_queues) return;
  turn.soft.told_gone_queues = true;
  const QueueTree tree(turn.settings.scheduling);
  std::map<std::string, uint64_t> gone;
  for (const auto& [id, row] : turn.tables.jobs().live()) {
    const std::string& queue = row.request.queue;
    if (!queue.empty() && !tree.Has(queue)) ++gone[queue];
  }
  for (const auto& [queue, jobs] : gone) {
    turn.Note("QueueGone",
              "queue " + queue + " is no longer configured: its " + Plural(jobs, "job") +
                  (jobs == 1 ? " counts as one" : " count as those") + " of " +
                  tree.settings(tree.Find(queue)).name,
              {}, "warning");
  }
}

}  // namespace coxswain::coordinator::core
