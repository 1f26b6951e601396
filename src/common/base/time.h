// Time as a value. Pure cores never read a clock: they are given both of these with each event.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace coxswain::base {

using Duration = std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A point on the monotonic clock of one process: for leases, deadlines and back-off. Not comparable
// across processes or restarts.
struct Time {
  int64_t us = 0;
  friend constexpr auto operator<=>(Time, Time) = default;
  friend constexpr Time operator+(Time t, Duration d) { return Time{t.us + d.count()}; }
  friend constexpr Time operator-(Time t, Duration d) { return Time{t.us - d.count()}; }
  friend constexpr Duration operator-(Time a, Time b) { return Duration(a.us - b.us); }
};

// Microseconds since the Unix epoch, for records and people. May jump; decides nothing but what
// a user stated in wall time.
struct WallTime {
  int64_t us = 0;
  friend constexpr auto operator<=>(WallTime, WallTime) = default;
  friend constexpr WallTime operator+(WallTime t, Duration d) { return WallTime{t.us + d.count()}; }
  friend constexpr Duration operator-(WallTime a, WallTime b) { return Duration(a.us - b.us); }
  constexpr explicit operator bool() const { return us != 0; }  // 0: not yet, never
};

}  // namespace coxswain::base
