// Where, and by which steps, a group of ranks begins to train, for people.
#pragma once

#include <string>

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// "from the start"; "from c3, step 40; 12 steps are done again": those that were seen done, in this
// attempt or the last one that came so far, after what it begins with.
std::string WhereItBegan(const Turn& turn, const AttemptRow& attempt);

// Puts it on record if the new generation's steps are not of as many samples as the one before's.
void TellBatch(Turn& turn, const GenerationRow& before, const GenerationRow& now);

}  // namespace coxswain::coordinator::core
