// What users have had, for fair shares: charge units times milliseconds that halve with every
// half-life. Integers only, so that a replay counts the same.
//
// A rank is charged by what it denies to others: its CPU slots, or its GPUs times
// `slots_per_gpu`, whichever is more (as Slurm's MAX_TRES).
#pragma once

#include "coordinator/core/rows.h"
#include "coordinator/core/scheduling/queue_tree.h"

namespace coxswain::coordinator::core {

int64_t ChargePerRank(const JobRequest& request, const SchedulingSettings& settings);

// `amount` after `age`; a clock that went back takes nothing away.
int64_t Decayed(int64_t amount, base::Duration age, base::Duration half_life);

// What is held, as if for an hour.
int64_t InAnHour(const Amount& held, const SchedulingSettings& settings);

// What `fair` compares among the queues of one parent: the least goes first.
int64_t FairUse(int64_t used, const Amount& held, const QueueSettings& queue,
                const SchedulingSettings& settings);

// For people: slots times hours.
double SlotHours(int64_t amount);

// What so many ranks of it take.
Amount DemandOf(const JobRequest& request, uint32_t workers);

// What the job holds counts so much for `las`: its GPUs, or its CPU slots if it has none.
int64_t SlotsHeld(const JobRequest& request, uint32_t workers);

}  // namespace coxswain::coordinator::core
