// The deciding core. One thread, no locks, no I/O, no clock, no randomness: the same snapshot and
// the same events give the same decisions, and the same Digest().
#pragma once

#include <memory>
#include <optional>

#include "common/base/deadlines.h"
#include "coordinator/core/decisions.h"
#include "coordinator/core/scheduling/settings.h"
#include "coordinator/core/views.h"

namespace coxswain::coordinator::core {

struct Settings {
  base::Deadlines deadlines;
  std::string default_store;  // URI for jobs that name none
  uint64_t max_live_jobs = 1'000'000;
  std::string rack_label = "rack";  // the label of nodes whose value names their rack
  SchedulingSettings scheduling;
};

struct Image;  // image.h

class Coordinator {
 public:
  // `snapshot` holds the committed rows, its cluster row already raised to this life's term (and
  // persisted) by the shell.
  Coordinator(Settings settings, Snapshot snapshot, base::Time now, WallTime wall);
  // Goes on where the core was that this image was taken from.
  Coordinator(Settings settings, Image image);
  ~Coordinator();
  Coordinator(Coordinator&&) noexcept;

  // Applies the event to the tables (through Apply of each Change, the one way in) and says what to
  // do.
  Decisions Decide(const Event& event);

  // When TimePassed must come at the latest; nothing: never.
  std::optional<base::Time> NextDeadline() const;

  // A hash of all tables, hard and soft: equal states give equal digests.
  uint64_t Digest() const;
  // Of the durable tables alone: the same as that of a core made from the committed rows.
  uint64_t HardDigest() const;

  // A copy of everything: for recordings, not for every day.
  Image TakeImage() const;

  // Soft state for readers: progress and reachability, taken after each Decide by the shell.
  // Jobs whose view changed since the last call; cheap when nothing changed.
  // To be taken before the nodes: what is told of a lost node depends on its jobs.
  std::vector<LiveJob> TakeChangedJobs();
  std::vector<LiveNode> TakeChangedNodes();
  // Those of which nothing has changed but that they were heard.
  std::vector<HeardNode> TakeHeardNodes();
  // All queues, parents and parts; nothing if no job has changed, unless they are wanted `anyway`,
  // as what they have used changes with time. It takes a look at every job.
  std::optional<std::vector<LiveQueue>> TakeChangedQueues(WallTime now, bool anyway = false);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace coxswain::coordinator::core
