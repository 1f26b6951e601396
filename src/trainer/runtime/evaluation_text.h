// The record of evaluations, as a checkpoint's manifest keeps it.
#pragma once

#include <string>

#include "trainer/engine/engine.h"

namespace coxswain::trainer {

std::string EvaluationsText(const engine::EvaluationRecord& record);
// Of a text that is not one: no evaluations.
engine::EvaluationRecord ParseEvaluations(const std::string& text);

}  // namespace coxswain::trainer
