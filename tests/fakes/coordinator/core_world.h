// A coordinator's core with its store and clocks: every event is stamped, decided on, and its
// changes are committed, as the shell does it. Restart makes a new core of the committed rows
// alone.
#pragma once

#include <memory>
#include <vector>

#include "coordinator/core/coordinator.h"
#include "tests/fakes/coordinator/fake_row_store.h"

namespace coxswain::fakes {

class CoreWorld {
 public:
  explicit CoreWorld(coordinator::core::Settings settings, uint64_t seed = 1);

  coordinator::core::Decisions Decide(coordinator::core::EventBody body);
  // Moves the clocks to `at`, with TimePassed at every deadline on the way.
  std::vector<coordinator::core::Decisions> PassUntil(base::Time at);
  void Restart();
  // As after a start with another configuration.
  void Restart(coordinator::core::SchedulingSettings scheduling) {
    settings_.scheduling = std::move(scheduling);
    Restart();
  }

  base::Time now() const { return now_; }
  void set_now(base::Time now) { now_ = now; }
  coordinator::core::Coordinator& core() { return *core_; }
  const FakeRowStore& store() const { return store_; }
  const coordinator::core::Settings& settings() const { return settings_; }
  const std::vector<coordinator::core::Event>& history() const { return history_; }
  base::Term first_term() const { return first_term_; }  // of this life

  base::WallTime Wall() const { return base::WallTime{1'700'000'000'000'000 + now_.us} + jumped_; }
  // The clock that people read is set; the other one goes on.
  void JumpWall(base::Duration by) { jumped_ += by; }

 private:
  coordinator::core::Settings settings_;
  uint64_t seed_;
  FakeRowStore store_;
  base::Time now_{1'000'000'000};
  base::Duration jumped_{};
  uint64_t seq_ = 0;
  std::unique_ptr<coordinator::core::Coordinator> core_;
  std::vector<coordinator::core::Event> history_;  // since the last start
  base::Term first_term_;
};

}  // namespace coxswain::fakes
