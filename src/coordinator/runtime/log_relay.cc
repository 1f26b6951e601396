#include "coordinator/runtime/log_relay.h"

#include <absl/strings/str_cat.h>

#include <vector>

namespace coxswain::coordinator::runtime {

struct LogRelay::Reading {
  core::SessionId session;
  core::Term term;
  core::NodeId node;
  // Held during calls, so that the end of the subscription waits for them; recursive, because a
  // call may end its own subscription.
  std::recursive_mutex running;
  LogCallback data;  // guarded by running; empty: ended

  void Call(absl::StatusOr<protocol::LogData> answer) {
    std::lock_guard lock(running);
    if (!data) return;
    bool last = !answer.ok() || answer->end;
    LogCallback call = last ? std::exchange(data, nullptr) : data;
    call(std::move(answer));
  }
};

namespace {

absl::Status Unreachable(const core::NodeId& node) {
  return absl::UnavailableError(absl::StrCat("the worker that holds this log (", node.value,
                                             ") cannot be reached: try again later"));
}

protocol::ReadLog Order(uint64_t id, const LogRequest& request) {
  protocol::ReadLog order;
  order.request = id;
  order.key = request.key;
  order.stderr_stream = request.stderr_stream;
  order.offset = request.offset;
  order.follow = request.follow;
  order.tail_lines = request.tail_lines;
  return order;
}

}  // namespace

class LogRelay::Entry : public Subscription {
 public:
  Entry(std::shared_ptr<Shared> shared, uint64_t id, std::shared_ptr<Reading> reading)
      : shared_(std::move(shared)), id_(id), reading_(std::move(reading)) {}
  ~Entry() override {
    bool open = false;
    {
      std::lock_guard lock(shared_->mutex);
      open = shared_->readings.erase(id_) > 0;
    }
    {
      std::lock_guard lock(reading_->running);
      reading_->data = nullptr;
    }
    std::shared_ptr<WorkerSession> session = shared_->sessions->Find(reading_->session);
    if (!open || session == nullptr) return;
    protocol::ReadLog cancel;
    cancel.request = id_;
    cancel.cancel = true;
    session->Send(reading_->term, cancel);
  }

 private:
  std::shared_ptr<Shared> shared_;
  uint64_t id_;
  std::shared_ptr<Reading> reading_;
};

std::unique_ptr<Subscription> LogRelay::Read(core::Term term, const core::NodeId& node,
                                             const LogRequest& request, LogCallback data) {
  auto reading = std::make_shared<Reading>();
  reading->session = shared_->sessions->OfNode(node);
  reading->term = term;
  reading->node = node;
  reading->data = std::move(data);
  uint64_t id = 0;
  {
    std::lock_guard lock(shared_->mutex);
    id = ++shared_->last;
    shared_->readings.emplace(id, reading);
  }
  auto entry = std::make_unique<Entry>(shared_, id, reading);
  // Looked up after the entry is in the table: a stream that ends meanwhile finds it there.
  std::shared_ptr<WorkerSession> session = shared_->sessions->Find(reading->session);
  if (session != nullptr) {
    session->Send(term, Order(id, request));
    return entry;
  }
  {
    std::lock_guard lock(shared_->mutex);
    shared_->readings.erase(id);
  }
  reading->Call(Unreachable(node));
  return entry;
}

void LogRelay::OnData(core::SessionId session, protocol::LogData data) {
  std::shared_ptr<Reading> reading;
  {
    std::lock_guard lock(shared_->mutex);
    auto it = shared_->readings.find(data.request);
    if (it == shared_->readings.end() || it->second->session != session) return;
    reading = it->second;
    if (data.end) shared_->readings.erase(it);
  }
  reading->Call(std::move(data));
}

void LogRelay::Shared::EndWith(core::SessionId session, bool all) {
  std::vector<std::shared_ptr<Reading>> ended;
  {
    std::lock_guard lock(mutex);
    for (auto it = readings.begin(); it != readings.end();) {
      if (all || it->second->session == session) {
        ended.push_back(it->second);
        it = readings.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (const auto& reading : ended) reading->Call(Unreachable(reading->node));
}

void LogRelay::OnDisconnected(core::SessionId session) { shared_->EndWith(session, false); }
void LogRelay::OnAllDisconnected() { shared_->EndWith(core::SessionId(), true); }

}  // namespace coxswain::coordinator::runtime
