// The version of this build and the range of worker protocols it speaks.
#pragma once

namespace coxswain::base {

inline constexpr char kVersion[] = "0.1.0";
// Version N serves workers and trainers of N-1.
inline constexpr unsigned kProtocolOldest = 1;
inline constexpr unsigned kProtocolNewest = 1;

}  // namespace coxswain::base
