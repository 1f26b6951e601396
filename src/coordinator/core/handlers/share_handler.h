// Whose turn it is: the waiting and the running jobs as the planner sees them, what users and
// queues have had, and the order to let go.
#pragma once

#include "coordinator/core/scheduling/planner.h"
#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// Those that may be placed now, or keep slots: none in a longer pause. And those that are held.
std::vector<WaitingJob> WaitingJobs(const Turn& turn, const QueueTree& tree);
WaitingJob AsWaiting(const Turn& turn, const JobRow& row, const QueueTree& tree);
// How long a waiting job would run. Nothing: not known.
std::optional<Duration> ExpectedRun(const Turn& turn, const JobRow& row);
std::vector<RunningJob> RunningJobs(const Turn& turn, const QueueTree& tree);
// With what running attempts have had so far.
Usage UsageNow(const Turn& turn, const QueueTree& tree);
// Writes down what an attempt that ends has had.
void Charge(Turn& turn, const JobRow& job, const AttemptRow& attempt, Duration ran);
// Rows of what has decayed to nothing go.
void ForgetUsage(Turn& turn);

// When a running job is expected to end; past: any moment. Nothing: not known.
std::optional<Time> ExpectedEnd(const Turn& turn, const JobRow& job);

// Has the job save and let go; it waits for slots again. Nothing if it is being stopped already.
void Preempt(Turn& turn, JobId job, const std::string& why);
// Likewise, to go on with another number of ranks.
void ResizeJob(Turn& turn, const Resize& resize);

// Its queue's name: the default one's if it names none.
const std::string& QueueOf(const Turn& turn, const JobRequest& request);

// The queue may never hold that much, or jobs cannot be submitted to it; empty: neither.
std::string WhyNeverInQueue(const Turn& turn, const JobRequest& request);

// Between two plans at least: one looks at all that wait, and there may be very many.
Duration PlanPace(const Turn& turn);

}  // namespace coxswain::coordinator::core
