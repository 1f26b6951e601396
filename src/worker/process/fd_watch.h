// What the things of this room need of the loop they live on. One thread; callbacks run on it.
#pragma once

#include <functional>

#include "common/base/time.h"

namespace coxswain::worker::process {

class FdWatch {
 public:
  virtual ~FdWatch() = default;
  // Calls `ready` whenever `fd` can be read (or has ended), until Forget.
  virtual void Watch(int fd, std::function<void()> ready) = 0;
  virtual void Forget(int fd) = 0;
  // Once, after `delay`.
  virtual void After(base::Duration delay, std::function<void()> call) = 0;
};

}  // namespace coxswain::worker::process
