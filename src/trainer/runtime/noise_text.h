// The averages behind the gradient noise scale, as a checkpoint's manifest keeps them.
#pragma once

#include <string>

#include "trainer/engine/engine.h"

namespace coxswain::trainer {

std::string NoiseText(const engine::NoiseAverages& averages);
// Of a text that is not one: no measurements.
engine::NoiseAverages ParseNoise(const std::string& text);

}  // namespace coxswain::trainer
