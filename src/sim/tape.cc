#include "sim/tape.h"

namespace coxswain::sim {

namespace core = coordinator::core;
namespace record = coordinator::record;

void Tape::Begin(const core::Settings& settings, const core::Coordinator& core,
                 base::WallTime wall) {
  settings_ = settings;
  turns_ = 0;
  segments_.push_back(record::FirstLine() +
                      record::Encode(record::Beginning{wall, "a segment begins", settings,
                                                       core.Digest(), core.TakeImage()}));
}

void Tape::Turn(const core::Event& event, const core::Decisions& decisions,
                const core::Coordinator& core) {
  segments_.back() += record::Encode(event, decisions);
  if (++turns_ < turns_per_segment_) return;
  segments_.back() += record::Encode(record::Ending{"it is full", core.Digest()});
  Begin(settings_, core, event.wall);
}

}  // namespace coxswain::sim
