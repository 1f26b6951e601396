// What waits to leave on a stream, in two lanes: urgent messages always go before bulk ones, so
// that metrics and log data never hold up exits and heartbeats. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

namespace coxswain::rpc {

template <class Message>
class SendQueue {
 public:
  enum class Lane { kUrgent, kBulk };

  // `kind` not 0: replaces a message of the same kind that waits in the same lane (soft news of
  // which only the newest counts).
  void Push(Lane lane, Message message, uint64_t kind = 0) {
    std::deque<Entry>& entries = lane == Lane::kUrgent ? urgent_ : bulk_;
    size_t bytes = message.ByteSizeLong();
    if (kind != 0) {
      for (Entry& entry : entries) {
        if (entry.kind != kind) continue;
        bytes_ += bytes - entry.bytes;
        entry = {std::move(message), bytes, kind};
        return;
      }
    }
    bytes_ += bytes;
    entries.push_back({std::move(message), bytes, kind});
  }
  bool Pop(Message* out) {
    std::deque<Entry>& entries = urgent_.empty() ? bulk_ : urgent_;
    if (entries.empty()) return false;
    *out = std::move(entries.front().message);
    bytes_ -= entries.front().bytes;
    entries.pop_front();
    return true;
  }
  void Clear() {
    urgent_.clear();
    bulk_.clear();
    bytes_ = 0;
  }
  size_t bytes() const { return bytes_; }
  bool empty() const { return urgent_.empty() && bulk_.empty(); }

 private:
  struct Entry {
    Message message;
    size_t bytes;
    uint64_t kind;
  };
  std::deque<Entry> urgent_, bulk_;
  size_t bytes_ = 0;
};

}  // namespace coxswain::rpc
