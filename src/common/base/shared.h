// A value that many read: copies share it until one of them is edited.
#pragma once

#include <memory>
#include <utility>

namespace coxswain::base {

template <class T>
class Shared {
 public:
  Shared() : Shared(T()) {}
  Shared(T value) : value_(std::make_shared<T>(std::move(value))) {}  // NOLINT: as the value

  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }
  // Of this copy alone.
  T& Edit() {
    value_ = std::make_shared<T>(*value_);
    return *value_;
  }

 private:
  std::shared_ptr<T> value_;
};

}  // namespace coxswain::base
