// Limits of the API's requests, stated in proto/coxswain/v1/coxswain.proto: `cox` refuses a flag by
// them before it calls, the coordinator whatever arrives.
#pragma once

#include <cstddef>

namespace coxswain::base {

inline constexpr size_t kMostIdempotencyKeyBytes = 128;
inline constexpr size_t kMostReasonBytes = 500;
inline constexpr size_t kMostJobFileBytes = 1 << 20;

}  // namespace coxswain::base
