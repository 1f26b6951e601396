// Records a simulated coordinator as the real one is recorded, into memory, in many short segments:
// so that a test can run each again from the state at its beginning.
#pragma once

#include <string>
#include <vector>

#include "coordinator/record/segment.h"

namespace coxswain::sim {

class Tape {
 public:
  explicit Tape(uint32_t turns_per_segment) : turns_per_segment_(turns_per_segment) {}
  void Begin(const coordinator::core::Settings& settings,
             const coordinator::core::Coordinator& core, base::WallTime wall);
  void Turn(const coordinator::core::Event& event, const coordinator::core::Decisions& decisions,
            const coordinator::core::Coordinator& core);
  const std::vector<std::string>& segments() const { return segments_; }

 private:
  const uint32_t turns_per_segment_;
  uint32_t turns_ = 0;
  coordinator::core::Settings settings_;
  std::vector<std::string> segments_;
};

}  // namespace coxswain::sim
