// Generations: made when every rank of an attempt is ready, repeated until formed, remade when
// forming or a collective fails while every rank lives.
#pragma once

#include "coordinator/core/turn.h"

namespace coxswain::coordinator::core {

// Reports of a trainer whose rank row is live and has that incarnation.
void Handle(Turn& turn, const RankRow& rank, const protocol::TrainerReady& report);
void Handle(Turn& turn, const RankRow& rank, const protocol::GenerationFormed& report);
void Handle(Turn& turn, const RankRow& rank, const protocol::TrainerProgress& report);
void Handle(Turn& turn, const RankRow& rank, const protocol::CollectiveFailed& report);
void Handle(Turn& turn, const RankRow& rank, const protocol::TrainingFinished& report);

// After the rank's worker has come back: what the rank may have missed is said again. `ready`: the
// last one it sent, if any.
void CatchUp(Turn& turn, const RankRow& rank, const std::optional<protocol::TrainerReady>& ready);

// What is due now for a healthy attempt: repeats and deadlines. Returns when it wants to be called
// next.
std::optional<Time> TickGeneration(Turn& turn, const AttemptRow& attempt);

}  // namespace coxswain::coordinator::core
