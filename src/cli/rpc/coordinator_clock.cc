#include "cli/rpc/coordinator_clock.h"

#include <algorithm>
#include <atomic>

#include "common/base/clock.h"

namespace coxswain::cli::rpc {
namespace {

std::atomic<int64_t> ahead_us{0};

}  // namespace

base::WallTime CoordinatorNow() { return base::WallTime{base::WallNow().us + ahead_us}; }

void HearClock(base::WallTime sent, base::WallTime came, base::WallTime told) {
  ahead_us = std::clamp<int64_t>(0, told.us - std::max(sent.us, came.us), told.us - sent.us);
}

}  // namespace coxswain::cli::rpc
