#include "sim/rpc/fleet_loop.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

#include "common/base/clock.h"
#include "common/rpc/channel.h"
#include "common/rpc/reconnect_policy.h"
#include "sim/rpc/worker_stream.h"
#include "sim/trace/pretend_worker.h"

namespace coxswain::sim::rpc {
namespace {

using base::Time;
using trace::PretendWorker;

constexpr base::Duration kBetweenConnects = base::milliseconds(1);  // at the start
constexpr base::Duration kStopLimit = base::seconds(5);

struct Node {
  std::unique_ptr<PretendWorker> worker;
  std::shared_ptr<WorkerStream> stream;
  uint64_t life = 0;  // of streams: what an older one says is void
  bool open = false, welcome = false;
  std::map<protocol::RankKey, base::Duration> run_times;
  base::Term term;  // the highest it has obeyed
  Time told;        // progress of its ranks, the last time
  std::optional<coxswain::rpc::ReconnectPolicy> pause;
};

// Something that a stream tells.
struct Input {
  enum class Kind { kOpened, kOrder, kEnded, kFreeGpus } kind = Kind::kOpened;
  uint32_t node = 0;
  uint64_t life = 0;
  base::Term term;
  protocol::WorkerOrder order;
  absl::Status status;
};

struct Timer {
  enum class Kind { kConnect, kBeat, kFinish } kind = Kind::kConnect;
  Time at;
  uint32_t node = 0;
  uint64_t life = 0;  // kBeat: of this stream
  protocol::RankKey key;
  base::Generation generation;
  bool operator<(const Timer& b) const { return at > b.at; }  // the earliest is the greatest
};

}  // namespace

std::optional<base::Duration> RunTimeOf(const std::string& spec_yaml) {
  constexpr char kLabel[] = "pretend-run-ms:";
  size_t at = spec_yaml.find(kLabel);
  if (at == std::string::npos) return std::nullopt;
  at = spec_yaml.find_first_not_of(" \\\"'", at + sizeof kLabel - 1);
  if (at == std::string::npos || spec_yaml[at] < '0' || spec_yaml[at] > '9') return std::nullopt;
  int64_t ms = 0;
  for (; at < spec_yaml.size() && spec_yaml[at] >= '0' && spec_yaml[at] <= '9'; ++at) {
    ms = std::min<int64_t>(ms * 10 + (spec_yaml[at] - '0'), 1'000'000'000);
  }
  return base::milliseconds(ms);
}

class FleetLoop::Loop {
 public:
  explicit Loop(FleetOptions options)
      : options_(std::move(options)),
        incarnation_(static_cast<uint64_t>(base::WallNow().us)),
        begun_(base::MonotonicNow()) {}
  ~Loop() { Stop(); }

  void Start() {
    uint32_t channels = options_.connections == 0 ? options_.nodes : options_.connections;
    for (uint32_t i = 0; i < channels; ++i) {
      auto channel = coxswain::rpc::MakeChannel(options_.coordinator, deadlines_);
      if (!channel.ok()) return Fail(channel.status());
      channels_.push_back(*std::move(channel));
    }
    nodes_.resize(options_.nodes);
    for (uint32_t i = 0; i < options_.nodes; ++i) {
      MakeWorker(i);
      timers_.push({.at = begun_ + kBetweenConnects * i, .node = i});
    }
    thread_ = std::thread([this] { Run(); });
  }

  void Stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

  void FreeGpus() {
    Input free;
    free.kind = Input::Kind::kFreeGpus;
    Post(std::move(free));
  }

  absl::Status Failure() const {
    std::lock_guard lock(mutex_);
    return failure_;
  }
  FleetTally Tally() const {
    std::lock_guard lock(mutex_);
    return shown_;
  }

 private:
  std::string NameOf(uint32_t index) const {
    return absl::StrFormat("%s-%05d", options_.prefix, index + 1);
  }

  void MakeWorker(uint32_t index) {
    protocol::Inventory inventory =
        PretendWorker::InventoryOf(NameOf(index), options_.cpus, options_.gpus);
    if (options_.racks > 0) {
      uint64_t rack = uint64_t{index} * options_.racks / options_.nodes;
      inventory.labels["rack"] = absl::StrFormat("rack-%03d", rack + 1);
    }
    if (options_.hold) inventory.why_no_work = "waiting for the other pretend workers";
    if (options_.gpus_in_use) {
      for (protocol::GpuInfo& gpu : inventory.gpus) {
        gpu.available = false;
        gpu.why_not = "used by another program";
      }
    }
    Node& node = nodes_[index];
    node.worker = std::make_unique<PretendWorker>(
        std::move(inventory),
        [this, index](const protocol::WorkerReport& report) { Send(nodes_[index], report); });
    node.pause.emplace(deadlines_, incarnation_ + index);
  }

  void Run() {
    std::vector<Input> inputs;
    while (true) {
      {
        std::unique_lock lock(mutex_);
        shown_ = tally_;
        Time now = base::MonotonicNow();
        base::Duration pause = timers_.empty() ? kStopLimit : timers_.top().at - now;
        changed_.wait_for(lock, std::max(pause, base::Duration(0)),
                          [this] { return stopping_ || !inbox_.empty(); });
        if (stopping_) break;
        inputs.swap(inbox_);
      }
      for (Input& input : inputs) Take(input);
      inputs.clear();
      Time now = base::MonotonicNow();
      while (!timers_.empty() && timers_.top().at <= now) {
        Timer timer = timers_.top();
        timers_.pop();
        Ring(timer, now);
      }
      if (!ever_let_in_ && now - begun_ > options_.give_up) {
        Fail(absl::UnavailableError(
            absl::StrCat("no worker was let in by ", options_.coordinator, " within ",
                         options_.give_up.count() / 1'000'000, " s: ", tally_.last_loss,
                         " (expected: HOST:PORT of a coordinator's worker port)")));
      }
    }
    EndAll();
  }

  // The streams end before their channels.
  void EndAll() {
    size_t left = 0;
    for (Node& node : nodes_) {
      if (node.stream == nullptr) continue;
      ++left;
      node.stream->Cancel();
    }
    Time limit = base::MonotonicNow() + kStopLimit;
    while (left > 0 && base::MonotonicNow() < limit) {
      std::vector<Input> inputs;
      {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, base::milliseconds(100), [this] { return !inbox_.empty(); });
        inputs.swap(inbox_);
      }
      for (const Input& input : inputs) {
        if (input.kind != Input::Kind::kEnded || nodes_[input.node].stream == nullptr) continue;
        nodes_[input.node].stream.reset();
        --left;
      }
    }
    if (left > 0) _exit(1);  // gRPC still uses what would be destroyed
  }

  void Fail(const absl::Status& why) {
    std::lock_guard lock(mutex_);
    if (failure_.ok()) failure_ = why;
  }

  void Post(Input input) {
    std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(input));
    if (inbox_.size() == 1) changed_.notify_all();
  }

  void Connect(uint32_t index) {
    Node& node = nodes_[index];
    uint64_t life = ++node.life;
    node.open = node.welcome = false;
    using Kind = Input::Kind;
    node.stream = OpenWorkerStream(
        channels_[index % channels_.size()], options_.token,
        {.opened = [=, this] { Post({.kind = Kind::kOpened, .node = index, .life = life}); },
         .order =
             [=, this](base::Term term, protocol::WorkerOrder order) {
               Post({Kind::kOrder, index, life, term, std::move(order), absl::OkStatus()});
             },
         .ended =
             [=, this](const absl::Status& status) {
               Post({Kind::kEnded, index, life, base::Term(), {}, status});
             }});
  }

  void Take(Input& input) {
    if (input.kind == Input::Kind::kFreeGpus) return Release();
    Node& node = nodes_[input.node];
    if (input.life != node.life) return;
    switch (input.kind) {
      case Input::Kind::kOpened:
        node.open = true;
        return Send(node, node.worker->Hello(base::Incarnation(incarnation_), node.term));
      case Input::Kind::kOrder:
        ++tally_.orders;
        node.term = std::max(node.term, input.term);
        return Obey(input.node, input.order);
      case Input::Kind::kEnded:
        return Ended(input.node, input.status);
      case Input::Kind::kFreeGpus:
        break;
    }
  }

  void Ended(uint32_t index, const absl::Status& status) {
    Node& node = nodes_[index];
    if (node.welcome) {
      --tally_.connected;
      ++tally_.losses;
    }
    tally_.last_loss = std::string(status.message());
    node.open = node.welcome = false;
    node.stream.reset();
    if (status.code() == absl::StatusCode::kUnauthenticated) {
      return Fail(absl::FailedPreconditionError(
          absl::StrCat(options_.coordinator, " refused the token: ", status.message())));
    }
    if (status.code() == absl::StatusCode::kUnimplemented) {
      return Fail(absl::FailedPreconditionError(
          absl::StrCat(options_.coordinator, " answers, but not as a coordinator's worker port (",
                       status.message(), "): give --coordinator its worker_listen, port 7071 ",
                       "unless set, not the port of its API")));
    }
    timers_.push({.at = base::MonotonicNow() + node.pause->Next(), .node = index});
  }

  // Its own advice is for a machine whose disk was copied.
  std::string WhyRefused(uint32_t index, const protocol::Rejected& no) const {
    if (no.reason.find("is connected already") == std::string::npos) return no.reason;
    return absl::StrCat("a worker named ", NameOf(index), " is connected to ", options_.coordinator,
                        " already: give the workers of this fleet other ", "names (--prefix)");
  }

  void Obey(uint32_t index, const protocol::WorkerOrder& order) {
    Node& node = nodes_[index];
    if (std::holds_alternative<protocol::Welcome>(order)) return Welcomed(index);
    if (const auto* no = std::get_if<protocol::Rejected>(&order)) {
      tally_.last_loss = WhyRefused(index, *no);
      if (no->permanent) Fail(absl::FailedPreconditionError(tally_.last_loss));
      return;
    }
    if (const auto* start = std::get_if<protocol::StartRank>(&order)) Starts(node, *start);
    if (std::holds_alternative<protocol::StartTask>(order)) ++tally_.tasks;
    if (const auto* gone = std::get_if<protocol::AcknowledgeExit>(&order)) {
      tally_.ranks_ended += node.run_times.erase(gone->key);
    }
    const auto* to = std::get_if<protocol::ToTrainer>(&order);
    const auto* form = to == nullptr ? nullptr : std::get_if<protocol::FormGeneration>(&to->order);
    if (form != nullptr) {
      auto run = node.run_times.find(to->key);
      timers_.push({.kind = Timer::Kind::kFinish,
                    .at = base::MonotonicNow() +
                          (run == node.run_times.end() ? options_.run_time : run->second),
                    .node = index,
                    .key = to->key,
                    .generation = form->generation});
    }
    node.worker->Do(order);
  }

  void Welcomed(uint32_t index) {
    Node& node = nodes_[index];
    node.welcome = ever_let_in_ = true;
    node.pause->Reset();
    if (++tally_.connected == options_.nodes && options_.hold && !released_) Release();
    // Spread over the interval, as machines are that were not started in one instant.
    base::Duration first = deadlines_.Heartbeat() * (index % 1000) / 1000;
    timers_.push({.kind = Timer::Kind::kBeat,
                  .at = base::MonotonicNow() + first,
                  .node = index,
                  .life = node.life});
  }

  double Now() const { return static_cast<double>((base::MonotonicNow() - begun_).count()) / 1e6; }

  void Release() {
    released_ = true;
    if (tally_.ranks_started == 0) tally_.first_start = Now();
    for (Node& node : nodes_) node.worker->TakeWork();
  }

  void Starts(Node& node, const protocol::StartRank& order) {
    base::Duration run = RunTimeOf(order.spec_yaml).value_or(options_.run_time);
    if (!node.run_times.emplace(order.key, run).second) return;
    const double now = Now();
    if (tally_.ranks_started++ == 0 && !options_.gpus_in_use) tally_.first_start = now;
    tally_.last_start = now;
    if (now >= second_ + 1) second_ = now, in_second_ = 0;
    tally_.starts_in_best_second = std::max(tally_.starts_in_best_second, ++in_second_);
  }

  void Ring(const Timer& timer, Time now) {
    Node& node = nodes_[timer.node];
    switch (timer.kind) {
      case Timer::Kind::kConnect:
        return Connect(timer.node);
      case Timer::Kind::kFinish:
        return node.worker->Finish(timer.key, timer.generation);
      case Timer::Kind::kBeat:
        break;
    }
    if (timer.life != node.life || !node.welcome) return;
    ++tally_.heartbeats;
    Send(node, protocol::Heartbeat{});
    node.worker->Repeat();
    if (options_.progress.count() > 0 && now - node.told >= options_.progress) {
      node.told = now;
      node.worker->TellProgress((now - begun_).count() / 1000);
    }
    Timer next = timer;
    next.at = std::max(timer.at + deadlines_.Heartbeat(), now);
    timers_.push(next);
  }

  void Send(Node& node, const protocol::WorkerReport& report) {
    if (!node.open) return;
    ++tally_.reports;
    node.stream->Send(report);
  }

  const FleetOptions options_;
  const base::Deadlines deadlines_;
  const uint64_t incarnation_;
  const Time begun_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  // Of the loop's thread:
  std::vector<Node> nodes_;
  std::priority_queue<Timer> timers_;
  bool ever_let_in_ = false;
  bool released_ = false;
  FleetTally tally_;
  double second_ = 0;
  uint64_t in_second_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Input> inbox_;  // guarded by mutex_, as is all below
  bool stopping_ = false;
  absl::Status failure_;
  FleetTally shown_;
  std::thread thread_;  // not guarded
};

FleetLoop::FleetLoop(FleetOptions options) : loop_(std::make_unique<Loop>(std::move(options))) {}
FleetLoop::~FleetLoop() = default;
void FleetLoop::Start() { loop_->Start(); }
absl::Status FleetLoop::Failure() const { return loop_->Failure(); }
FleetTally FleetLoop::Tally() const { return loop_->Tally(); }
void FleetLoop::FreeGpus() { loop_->FreeGpus(); }
void FleetLoop::Stop() { loop_->Stop(); }

}  // namespace coxswain::sim::rpc
