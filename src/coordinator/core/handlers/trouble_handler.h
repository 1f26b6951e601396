// What a rank tells of that hinders it and does not end it: a store that refuses or cannot be
// reached, memory that has run out. The history tells when it begins, and when it is over. And what
// ends it by its own word.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

void Handle(Turn& turn, const RankRow& rank, const protocol::TrainingFailed& report);

// Before anything else of the report is taken.
void TakeTroubles(Turn& turn, const RankRow& rank, const protocol::TrainerProgress& report);

// What its ranks wait for, and which of them puts the fewest samples through at a time.
std::vector<std::string> TroublesOf(const Tables& tables, const JobSoft& job,
                                    const AttemptRow& attempt);

}  // namespace coxswain::coordinator::core
