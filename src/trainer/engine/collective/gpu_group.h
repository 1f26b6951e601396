// A group over NCCL, of any size: one rank takes the same way as many.
#pragma once

#include <atomic>
#include <memory>

#include "trainer/engine/collective/group.h"
#include "trainer/engine/device/gpu.h"

namespace coxswain::trainer::engine {

// What is summed or sent from the machine's own memory goes through the GPU's. `gpu` outlives it.
std::unique_ptr<Group> FormGpuGroup(const GroupSettings& settings, const GroupLimits& limits,
                                    std::atomic<protocol::Phase>* phase, Gpu& gpu);

}  // namespace coxswain::trainer::engine
