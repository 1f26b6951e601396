// What a model of the user's own did wrong: thrown through LibTorch, and told as INVALID_ARGUMENT.
#pragma once

#include <stdexcept>

namespace coxswain::trainer::engine {

class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace coxswain::trainer::engine
