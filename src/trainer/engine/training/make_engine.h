// The one implementation of Engine.
#pragma once

#include <memory>

#include "trainer/engine/engine.h"

namespace coxswain::trainer::engine {

std::unique_ptr<Engine> MakeEngine();

}  // namespace coxswain::trainer::engine
