// Limits of the API's requests, stated in proto/coxswain/v1/coxswain.proto: `cox` refuses a flag by
// them before it calls, the coordinator whatever arrives.
#pragma once

#include <cstddef>

#include "common/base/time.h"

namespace coxswain::base {

inline constexpr size_t kMostIdempotencyKeyBytes = 128;
inline constexpr size_t kMostReasonBytes = 500;
inline constexpr size_t kMostJobFileBytes = 1 << 20;
inline constexpr Duration kMostDrainTime = std::chrono::hours(365 * 24);

}  // namespace coxswain::base
