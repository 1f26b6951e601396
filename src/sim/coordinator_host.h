// The coordinator's process: the real core, and the rules of its shell (coordinator/runtime):
// events in the order of arrival, group commit, nothing leaves before the commit that holds it, a
// term raised durably at each start. Its store outlives it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "coordinator/core/coordinator.h"
#include "sim/durable_store.h"
#include "sim/stream.h"
#include "sim/tape.h"

namespace coxswain::sim {

struct World;

class CoordinatorHost {
 public:
  // An answer; nothing: the call failed on its way (unavailable, connection lost).
  using Answer = std::function<void(std::optional<core::Reply>)>;

  explicit CoordinatorHost(World* world) : world_(*world) {}

  // The process begins; it ends at once, to be started again, if the store refuses writes.
  void Start();
  void Crash(base::Duration down);
  bool up() const { return up_; }
  bool deciding() const { return core_ != nullptr; }

  // Workers' streams.
  void Accept(const std::shared_ptr<Stream>& stream) { streams_.push_back(stream); }
  void Received(const std::shared_ptr<Stream>& stream, const protocol::WorkerReport& report);

  // Calls. `make` gets the call's number.
  void Call(const std::function<core::EventBody(core::CallId)>& make, Answer answer);

  // Retention, as runtime_housekeeping.cc looks for it.
  void KeepHouse(const Retention& limits);
  void Stall(base::Duration how_long);
  void RestoreBackup(const Rows& older);

  const Rows& rows() const { return rows_; }
  // The job's current reason, as `cox explain` has it; empty: none.
  std::string Reason(base::JobId job) const {
    auto found = reasons_.find(job);
    return found == reasons_.end() ? "" : found->second;
  }
  bool refuses_writes = false;
  bool lose_next_sync = false;  // the next commit fails as an fsync does: the process must go
  int64_t commit_slowness = 1;  // times
  base::Duration wall_jump{};
  Tape* tape = nullptr;  // if set before Start: what enters the core

 private:
  struct Outbox {
    uint64_t life = 0;
    std::vector<core::Change> persist;
    std::vector<core::Action> send;
    std::vector<core::Reply> replies;
    std::vector<core::LiveJob> jobs;
    std::optional<uint64_t> hard_digest;  // of the tables after it; only sometimes
  };
  struct Session {
    std::shared_ptr<Stream> stream;
    base::NodeId node;
    bool welcome = false;
  };

  base::WallTime Wall() const;
  bool Post(core::EventBody body);
  void Wake(base::Time at);
  void Run();
  void Decide(Outbox& out, core::EventBody body);
  void Begin(core::Snapshot snapshot);
  void CommitNext();
  void Committed(std::vector<Outbox> outboxes);
  bool Write(const std::vector<Outbox>& outboxes);
  void StoreFailed(base::Duration pause);
  void Release(const Outbox& outbox);
  void Show(const std::vector<core::LiveJob>& jobs);
  void Send(const core::Action& action);
  void CompareDigests(uint64_t expected);
  void FailAllCalls();
  void CloseAll(const std::string& why);
  void Disconnected(core::SessionId session, const std::string& why);
  void After(base::Duration delay, std::function<void()> call);  // in this process only

  World& world_;
  Rows rows_;  // the store
  bool up_ = false;
  uint64_t process_ = 0;  // which one it is
  uint64_t life_ = 0;     // of the tables
  std::unique_ptr<core::Coordinator> core_;
  std::vector<core::EventBody> queue_;
  uint64_t seq_ = 0;
  std::optional<base::Time> wake_at_;
  base::Time stalled_until_;
  std::deque<Outbox> outboxes_;
  bool committing_ = false;
  base::Term term_;
  std::vector<std::weak_ptr<Stream>> streams_;
  std::map<core::SessionId, Session> sessions_;
  uint64_t last_session_ = 0, last_call_ = 0;
  std::map<core::CallId, Answer> calls_;
  std::map<base::JobId, std::string> reasons_;
};

}  // namespace coxswain::sim
