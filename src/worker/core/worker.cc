#include "worker/core/worker.h"

#include <utility>

#include "common/base/exit_codes.h"
#include "common/base/rng.h"
#include "common/base/version.h"

namespace coxswain::worker::core {
namespace {}  // namespace

Worker::Worker(Settings settings, Identity identity, std::vector<FoundRank> found)
    : settings_(std::move(settings)), identity_(std::move(identity)) {
  for (FoundRank& rank : found) {
    RankEntry entry;
    entry.start = std::move(rank.start);
    entry.pid = rank.pid;
    entry.exit = std::move(rank.exit);
    if (entry.exit) entry.state = protocol::RankState::kExited;
    ranks_.Insert(std::move(entry));
  }
}

Decisions Worker::Decide(const Event& event) {
  event_ = &event;
  out_ = {};
  std::visit([this](const auto& body) { On(body); }, event.body);
  RefreshInventory();
  ExitWhenEmpty();
  event_ = nullptr;
  return std::move(out_);
}

std::optional<base::Time> Worker::NextDeadline() const {
  std::optional<base::Time> due = next_heartbeat_;
  for (const auto& [id, task] : tasks_.all()) {
    if (task.deadline && (!due || *task.deadline < *due)) due = task.deadline;
  }
  return due;
}

std::optional<protocol::RankKey> Worker::RankOn(ConnectionId connection) const {
  const RankEntry* entry = ranks_.FindByConnection(connection);
  if (entry == nullptr) return std::nullopt;
  return entry->start.key;
}

bool Worker::Lives(const protocol::RankKey& key) const {
  auto it = ranks_.all().find(key);
  return it != ranks_.all().end() && it->second.Live();
}

base::Incarnation Worker::TaskIncarnation(base::TaskId task) const {
  auto it = tasks_.all().find(task);
  return it == tasks_.all().end() ? base::Incarnation() : it->second.incarnation;
}

void Worker::On(const LinkConnected&) {
  session_ = Session::kGreeting;
  SendHello();
}

void Worker::On(const LinkDisconnected& event) {
  if (session_ == Session::kWelcomed) Do(EndRelay{});
  session_ = Session::kNone;
  next_heartbeat_.reset();
  if (event.token_refused && !ever_welcomed_) {
    return Do(
        Exit{base::kDaemonConfig, "the coordinator at " + settings_.coordinator +
                                      " refuses this worker's token: give the one in its data "
                                      "directory with --token-file"});
  }
  if (event.reason == last_loss_) return;
  last_loss_ = event.reason;
  Say("no coordinator: " + event.reason + "; ranks go on, trying again");
}

void Worker::On(const OrderReceived& event) {
  bool greeting = std::holds_alternative<protocol::Welcome>(event.order) ||
                  std::holds_alternative<protocol::Rejected>(event.order);
  if (greeting ? session_ != Session::kGreeting : session_ != Session::kWelcomed) {
    return Say("order ignored: it does not belong to this stream");
  }
  if (!greeting && event.term != identity_.highest_term) {
    Do(DropStream{"an order of term " + std::to_string(event.term.value) + " on a stream of term " +
                  std::to_string(identity_.highest_term.value)});
    return;
  }
  std::visit([this](const auto& order) { Obey(order); }, event.order);
}

void Worker::Obey(const protocol::Welcome& welcome) {
  if (!identity_.cluster.empty() && welcome.cluster != identity_.cluster) {
    return Do(Exit{base::kDaemonConfig,
                   "this worker's data directory belongs to cluster " + identity_.cluster.value +
                       ", but the coordinator at " + settings_.coordinator + " is of cluster " +
                       welcome.cluster.value +
                       ": use another --data-dir, or the right --coordinator"});
  }
  if (welcome.term < identity_.highest_term) {
    return Do(DropStream{"the coordinator is of term " + std::to_string(welcome.term.value) +
                         ", this worker has obeyed term " +
                         std::to_string(identity_.highest_term.value) +
                         ": an old coordinator is still running"});
  }
  Identity known = identity_;
  identity_.cluster = welcome.cluster;
  identity_.highest_term = welcome.term;
  if (identity_ != known) out_.persist = identity_;
  if (welcome.lease.count() > 0) settings_.deadlines.lease = welcome.lease;
  session_ = Session::kWelcomed;
  ever_welcomed_ = true;
  last_loss_.clear();
  next_heartbeat_ = event_->now + settings_.deadlines.Heartbeat();
  Say("connected to the coordinator at " + settings_.coordinator + ", term " +
      std::to_string(welcome.term.value));
  if (welcome.warning != last_warning_ && !welcome.warning.empty()) Warn(welcome.warning);
  last_warning_ = welcome.warning;
  if (welcome.term > known.highest_term) ForgetTasks();
  TellWhatWaited();
  if (!(settings_.inventory == told_inventory_)) SendHeartbeat(true);
  Do(BeginRelay{});
}

void Worker::Obey(const protocol::Rejected& rejected) {
  if (rejected.permanent) {
    return Do(Exit{base::kDaemonConfig, "the coordinator at " + settings_.coordinator +
                                            " does not take this worker: " + rejected.reason});
  }
  Do(DropStream{rejected.reason});
}

void Worker::On(const GpusObserved& event) {
  gpus_ = event.gpus;
  settings_.inventory.gpu_note = event.note;
}

void Worker::On(const ConditionsObserved& event) {
  protocol::Inventory& inventory = settings_.inventory;
  if (inventory.conditions == event.conditions && inventory.why_no_work == event.why_no_work) {
    return;
  }
  inventory.conditions = event.conditions;
  inventory.why_no_work = event.why_no_work;
  SendHeartbeat(true);
}

void Worker::On(const StopRequested&) {
  Report(protocol::Leaving{});
  Do(Exit{0, "stopping; ranks go on"});
}

void Worker::On(const LifelineClosed&) {
  ending_ = true;
  Say("the lifeline is closed: stopping all ranks");
  for (auto& [key, entry] : ranks_.all()) {
    entry.next.reset();
    if (!entry.Live()) continue;
    // Whoever wanted a save has asked for it before: the coordinator, which would record it, ends
    // too.
    Do(SignalRank{key, entry.start.incarnation, base::Duration(0)});
  }
}

void Worker::ExitWhenEmpty() {
  if (!ending_ || ranks_.AnyLive()) return;
  ending_ = false;
  Report(protocol::Leaving{});
  Do(Exit{0, "all ranks have ended"});
}

void Worker::On(const TimePassed&) {
  base::Time now = event_->now;
  if (next_heartbeat_ && now >= *next_heartbeat_) {
    next_heartbeat_ = now + settings_.deadlines.Heartbeat();
    SendHeartbeat(false);
  }
  for (auto& [id, task] : tasks_.all()) {
    if (!task.deadline || now < *task.deadline) continue;
    task.deadline.reset();
    Do(StopTask{id});
    protocol::TaskEnded late;
    late.error = "the check has not ended after " +
                 std::to_string(settings_.deadlines.CheckTask().count() / 1'000'000) +
                 " s: the data or the store does not answer";
    EndTask(task, std::move(late));
  }
}

void Worker::SendHello() {
  protocol::WorkerHello hello;
  hello.cluster = identity_.cluster;
  hello.node = identity_.node;
  hello.incarnation = settings_.incarnation;
  hello.highest_term = identity_.highest_term;
  hello.protocol_oldest = base::kProtocolOldest;
  hello.protocol_newest = base::kProtocolNewest;
  hello.inventory = settings_.inventory;
  for (auto& [key, entry] : ranks_.all()) {
    hello.ranks.push_back(RankTable::Report(entry));
    entry.told = true;
  }
  told_inventory_ = settings_.inventory;
  Do(SendReport{std::move(hello)});
}

void Worker::SendHeartbeat(bool with_inventory) {
  protocol::Heartbeat heartbeat;
  if (with_inventory) heartbeat.changed_inventory = settings_.inventory;
  if (with_inventory && session_ == Session::kWelcomed) told_inventory_ = settings_.inventory;
  Report(std::move(heartbeat));
}

// Whether a GPU may be given out depends on the ranks too, so this runs after every event.
void Worker::RefreshInventory() {
  std::vector<protocol::GpuInfo> judged;
  judged.reserve(gpus_.size());
  for (const GpuFacts& gpu : gpus_) {
    judged.push_back(JudgeGpu(gpu, ProcessesAreOurs(gpu.uuid)));
  }
  bool new_note = std::holds_alternative<GpusObserved>(event_->body) && judged.empty();
  if (judged == settings_.inventory.gpus && !new_note) return;
  settings_.inventory.gpus = std::move(judged);
  SendHeartbeat(true);
}

// GPUs are looked at only every few seconds: a rank that has just ended is still seen.
bool Worker::ProcessesAreOurs(const std::string& gpu_uuid) const {
  if (ranks_.HolderOf(gpu_uuid) != nullptr) return true;
  auto released = gpu_released_.find(gpu_uuid);
  return released != gpu_released_.end() &&
         event_->now < released->second + settings_.deadlines.lease * 2;
}

void Worker::Report(protocol::WorkerReport report) {
  if (session_ == Session::kWelcomed) Do(SendReport{std::move(report)});
}

uint64_t Worker::Digest() const {
  uint64_t digest = 0;
  for (char c : Dump()) digest = base::Mix64(digest ^ static_cast<unsigned char>(c));
  return digest;
}

std::string Worker::Dump() const {
  std::string out = "cluster=" + identity_.cluster.value +
                    " term=" + std::to_string(identity_.highest_term.value);
  const char* sessions[] = {"none", "greeting", "welcomed"};
  out += std::string(" session=") + sessions[static_cast<int>(session_)] + "\n";
  for (const auto& [key, entry] : ranks_.all()) {
    out += "rank " + ToString(key) + " inc=" + std::to_string(entry.start.incarnation.value) + " " +
           protocol::ToString(entry.state) + " pid=" + std::to_string(entry.pid);
    if (entry.connection) out += " connection=" + std::to_string(entry.connection.value);
    if (!entry.waiting.empty()) out += " waiting=" + std::to_string(entry.waiting.size());
    if (entry.next) out += " next=" + std::to_string(entry.next->incarnation.value);
    out += "\n";
  }
  for (const auto& [id, task] : tasks_.all()) {
    const char* state = task.result ? "ended" : task.incarnation ? "running" : "queued";
    out += "task " + base::ToString(id) + " " + state + "\n";
  }
  return out;
}

}  // namespace coxswain::worker::core
