#include "coordinator/rpc/log_stream.h"

namespace coxswain::coordinator::rpc {
namespace {

constexpr size_t kMostBytes = 4u << 20;

}  // namespace

runtime::LogCallback LogInbox::CallbackFor(size_t source) {
  std::lock_guard lock(mutex_);
  if (slots_.size() <= source) slots_.resize(source + 1);
  slots_[source].overrun = false;
  uint64_t reading = ++slots_[source].reading;
  return [this, source, reading](absl::StatusOr<protocol::LogData> data) {
    Add(source, reading, std::move(data));
  };
}

void LogInbox::Forget(size_t source) {
  std::lock_guard lock(mutex_);
  if (source < slots_.size()) ++slots_[source].reading;
}

void LogInbox::Add(size_t source, uint64_t reading, absl::StatusOr<protocol::LogData> data) {
  {
    std::lock_guard lock(mutex_);
    Slot& slot = slots_[source];
    if (slot.reading != reading || slot.overrun) return;
    if (data.ok() && bytes_ + data->data.size() > kMostBytes && !items_.empty()) {
      slot.overrun = true;
    } else {
      if (data.ok()) bytes_ += data->data.size();
      items_.push_back({source, std::move(data)});
    }
  }
  arrived_();
}

std::vector<size_t> LogInbox::TakeOverrun() {
  std::lock_guard lock(mutex_);
  std::vector<size_t> out;
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].overrun) out.push_back(i);
  }
  return out;
}

bool LogInbox::Take(Item* out) {
  std::lock_guard lock(mutex_);
  if (items_.empty()) return false;
  *out = std::move(items_.front());
  items_.pop_front();
  if (out->data.ok()) bytes_ -= out->data->data.size();
  return true;
}

void LogInbox::PutBack(Item item) {
  std::lock_guard lock(mutex_);
  if (item.data.ok()) bytes_ += item.data->data.size();
  items_.push_front(std::move(item));
}

bool LogInbox::empty() {
  std::lock_guard lock(mutex_);
  return items_.empty();
}

}  // namespace coxswain::coordinator::rpc
