// A few readers (each with a connection of its own, made when first needed), lent to one call each.
// Thread-safe; Borrow waits while all are out.
#pragma once

#include <absl/status/statusor.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace coxswain::coordinator::runtime {

template <class Reader>
class ReaderPool {
 public:
  using Open = std::function<absl::StatusOr<std::unique_ptr<Reader>>()>;

  // `open` may be called by any thread, one at a time.
  ReaderPool(Open open, size_t most) : open_(std::move(open)), most_(most) {}

  // Runs `read` on a free reader; its result or why there is none.
  template <class Read>
  auto With(Read read) -> decltype(read(std::declval<Reader&>())) {
    absl::StatusOr<std::unique_ptr<Reader>> reader = Take();
    if (!reader.ok()) return reader.status();
    auto result = read(**reader);
    std::lock_guard lock(mutex_);
    free_.push_back(*std::move(reader));
    returned_.notify_one();
    return result;
  }

 private:
  absl::StatusOr<std::unique_ptr<Reader>> Take() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return !free_.empty() || made_ < most_; });
    if (!free_.empty()) {
      std::unique_ptr<Reader> reader = std::move(free_.back());
      free_.pop_back();
      return reader;
    }
    absl::StatusOr<std::unique_ptr<Reader>> reader = open_();
    if (reader.ok()) ++made_;
    return reader;
  }

  const Open open_;
  const size_t most_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Reader>> free_;
  size_t made_ = 0;
};

}  // namespace coxswain::coordinator::runtime
