// What waits to leave on a stream, in two lanes: urgent messages always go before bulk ones, so
// that metrics and log data never hold up exits and heartbeats. Not thread-safe.
//
// A message costs gRPC and the kernel more than its handling costs us: to a peer that can tell them
// apart, those that wait go together, in the field `more` of the first.
#pragma once

#include <cstddef>
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
  // Until Clear, the peer takes several messages in one.
  void SendTogether() { together_ = true; }
  bool Pop(Message* out) {
    std::deque<Entry>& entries = urgent_.empty() ? bulk_ : urgent_;
    if (entries.empty()) return false;
    size_t bytes = Take(entries, out);
    if constexpr (requires { out->add_more(); }) {
      while (together_ && !entries.empty() && bytes + entries.front().bytes <= kMostTogether) {
        bytes += Take(entries, out->add_more());
      }
    }
    return true;
  }
  void Clear() {
    urgent_.clear();
    bulk_.clear();
    bytes_ = 0;
    together_ = false;
  }
  size_t bytes() const { return bytes_; }
  bool empty() const { return urgent_.empty() && bulk_.empty(); }

 private:
  struct Entry {
    Message message;
    size_t bytes;
    uint64_t kind;
  };
  static constexpr size_t kMostTogether = 64 << 10;  // bytes; far below what gRPC takes in one

  size_t Take(std::deque<Entry>& entries, Message* out) {
    size_t bytes = entries.front().bytes;
    *out = std::move(entries.front().message);
    entries.pop_front();
    bytes_ -= bytes;
    return bytes;
  }

  std::deque<Entry> urgent_, bulk_;
  size_t bytes_ = 0;
  bool together_ = false;
};

// Each of those that Pop put together, in order.
template <class Message, class Take>
void ForEachOf(Message& message, Take take) {
  take(message);
  for (Message& each : *message.mutable_more()) take(each);
}

}  // namespace coxswain::rpc
