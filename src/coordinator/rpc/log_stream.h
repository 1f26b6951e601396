// What a log stream reads: one source per rank and output stream, each with its own offset.
//
// Data arrives on the runtime's threads and is taken by the stream's step. When a client is slow
// the sources are let go (the rest stays on the worker's disk) and read again from their offsets
// once what has arrived is sent: nothing is lost, and little is held.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "common/base/time.h"
#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::rpc {

struct LogSource {
  enum class State { kClosed, kOpen, kEnded };

  protocol::RankKey key;
  bool stderr_stream = false;
  uint64_t offset = 0;            // of the next byte wanted
  bool offset_by_client = false;  // a byte that is gone is then an error
  uint32_t tail_lines = 0;        // for the first reading only
  State state = State::kClosed;
  base::Time retry_at;  // of kClosed: not before
  bool told_unreachable = false;
  std::unique_ptr<runtime::Subscription> reading;
};

// What the readings of all sources have brought. Thread-safe; shared with their callbacks.
class LogInbox {
 public:
  struct Item {
    size_t source = 0;
    absl::StatusOr<protocol::LogData> data;
  };

  explicit LogInbox(std::function<void()> arrived) : arrived_(std::move(arrived)) {}

  // The callback for one reading of a source; what it brings after Forget(source) is ignored.
  runtime::LogCallback CallbackFor(size_t source);
  void Forget(size_t source);
  // Sources whose data no longer fitted: to be closed, and opened again at their offset.
  std::vector<size_t> TakeOverrun();
  bool Take(Item* out);
  void PutBack(Item item);  // to the front
  bool empty();

 private:
  struct Slot {
    uint64_t reading = 0;  // number of the present one
    bool overrun = false;
  };
  void Add(size_t source, uint64_t reading, absl::StatusOr<protocol::LogData> data);

  const std::function<void()> arrived_;
  std::mutex mutex_;
  std::deque<Item> items_;  // guarded by mutex_, as is all below
  size_t bytes_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace coxswain::coordinator::rpc
