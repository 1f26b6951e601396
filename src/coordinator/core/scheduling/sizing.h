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
// the last time; smaller only as far as others need its slots.
//
// Sizes are counted in slots of the whole fleet, not of single machines: a gang that does not fit
// where it has to go is placed smaller (planner.cc). Inside scheduling/ only.
#pragma once

#include <vector>

#include "coordinator/core/scheduling/planner.h"

namespace coxswain::coordinator::core {

// Sets `workers`, `demand` and `slots` of the waiting ones. Marks as stopping, and returns,
// the running ones that should let go and start again with another number.
std::vector<Resize> SizeJobs(PlanRequest& request, const Policy& policy);

// With so many ranks.
void SetWorkers(PlannedJob* job, uint32_t workers);

}  // namespace coxswain::coordinator::core
