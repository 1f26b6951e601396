// The engine as a module, so that LibTorch's 0.1 s of loading is paid only by ranks, and beside
// other work.
#pragma once

#include "trainer/engine/engine.h"

namespace coxswain::trainer::engine {

inline constexpr char kModuleFile[] = "libcoxswain_engine.so";
// extern "C" in the module; the caller owns the result.
inline constexpr char kModuleFactory[] = "CoxswainMakeEngine";
using ModuleFactory = Engine* (*)();

}  // namespace coxswain::trainer::engine
