#include "coordinator/runtime/decide_loop.h"

#include <iterator>

#include "common/base/clock.h"
#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::runtime {

// So that the disk is busy with the first decisions while the later ones are made.
constexpr size_t kEventsPerRun = 256;
constexpr size_t kLongestQueue = 200'000;
constexpr base::Duration kWait = base::milliseconds(10);
constexpr base::Duration kQueuesServe = base::seconds(10);  // though no job has changed

namespace {

bool CanWait(const core::EventBody& event) {
  const auto* reported = std::get_if<core::WorkerReported>(&event);
  return reported != nullptr && runtime::CanWait(reported->report);
}

}  // namespace

DecideLoop::DecideLoop(core::Settings settings, std::function<void(Outbox)> leave,
                       record::Recorder* recorder)
    : settings_(std::move(settings)),
      leave_(std::move(leave)),
      recorder_(recorder),
      suspended_(absl::UnavailableError("the coordinator is starting: try again")),
      thread_([this] { Run(); }) {}

DecideLoop::~DecideLoop() { Stop(); }

absl::Status DecideLoop::Post(core::EventBody event) {
  std::lock_guard lock(mutex_);
  if (!suspended_.ok()) return suspended_;
  if (queue_.size() >= kLongestQueue) {
    return absl::UnavailableError("the coordinator has too much to do: try again later");
  }
  const bool first = queue_.empty();
  const bool hurries = !urgent_ && !CanWait(event);
  urgent_ |= hurries;
  queue_.push_back(std::move(event));
  counters_.queued = queue_.size();
  if (first || hurries) wake_.notify_one();
  return absl::OkStatus();
}

void DecideLoop::Suspend(absl::Status why) {
  std::lock_guard lock(mutex_);
  suspended_ = std::move(why);
  ++life_;
  queue_.clear();
  urgent_ = false;
  snapshot_.reset();
  counters_.queued = 0;
  wake_.notify_one();
}

void DecideLoop::Resume(core::Snapshot snapshot) {
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  suspended_ = absl::OkStatus();
  ++life_;
  snapshot_ = std::move(snapshot);
  wake_.notify_one();
}

void DecideLoop::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    suspended_ = absl::UnavailableError("the coordinator is stopping");
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

bool DecideLoop::WaitForWork(std::unique_lock<std::mutex>& lock) {
  auto until = [&](base::Time at, auto ready) {
    std::chrono::microseconds since_start(at.us);
    wake_.wait_until(lock, std::chrono::steady_clock::time_point(since_start), ready);
  };
  auto now = [this] { return stopped_ || urgent_ || core_life_ != life_; };
  auto ready = [&] { return now() || !queue_.empty(); };
  std::optional<base::Time> deadline;
  if (core_ != nullptr) deadline = core_->NextDeadline();
  if (deadline) {
    until(*deadline, ready);
  } else {
    wake_.wait(lock, ready);
  }
  if (!now() && !queue_.empty() && queue_.size() < kEventsPerRun) {
    base::Time end = base::MonotonicNow() + kWait;
    until(deadline ? std::min(end, *deadline) : end, now);
  }
  return !stopped_;
}

void DecideLoop::Run() {
  std::unique_lock lock(mutex_);
  while (WaitForWork(lock)) {
    std::optional<core::Snapshot> begin_with;
    bool begins = core_life_ != life_;
    if (begins) {
      core_life_ = life_;
      begin_with = std::exchange(snapshot_, std::nullopt);
    }
    size_t taken = std::min(queue_.size(), kEventsPerRun);
    std::vector<core::EventBody> events(std::make_move_iterator(queue_.begin()),
                                        std::make_move_iterator(queue_.begin() + taken));
    queue_.erase(queue_.begin(), queue_.begin() + taken);
    bool drained = queue_.empty();
    if (drained) urgent_ = false;
    counters_.queued = queue_.size();
    lock.unlock();

    Outbox out;
    out.life = core_life_;
    if (begins) BeginLife(std::move(begin_with));
    if (core_ != nullptr) {
      for (size_t i = 0; i < events.size(); ++i) {
        Decide(out, std::move(events[i]), i + 1 < events.size());
      }
      if (drained) DecideOnTime(out);  // all input that has arrived comes before any lease
      out.jobs = core_->TakeChangedJobs();
      out.nodes = core_->TakeChangedNodes();
      out.heard = core_->TakeHeardNodes();
      TakeQueues(out);
      if (recorder_ != nullptr) {
        recorder_->KeepUp(settings_, *core_, base::MonotonicNow(), base::WallNow());
      }
    }
    if (!out.empty()) leave_(std::move(out));
    lock.lock();
  }
  if (recorder_ != nullptr && core_ != nullptr)
    recorder_->End(core_.get(), "the coordinator stops");
}

void DecideLoop::BeginLife(std::optional<core::Snapshot> snapshot) {
  if (recorder_ != nullptr && core_ != nullptr) {
    recorder_->End(nullptr, "the store refused a commit: the tables were dropped");
  }
  core_.reset();
  if (!snapshot) return;
  base::Time now = base::MonotonicNow();
  base::WallTime wall = base::WallNow();
  core_ = std::make_unique<core::Coordinator>(settings_, *std::move(snapshot), now, wall);
  if (recorder_ != nullptr)
    recorder_->Begin(settings_, *core_, now, wall, "the core's life begins");
}

void DecideLoop::Decide(Outbox& out, core::EventBody body, bool more) {
  core::Event event;
  event.seq = ++seq_;
  event.now = base::MonotonicNow();
  event.wall = base::WallNow();
  event.entropy = uint64_t{entropy_()} << 32 | entropy_();
  event.body = std::move(body);
  event.more = more;
  core::Decisions decisions = core_->Decide(event);
  counters_.decide_us += (base::MonotonicNow() - event.now).count();
  ++counters_.events;
  if (recorder_ != nullptr) recorder_->Turn(event, decisions);
  MoveTo(&out.persist, std::move(decisions.persist));
  MoveTo(&out.send, std::move(decisions.send));
  MoveTo(&out.replies, std::move(decisions.replies));
}

void DecideLoop::TakeQueues(Outbox& out) {
  base::Time now = base::MonotonicNow();
  if (now < next_queues_) return;
  base::Time begun = now;
  out.queues = core_->TakeChangedQueues(base::WallNow(), now >= queues_stale_);
  if (!out.queues) return;
  // With very many jobs it takes a while: then it is done less often.
  next_queues_ = now + (base::MonotonicNow() - begun) * 50;
  queues_stale_ = now + kQueuesServe;
}

void DecideLoop::DecideOnTime(Outbox& out) {
  std::optional<base::Time> deadline = core_->NextDeadline();
  base::Time now = base::MonotonicNow();
  if (!deadline || *deadline > now) return;
  counters_.last_delay_us = (now - *deadline).count();
  Decide(out, core::TimePassed{now - *deadline});
}

}  // namespace coxswain::coordinator::runtime
