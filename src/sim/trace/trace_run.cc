#include "sim/trace/trace_run.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <deque>

#include "sim/event_queue.h"
#include "sim/trace/csv.h"
#include "sim/trace/pretend_fleet.h"

namespace coxswain::sim::trace {
namespace {

constexpr double kMicrosecond = 1e-6;
constexpr base::Duration kFirstReport = base::seconds(20);  // of its speed, once it trains
constexpr base::Duration kReport = base::seconds(30);
constexpr double kNever = 2 * kLongest;  // what is not over by then is stuck

base::Duration Seconds(double seconds) {
  return base::Duration(static_cast<int64_t>(seconds * 1e6));
}

class Run {
 public:
  Run(const TraceSettings& settings, std::vector<TraceJob> jobs)
      : settings_(settings),
        jobs_(std::move(jobs)),
        fleet_([this](core::EventBody body) { waiting_.push_back(std::move(body)); }) {
    core::Settings of_core;
    // Where no node is ever lost, heartbeats would only take time.
    if (settings.membership.empty()) of_core.deadlines.lease = base::seconds(300);
    beat_ = of_core.deadlines.lease / 3;
    of_core.default_store = "s3://pretend";
    of_core.scheduling = settings.scheduling;
    core::Snapshot snapshot;
    snapshot.cluster.term = base::Term(1);
    snapshot.cluster.id = base::ClusterId("trace");
    core_ = std::make_unique<core::Coordinator>(of_core, std::move(snapshot), queue_.now(), Wall());
    result_.rows.resize(jobs_.size());
  }

  absl::StatusOr<TraceResult> All() {
    begun_ = queue_.now();
    PlanMembership();
    for (size_t i = 0; i < jobs_.size(); ++i) {
      queue_.At(begun_ + Seconds(jobs_[i].submitted), [this, i] { Submit(i); });
    }
    queue_.After(beat_, [this] { Beat(); });
    while (ended_ < jobs_.size()) {
      if (!queue_.RunNext()) break;
      Settle();
      if (Now() > kNever || !refused_.empty()) break;
    }
    if (!refused_.empty()) return absl::InvalidArgumentError(refused_);
    if (ended_ < jobs_.size()) return Stuck();
    double there = 0;
    for (const auto& [name, node] : nodes_) {
      there += (node.until < 0 ? result_.makespan : node.until) - node.from + node.before;
    }
    double held = 0;
    for (const TraceRow& row : result_.rows) held += row.gpu_seconds;
    result_.utilisation = held / std::max(1.0, there * settings_.gpus_per_node);
    return std::move(result_);
  }

 private:
  struct Active {
    base::Attempt attempt;
    base::Time since;  // held
    uint32_t gpus = 1;
    bool running = false;
    double lost_at = -1;  // with a node
    base::Time trains_from;
    base::Time counted;  // trained until
    Shares shares;
  };
  struct Span {
    double from = 0, until = -1, before = 0;
  };

  double Now() const { return static_cast<double>((queue_.now() - begun_).count()) / 1e6; }
  base::WallTime Wall() const { return {1'700'000'000'000'000 + queue_.now().us}; }

  void PlanMembership() {
    if (settings_.membership.empty()) {
      for (uint32_t i = 0; i < settings_.nodes; ++i) Join(absl::StrCat("node", 100 + i));
    } else {
      PlayMembership();
    }
    Settle();
  }

  // Again and again, until the jobs are done.
  void PlayMembership() {
    base::Time from = queue_.now();
    for (const Membership& each : settings_.membership) {
      queue_.At(from + Seconds(each.time), [this, each] {
        if (each.joins) {
          Join(each.node);
        } else {
          Leave(each.node);
        }
      });
    }
    queue_.At(from + Seconds(settings_.membership.back().time + 60), [this] {
      for (const auto& [name, span] : nodes_) Leave(name);
      PlayMembership();
    });
  }

  void Leave(const std::string& name) {
    // They train no more, whenever that is noticed.
    for (core::JobId job : fleet_.JobsOn(name)) {
      Count(job);
      if (auto active = active_.find(job); active != active_.end() && active->second.lost_at < 0) {
        active->second.running = false;
        active->second.lost_at = Now();
      }
    }
    fleet_.Vanish(name);
    Span& span = nodes_[name];
    if (span.until < 0) span.until = Now();
  }

  void Join(const std::string& name) {
    Span& span = nodes_[name];
    if (span.until >= 0) span.before += span.until - span.from;
    span.from = Now();
    span.until = -1;
    fleet_.Join(name, 1024, settings_.gpus_per_node);
  }

  void Beat() {
    fleet_.Heartbeat();
    queue_.After(beat_, [this] { Beat(); });
  }

  void Submit(size_t index) {
    const TraceJob& job = jobs_[index];
    result_.rows[index] = {.name = job.name, .gpus = job.gpus, .submitted = job.submitted};
    core::JobSubmitted event;
    event.call = core::CallId(index + 1);
    event.request.name = absl::StrCat("t", index);
    event.request.workers = job.gpus;
    if (std::optional<Range> range = job.model->range()) {
      event.request.workers = event.request.min_workers = 1;
      event.request.max_workers = range->most_gpus;
      event.request.batch = range->batch;
      event.request.max_batch = range->max_batch;
    }
    event.request.gpus = 1;
    event.request.max_attempts = 1000;
    event.request.store = "s3://pretend";
    event.submitted_by = "trace";
    event.idempotency_key = absl::StrCat(index);
    waiting_.push_back(std::move(event));
  }

  // Decides until nothing is left to decide now, and asks to be called when there will be.
  void Settle() {
    while (true) {
      std::optional<base::Time> deadline = core_->NextDeadline();
      if (waiting_.empty() && (!deadline || *deadline > queue_.now())) {
        if (deadline && (!woken_ || *deadline < *woken_ || *woken_ <= queue_.now())) {
          woken_ = *deadline;
          queue_.At(*deadline, [] {});
        }
        return;
      }
      core::EventBody body = core::TimePassed{};
      if (!waiting_.empty()) {
        body = std::move(waiting_.front());
        waiting_.pop_front();
      }
      Decide(std::move(body));
    }
  }

  void Decide(core::EventBody body) {
    core::Event event{++result_.decisions, queue_.now(),    Wall(),
                      result_.decisions,   std::move(body), false};
    core::Decisions decisions = core_->Decide(event);
    for (const core::Change& change : decisions.persist) {
      if (const auto* row = std::get_if<core::JobRow>(&change)) On(*row);
      if (const auto* row = std::get_if<core::AttemptRow>(&change)) On(*row);
      if (const auto* row = std::get_if<core::GenerationRow>(&change)) On(*row);
    }
    for (const core::Reply& reply : decisions.replies) {
      if (reply.code == core::ReplyCode::kOk) continue;
      refused_ = absl::StrCat(jobs_[reply.call.value - 1].name, ": ", reply.text);
    }
    for (const core::Action& action : decisions.send) fleet_.Do(action);
    core_->TakeChangedJobs();
    core_->TakeChangedNodes();
  }

  size_t IndexOf(const core::JobRow& row) const {
    return static_cast<size_t>(std::stoull(row.idempotency_key));
  }

  void On(const core::JobRow& row) {
    size_t index = IndexOf(row);
    indices_[row.id] = index;
    if (row.state == core::JobState::kRunning) Begin(row.id);
    if (core::IsFinal(row.state) && !result_.rows[index].ended) {
      result_.rows[index].ended = Now();
      result_.makespan = std::max(result_.makespan, Now());
      ++ended_;
    }
  }

  void On(const core::AttemptRow& row) {
    if (row.ended) return End(row.job);
    if (row.cause != core::Cause::kNone) return Count(row.job);
    if (active_.contains(row.job) && active_[row.job].attempt == row.number) return;
    Active& active = active_[row.job] = {};
    active.attempt = row.number;
    active.since = queue_.now();
    active.gpus = row.workers;
    ++result_.rows[indices_.at(row.job)].attempts;
  }

  void On(const core::GenerationRow& row) {
    if (row.batch == 0 || row.closed || row.formed) return;
    Count(row.job);
    jobs_[indices_.at(row.job)].model->SetBatch(static_cast<double>(row.batch));
    auto found = active_.find(row.job);
    if (found != active_.end() && found->second.running) LookLater(row.job, found->second);
  }

  // Its ranks have formed a group.
  void Begin(core::JobId job) {
    auto found = active_.find(job);
    if (found == active_.end() || found->second.running || found->second.lost_at >= 0) return;
    Active& active = found->second;
    active.running = true;
    const size_t index = indices_.at(job);
    active.trains_from = active.counted = queue_.now() + Seconds(settings_.penalty);
    active.shares = fleet_.SharesOf(job);
    TraceRow& row = result_.rows[index];
    if (row.started == 0) row.started = Now();
    LookLater(job, active);
    if (jobs_[index].model->range()) {
      queue_.At(active.trains_from + kFirstReport,
                [this, job, attempt = active.attempt] { Tell(job, attempt); });
    }
  }

  // When it will be done, if nothing changes.
  void LookLater(core::JobId job, const Active& active) {
    double left = jobs_[indices_.at(job)].model->Left(active.shares);
    queue_.At(active.counted + Seconds(left),
              [this, job, attempt = active.attempt] { Done(job, attempt); });
  }

  // How fast it goes, from time to time.
  void Tell(core::JobId job, base::Attempt attempt) {
    auto found = active_.find(job);
    if (found == active_.end() || found->second.attempt != attempt || !found->second.running)
      return;
    Count(job);
    Measured measured = jobs_[indices_.at(job)].model->Measure(found->second.shares);
    protocol::TrainerProgress report;
    report.samples_per_second = measured.batch / measured.seconds;
    report.global_batch = static_cast<int64_t>(measured.batch);
    report.gradient_noise = measured.noise;
    fleet_.TellProgress(job, report);
    queue_.After(kReport, [this, job, attempt] { Tell(job, attempt); });
  }

  void Count(core::JobId job) {
    auto found = active_.find(job);
    if (found == active_.end() || !found->second.running) return;
    Active& active = found->second;
    if (queue_.now() <= active.counted) return;
    double seconds = static_cast<double>((queue_.now() - active.counted).count()) / 1e6;
    jobs_[indices_.at(job)].model->Train(seconds, active.shares);
    active.counted = queue_.now();
  }

  void Done(core::JobId job, base::Attempt attempt) {
    auto found = active_.find(job);
    if (found == active_.end() || found->second.attempt != attempt) return;
    if (!found->second.running) return;
    Count(job);
    // Its batch may have been changed since.
    double left = jobs_[indices_.at(job)].model->Left(found->second.shares);
    if (left > kMicrosecond) return LookLater(job, found->second);
    fleet_.Finish(job);
  }

  void End(core::JobId job) {
    auto found = active_.find(job);
    if (found == active_.end()) return;
    Count(job);
    TraceRow& row = result_.rows[indices_.at(job)];
    double begun = static_cast<double>((found->second.since - begun_).count()) / 1e6;
    row.gpu_seconds +=
        found->second.gpus * ((found->second.lost_at < 0 ? Now() : found->second.lost_at) - begun);
    active_.erase(found);
  }

  absl::Status Stuck() const {
    for (const TraceRow& row : result_.rows) {
      if (row.ended == 0) {
        return absl::InternalError(absl::StrCat(row.name, ", of ", row.gpus, " GPUs, never ended"));
      }
    }
    return absl::OkStatus();
  }

  const TraceSettings& settings_;
  std::vector<TraceJob> jobs_;
  EventQueue queue_;
  base::Time begun_;
  base::Duration beat_{};
  std::deque<core::EventBody> waiting_;
  PretendFleet fleet_;
  std::unique_ptr<core::Coordinator> core_;
  std::optional<base::Time> woken_;
  std::map<core::JobId, size_t> indices_;
  std::map<core::JobId, Active> active_;
  std::map<std::string, Span> nodes_;
  size_t ended_ = 0;
  std::string refused_;  // a job, and why
  TraceResult result_;
};

}  // namespace

absl::StatusOr<TraceResult> RunTrace(const TraceSettings& settings, std::vector<TraceJob> jobs) {
  return Run(settings, std::move(jobs)).All();
}

}  // namespace coxswain::sim::trace
