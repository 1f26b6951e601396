#include "sim/coordinator_host.h"

#include <algorithm>
#include <iterator>

#include "sim/world.h"

namespace coxswain::sim {

using base::Duration;
using base::milliseconds;
using base::seconds;

constexpr size_t kEventsPerRun = 256;

base::WallTime CoordinatorHost::Wall() const { return world_.Wall(wall_jump); }

void CoordinatorHost::After(Duration delay, std::function<void()> call) {
  world_.queue.After(delay, [this, process = process_, call = std::move(call)] {
    if (up_ && process == process_) call();
  });
}

void CoordinatorHost::Start() {
  if (up_) return;
  if (refuses_writes) {
    return world_.queue.After(seconds(1), [this] { Start(); });
  }
  up_ = true;
  ++process_;
  world_.journal.Add(Counted::kCoordinatorStarts);
  if (rows_.cluster.id.empty()) rows_.cluster.id = base::ClusterId("c1");
  core::Snapshot snapshot = rows_.Load();
  snapshot.cluster.term = snapshot.cluster.term.Next();
  rows_.Apply(snapshot.cluster);
  term_ = snapshot.cluster.term;
  seq_ = 0;
  committing_ = false;
  outboxes_.clear();
  stalled_until_ = {};
  world_.journal.Say([&] { return "coordinator: starts, term " + std::to_string(term_.value); });
  Begin(std::move(snapshot));
}

void CoordinatorHost::Begin(core::Snapshot snapshot) {
  ++life_;
  queue_.clear();
  reasons_.clear();
  core::Settings settings;
  settings.scheduling = world_.options.scheduling;
  core_ = std::make_unique<core::Coordinator>(settings, std::move(snapshot), world_.queue.now(),
                                              Wall());
  if (tape != nullptr) tape->Begin(settings, *core_, Wall());
  Show(core_->TakeChangedJobs());  // of committed rows
  wake_at_.reset();
  Wake(world_.queue.now());
}

void CoordinatorHost::Crash(Duration down) {
  if (!up_) return;
  world_.journal.Say([&] { return std::string("coordinator: killed"); });
  up_ = false;
  core_.reset();
  ++life_;
  ++process_;
  outboxes_.clear();
  queue_.clear();
  FailAllCalls();
  CloseAll("the coordinator's process has ended");
  world_.queue.After(down, [this] { Start(); });
}

void CoordinatorHost::RestoreBackup(const Rows& older) {
  rows_ = older;
  ++process_;  // what was still on its way to the disk is void
  world_.journal.Add(Counted::kBackups);
  world_.journal.Say([&] { return std::string("coordinator: its store is an older copy now"); });
}

// ---- the decide loop ----

bool CoordinatorHost::Post(core::EventBody body) {
  if (!core_) return false;
  queue_.push_back(std::move(body));
  Wake(world_.queue.now());
  return true;
}

void CoordinatorHost::Wake(base::Time at) {
  at = std::max({at, world_.queue.now(), stalled_until_});
  if (wake_at_ && *wake_at_ <= at) return;
  wake_at_ = at;
  After(at - world_.queue.now(), [this, at] {
    if (wake_at_ != at) return;
    wake_at_.reset();
    Run();
  });
}

void CoordinatorHost::KeepHouse(const Retention& limits) {
  if (!up_) return;
  std::vector<base::JobId> found = rows_.FindExpired(limits, Wall());
  if (found.empty()) return;
  After(milliseconds(5), [this, found] { Post(core::RetentionDue{found, {}}); });
}

void CoordinatorHost::Stall(Duration how_long) {
  world_.journal.Add(Counted::kStalls);
  stalled_until_ = world_.queue.now() + how_long;
  wake_at_.reset();
  Wake(stalled_until_);
}

void CoordinatorHost::Run() {
  if (!core_) return;
  Outbox out;
  out.life = life_;
  size_t taken = std::min(queue_.size(), kEventsPerRun);
  std::vector<core::EventBody> events(std::make_move_iterator(queue_.begin()),
                                      std::make_move_iterator(queue_.begin() + taken));
  queue_.erase(queue_.begin(), queue_.begin() + taken);
  for (core::EventBody& event : events) Decide(out, std::move(event));
  base::Time now = world_.queue.now();
  std::optional<base::Time> deadline = core_->NextDeadline();
  if (queue_.empty() && deadline && *deadline <= now) {
    Decide(out, core::TimePassed{now - *deadline});
  }
  out.jobs = core_->TakeChangedJobs();
  core_->TakeChangedNodes();
  if (!queue_.empty()) Wake(now);
  if ((deadline = core_->NextDeadline())) Wake(std::max(*deadline, now + Duration(1)));
  if (out.persist.empty() && out.send.empty() && out.replies.empty() && out.jobs.empty()) return;
  if (!out.persist.empty() && world_.dice.Percent(4)) out.hard_digest = core_->HardDigest();
  outboxes_.push_back(std::move(out));
  CommitNext();
}

void CoordinatorHost::Decide(Outbox& out, core::EventBody body) {
  core::Event event{++seq_,          world_.queue.now(),     Wall(), world_.dice.Bits(),
                    std::move(body), world_.dice.Percent(15)};
  world_.journal.Add(Counted::kEvents);
  world_.journal.Mix(static_cast<uint64_t>(event.now.us) ^ event.body.index() << 56);
  core::Decisions decisions = core_->Decide(event);
  if (tape != nullptr) tape->Turn(event, decisions, *core_);
  world_.journal.Mix(decisions.persist.size() << 32 ^ decisions.send.size());
  for (const core::Explanation& why : decisions.why) {
    world_.journal.Say([&] { return "why " + base::ToString(why.job) + ": " + why.text; });
  }
  auto move_to = [](auto& from, auto& to) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  move_to(decisions.persist, out.persist);
  move_to(decisions.send, out.send);
  move_to(decisions.replies, out.replies);
}

// ---- the commit loop ----

// Takes all that waits; one with a digest ends the group, so that the store is compared with it.
void CoordinatorHost::CommitNext() {
  while (!committing_ && !outboxes_.empty()) {
    std::vector<Outbox> group;
    bool writes = false;
    while (!outboxes_.empty() && (group.empty() || !group.back().hard_digest)) {
      if (outboxes_.front().life == life_) group.push_back(std::move(outboxes_.front()));
      outboxes_.pop_front();
      if (!group.empty()) writes |= !group.back().persist.empty();
    }
    if (group.empty()) continue;
    if (!writes) {
      for (const Outbox& outbox : group) Release(outbox);
      continue;
    }
    committing_ = true;
    Duration takes =
        world_.dice.Span(world_.options.commit_low, world_.options.commit_high) * commit_slowness;
    // Killed within: the transaction is there as a whole or not at all, and nobody was told.
    bool late = world_.dice.Percent(50);
    auto shared = std::make_shared<std::vector<Outbox>>(std::move(group));
    world_.queue.After(takes, [this, shared, late, process = process_] {
      if (up_ && process == process_) return Committed(std::move(*shared));
      if (late && process + 1 == process_ && !up_ && !refuses_writes) Write(*shared);
    });
  }
}

bool CoordinatorHost::Write(const std::vector<Outbox>& outboxes) {
  for (const Outbox& outbox : outboxes) {
    for (const core::Change& change : outbox.persist) {
      world_.row_checker.Check(rows_, change);
      rows_.Apply(change);
    }
  }
  world_.journal.Add(Counted::kCommits);
  return true;
}

void CoordinatorHost::Committed(std::vector<Outbox> outboxes) {
  committing_ = false;
  if (std::exchange(lose_next_sync, false)) {
    world_.journal.Say([] { return std::string("coordinator: an fsync failed"); });
    if (world_.dice.Percent(50)) Write(outboxes);
    return Crash(world_.dice.Span(milliseconds(100), seconds(3)));
  }
  if (refuses_writes) return StoreFailed(milliseconds(250));
  std::erase_if(outboxes, [this](const Outbox& outbox) { return outbox.life != life_; });
  Write(outboxes);
  for (const Outbox& outbox : outboxes) {
    Release(outbox);
    if (outbox.hard_digest) CompareDigests(*outbox.hard_digest);
  }
  CommitNext();
}

// Everything not committed is forgotten; the tables are made anew once the store takes writes.
void CoordinatorHost::StoreFailed(Duration pause) {
  world_.journal.Add(Counted::kFailedCommits);
  if (core_) {
    world_.journal.Say([] { return std::string("coordinator: the store refuses writes"); });
    core_.reset();
    ++life_;
    queue_.clear();
    outboxes_.clear();
    FailAllCalls();
    CloseAll("the coordinator ended it");
  }
  committing_ = true;  // until it has recovered
  if (!refuses_writes) {
    committing_ = false;
    world_.journal.Say([] { return std::string("coordinator: goes on from what is committed"); });
    core::Snapshot snapshot = rows_.Load();
    term_ = snapshot.cluster.term = snapshot.cluster.term.Next();
    rows_.Apply(snapshot.cluster);
    return Begin(std::move(snapshot));
  }
  After(pause, [this, pause] { StoreFailed(std::min(pause * 2, Duration(seconds(8)))); });
}

void CoordinatorHost::CompareDigests(uint64_t expected) {
  world_.journal.Add(Counted::kDigestsCompared);
  core::Coordinator anew({}, rows_.Load(), world_.queue.now(), Wall());
  if (anew.HardDigest() == expected) return;
  world_.journal.Fail(
      "a core made of the committed rows differs from the one that decided them (HardDigest)");
}

// ---- what leaves ----

void CoordinatorHost::Release(const Outbox& outbox) {
  for (const core::Change& change : outbox.persist) {
    if (const auto* row = std::get_if<core::ClusterRow>(&change)) term_ = row->term;
    if (const auto* row = std::get_if<core::EventRow>(&change)) {
      world_.journal.Say([&] {
        return "event " + row->kind + " " + (row->job ? base::ToString(row->job) + " " : "") +
               row->text;
      });
    }
  }
  Show(outbox.jobs);
  for (const core::Action& action : outbox.send) Send(action);
  for (const core::Reply& reply : outbox.replies) {
    auto call = calls_.extract(reply.call);
    world_.send_checker.Replied(rows_, reply);
    if (!call.empty()) call.mapped()(reply);
  }
}

void CoordinatorHost::Show(const std::vector<core::LiveJob>& jobs) {
  for (const core::LiveJob& job : jobs) reasons_[job.id] = job.reason;
}

void CoordinatorHost::Send(const core::Action& action) {
  auto found = sessions_.find(action.session);
  if (found == sessions_.end()) return;
  world_.send_checker.Sent(rows_, found->second.node, action.order);
  std::shared_ptr<Stream> stream = found->second.stream;
  if (std::holds_alternative<protocol::Welcome>(action.order)) found->second.welcome = true;
  stream->Down([stream, term = term_, order = action.order] {
    if (stream->take_order) stream->take_order(term, order);
  });
  if (!action.close_session) return;
  stream->CloseAtCoordinator("the coordinator ended it");
  Disconnected(action.session, "its stream ended");
}

void CoordinatorHost::FailAllCalls() {
  for (auto& [id, answer] : std::exchange(calls_, {})) answer(std::nullopt);
}

void CoordinatorHost::CloseAll(const std::string& why) {
  sessions_.clear();
  for (const auto& weak : std::exchange(streams_, {})) {
    if (auto stream = weak.lock()) stream->CloseAtCoordinator(why);
  }
}

void CoordinatorHost::Received(const std::shared_ptr<Stream>& stream,
                               const protocol::WorkerReport& report) {
  if (const auto* hello = std::get_if<protocol::WorkerHello>(&report)) {
    core::SessionId id(++last_session_);
    sessions_[id] = {stream, hello->node, false};
    stream->coordinator().broken = [this, id, process = process_](const std::string& why) {
      if (up_ && process == process_) Disconnected(id, why);
    };
    if (!Post(core::WorkerConnected{id, *hello})) {
      sessions_.erase(id);
      stream->CloseAtCoordinator("the coordinator ended it");
    }
    return;
  }
  for (const auto& [id, session] : sessions_) {
    if (session.stream != stream) continue;
    if (session.welcome) Post(core::WorkerReported{id, report});
    return;
  }
}

void CoordinatorHost::Disconnected(core::SessionId session, const std::string& why) {
  if (sessions_.erase(session) > 0) Post(core::WorkerDisconnected{session, why});
}

void CoordinatorHost::Call(const std::function<core::EventBody(core::CallId)>& make,
                           Answer answer) {
  core::CallId id(++last_call_);
  if (!up_ || !Post(make(id))) return answer(std::nullopt);
  calls_[id] = std::move(answer);
}

}  // namespace coxswain::sim
