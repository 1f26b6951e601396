// What the steps of a job took, by the number of its ranks and the size of its batch, and which
// batch its next generation is to use.
#pragma once

#include "coordinator/core/scheduling/speed_model.h"
#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// Of a job whose size or batch may move: takes down what its trainer says.
void MeasureStep(Turn& turn, const AttemptRow& attempt, const GenerationRow& generation,
                 const protocol::TrainerProgress& report);
// From what was measured so far, ended attempts included.
SpeedModel SpeedOf(const Soft& soft, const JobRow& job);
// Samples per step of a generation that is made now; 0: the job file's.
int64_t BatchFor(const Turn& turn, const AttemptRow& attempt);
// Another batch is well worth a new generation. Not soon after the last, nor during a save.
bool WantsOtherBatch(const Turn& turn, const AttemptRow& attempt, const GenerationRow& generation);
// The generation cannot be formed. If it has another batch than the last step, the attempt goes
// back to that and stays with it: true.
bool GoBackToBatch(Turn& turn, const AttemptRow& attempt, const GenerationRow& generation);
// Why the batch is as it is, for people; empty: it cannot be moved.
std::string WhyBatch(const Tables& tables, const Soft& soft, const AttemptRow& attempt);

}  // namespace coxswain::coordinator::core
