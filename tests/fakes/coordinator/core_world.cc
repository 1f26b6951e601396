#include "tests/fakes/coordinator/core_world.h"

#include "common/base/check.h"
#include "common/base/rng.h"

namespace coxswain::fakes {

namespace core = coordinator::core;

CoreWorld::CoreWorld(core::Settings settings, uint64_t seed)
    : settings_(std::move(settings)), seed_(seed), store_("cl") {
  Restart();
}

void CoreWorld::Restart() {
  core_ = std::make_unique<core::Coordinator>(settings_, store_.Load(), now_, Wall());
  first_term_ = store_.cluster().term;
  history_.clear();
}

core::Decisions CoreWorld::Decide(core::EventBody body) {
  ++seq_;
  history_.push_back({seq_, now_, Wall(), base::Mix64(seed_ * 1'000'003 + seq_), std::move(body)});
  core::Decisions decisions = core_->Decide(history_.back());
  store_.Commit(decisions.persist);
  return decisions;
}

std::vector<core::Decisions> CoreWorld::PassUntil(base::Time at) {
  std::vector<core::Decisions> all;
  int at_one_time = 0;
  while (std::optional<base::Time> due = core_->NextDeadline()) {
    if (*due > at) break;
    at_one_time = *due <= now_ ? at_one_time + 1 : 0;
    CHECK(at_one_time < 10) << "a deadline that never goes away";
    now_ = std::max(now_, *due);
    all.push_back(Decide(core::TimePassed{}));
  }
  now_ = std::max(now_, at);
  return all;
}

}  // namespace coxswain::fakes
