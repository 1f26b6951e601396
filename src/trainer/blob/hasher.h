// XXH3-64, fed bit by bit; printed as 16 lower-case hex digits.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace coxswain::trainer::blob {

class Hasher {
 public:
  Hasher();
  void Add(std::string_view bytes);
  std::string Hex() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

std::string HashHex(std::string_view bytes);

}  // namespace coxswain::trainer::blob
