// A small deterministic generator (SplitMix64, Steele, Lea and Flood, OOPSLA 2014). The seed is an
// argument: cores and the order of samples use it, and give the same numbers everywhere.
#pragma once

#include <cstdint>

namespace coxswain::base {

constexpr uint64_t Mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

class Rng {
 public:
  explicit constexpr Rng(uint64_t seed) : state_(seed) {}
  constexpr uint64_t Next() {
    uint64_t out = Mix64(state_);
    state_ += 0x9e3779b97f4a7c15ull;
    return out;
  }
  // Uniform in [0, bound), without modulo bias (Lemire's multiply and reject).
  constexpr uint64_t Below(uint64_t bound) {
    while (true) {
      unsigned __int128 product = static_cast<unsigned __int128>(Next()) * bound;
      if (static_cast<uint64_t>(product) >= -bound % bound) {
        return static_cast<uint64_t>(product >> 64);
      }
    }
  }

 private:
  uint64_t state_;
};

}  // namespace coxswain::base
