// What evaluations gave: for people, and as a checkpoint's manifest keeps it.
#pragma once

#include <string>

#include "trainer/engine/engine.h"

namespace coxswain::trainer {

// "loss 0.1723, accuracy 93.89 %, on 10000 samples"
std::string EvaluationText(const engine::EvaluationResult& result);

std::string EvaluationsText(const engine::EvaluationRecord& record);
// Of a text that is not one: no evaluations.
engine::EvaluationRecord ParseEvaluations(const std::string& text);

}  // namespace coxswain::trainer
