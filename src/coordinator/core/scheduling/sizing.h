// How many ranks the jobs with a range get (min_workers .. max_workers), all jobs considered at
// once.
//
// Every job that runs, and then every one that waits, in the policy's order, gets its least number
// as long as slots last: nobody waits so that another can be large. What is left goes, rank by
// rank, to where it adds the most goodput, compared with what one rank of that job does at its
// least size; the policy may weigh it. A job is made at most four times as large as it was ever
// measured.
//
// A running job is made larger only if that is well worth the pause (kWorth), and not soon after
// the last time; smaller only as far as others need its slots, or if its last ranks were measured
// to bring next to nothing (kLeastGain).
//
// A job that waits is given slots of running ones only if it would start then: where its place says
// anything (one machine, one rack, labels, kinds of GPUs, memory, several slots a rank), they are
// looked for on the nodes (trial_room.h), and what was decided is tried out as a whole. One that
// would not start takes part in nothing: it neither makes others smaller nor keeps them small.
// Elsewhere slots are counted, not looked for: a gang that does not fit is placed smaller
// (planner.cc). Inside scheduling/ only.
#pragma once

#include <vector>

#include "coordinator/core/scheduling/planner.h"

namespace coxswain::coordinator::core {

struct Sizes {
  std::vector<Resize> resizes;  // running ones that should let go and start again
  std::vector<Stay> stays;      // the others that run
};

// Sets `workers`, `demand` and `slots` of the waiting ones. Marks those that are resized as
// stopping. The view is left as it was.
Sizes SizeJobs(PlanRequest& request, const Policy& policy);

// With so many ranks.
void SetWorkers(PlannedJob* job, uint32_t workers);

}  // namespace coxswain::coordinator::core
