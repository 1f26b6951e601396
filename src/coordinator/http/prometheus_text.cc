#include "coordinator/http/prometheus_text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "coordinator/core/scheduling/usage.h"
#include "coordinator/http/json_views.h"

namespace coxswain::coordinator::http {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<std::pair<std::string, std::string>>;

class Page {
 public:
  void Begin(MetricType type, const char* name, const char* help) {
    MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
  }
  void Add(double value, const Labels& labels = {}) {
    ClientMetric metric;
    for (const auto& [name, text] : labels) metric.label.push_back({name, text});
    if (families_.back().type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    families_.back().metric.push_back(std::move(metric));
  }
  void Gauge(const char* name, const char* help, double value) {
    Begin(MetricType::Gauge, name, help);
    Add(value);
  }
  void Counter(const char* name, const char* help, double value) {
    Begin(MetricType::Counter, name, help);
    Add(value);
  }
  std::string Text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return out.str();
  }

 private:
  std::vector<MetricFamily> families_;
};

double Seconds(base::Duration d) { return static_cast<double>(d.count()) / 1e6; }

void AddJobs(Page& page, const std::map<core::JobState, uint64_t>& jobs) {
  page.Begin(MetricType::Gauge, "coxswain_jobs", "Jobs by state, ended ones until retention");
  for (int s = 1; s <= static_cast<int>(core::JobState::kOutOfMemory); ++s) {
    auto state = static_cast<core::JobState>(s);
    auto found = jobs.find(state);
    page.Add(found == jobs.end() ? 0 : static_cast<double>(found->second),
             {{"state", core::ToString(state)}});
  }
}

void AddNodes(Page& page, const std::vector<runtime::NodeView>& nodes) {
  std::map<std::string, double> states = {{"READY", 0},   {"CORDONED", 0},    {"DRAINING", 0},
                                          {"DRAINED", 0}, {"UNREACHABLE", 0}, {"SHUT_DOWN", 0}};
  double slots = 0, free = 0, gpus = 0, gpus_used = 0, gpus_bad = 0;
  for (const runtime::NodeView& node : nodes) {
    states[NodeState(node)] += 1;
    if (!node.live.reachable) continue;
    slots += node.row->inventory.cpu_slots;
    free += node.live.cpu_slots_free;
    gpus += static_cast<double>(node.row->inventory.gpus.size());
    gpus_used += static_cast<double>(node.live.gpu_jobs.size());
    for (const protocol::GpuInfo& gpu : node.row->inventory.gpus) gpus_bad += !gpu.available;
  }
  page.Begin(MetricType::Gauge, "coxswain_nodes", "Nodes by state");
  for (const auto& [state, count] : states) page.Add(count, {{"state", state}});
  page.Gauge("coxswain_cpu_slots", "CPU slots of reachable nodes", slots);
  page.Gauge("coxswain_cpu_slots_free", "Those of them that no rank has", free);
  page.Gauge("coxswain_gpus", "GPUs of reachable nodes", gpus);
  page.Gauge("coxswain_gpus_used", "Those of them given to jobs", gpus_used);
  page.Gauge("coxswain_gpus_unavailable", "Those of them that are not given out", gpus_bad);
}

Labels LabelsOf(const runtime::JobView& job) {
  const core::JobRow& row = job.record.job;
  return {{"job", base::ToString(row.id)}, {"name", row.request.name}};
}

// One gauge of the jobs that run; a job without a value is left out.
template <class Value>
void AddPerJob(Page& page, const std::vector<runtime::JobView>& running, const char* name,
               const char* help, Value value) {
  page.Begin(MetricType::Gauge, name, help);
  for (const runtime::JobView& job : running) {
    if (std::optional<double> v = value(job)) page.Add(*v, LabelsOf(job));
  }
}

// Since the job's newest committed checkpoint, else since it started.
std::optional<double> UnsavedSeconds(const runtime::JobView& job, base::WallTime now) {
  const core::JobRow& row = job.record.job;
  if (!row.started) return std::nullopt;
  base::WallTime since = row.started;
  if (job.record.last_checkpoint) since = std::max(since, job.record.last_checkpoint->committed);
  return Seconds(now - since);
}

void AddRunningJobs(Page& page, const std::vector<runtime::JobView>& running, base::WallTime now) {
  using Progress = const std::optional<protocol::TrainerProgress>;
  AddPerJob(page, running, "coxswain_job_step", "Optimizer steps done, of running jobs",
            [](const runtime::JobView& job) -> std::optional<double> {
              Progress& p = job.live.progress;
              return p ? std::optional<double>(static_cast<double>(p->step)) : std::nullopt;
            });
  AddPerJob(page, running, "coxswain_job_samples_per_second", "Training speed, of running jobs",
            [](const runtime::JobView& job) -> std::optional<double> {
              Progress& p = job.live.progress;
              return p ? std::optional<double>(p->samples_per_second) : std::nullopt;
            });
  AddPerJob(page, running, "coxswain_job_progress_age_seconds",
            "Since a running job last reported progress (else since its start)",
            [now](const runtime::JobView& job) -> std::optional<double> {
              base::WallTime at = job.live.progress ? job.live.progress_at : job.record.job.started;
              return at ? std::optional<double>(Seconds(now - at)) : std::nullopt;
            });
  AddPerJob(page, running, "coxswain_job_unsaved_seconds",
            "Since a running job's newest committed checkpoint (else since its start)",
            [now](const runtime::JobView& job) { return UnsavedSeconds(job, now); });
  AddPerJob(page, running, "coxswain_job_attempt", "Number of a running job's attempt",
            [](const runtime::JobView& job) -> std::optional<double> {
              return static_cast<double>(job.record.job.attempt.value);
            });
  AddPerJob(page, running, "coxswain_job_conditions",
            "What a running job waits for or warns of, such as a store that cannot be reached",
            [](const runtime::JobView& job) -> std::optional<double> {
              return static_cast<double>(job.live.conditions.size());
            });
}

void AddWaitingJobs(Page& page, const std::vector<runtime::JobView>& waiting, base::WallTime now) {
  AddPerJob(page, waiting, "coxswain_job_waiting_seconds", "Since a pending job was submitted",
            [now](const runtime::JobView& job) -> std::optional<double> {
              return Seconds(now - job.record.job.submitted);
            });
  AddPerJob(page, waiting, "coxswain_job_expected_start_time_seconds",
            "When a pending job should start by the last plan, Unix time; absent: not known",
            [](const runtime::JobView& job) -> std::optional<double> {
              if (!job.live.expected_start) return std::nullopt;
              return static_cast<double>(job.live.expected_start.us) / 1e6;
            });
}

void AddQueues(Page& page, const runtime::QueuesView& view) {
  auto add = [&](const core::LiveQueue& queue, const char* kind, std::optional<int64_t> value) {
    if (!value) return;
    page.Add(static_cast<double>(*value), {{"queue", queue.settings.name}, {"kind", kind}});
  };
  auto bounds = [&](const char* name, const char* help, auto bound_of) {
    page.Begin(MetricType::Gauge, name, help);
    for (const core::LiveQueue& queue : view.queues) {
      const core::Bound bound = bound_of(queue);
      add(queue, "cpus", bound.cpus);
      add(queue, "gpus", bound.gpus);
    }
  };
  bounds("coxswain_queue_held",
         "CPU slots and GPUs that running jobs of a queue and those below hold",
         [](const core::LiveQueue& queue) {
           return core::Bound{queue.held.cpus, queue.held.gpus};
         });
  bounds("coxswain_queue_quota", "Guaranteed to a queue; absent: all of that kind",
         [](const core::LiveQueue& queue) { return queue.settings.quota; });
  bounds("coxswain_queue_limit", "What a queue may never exceed; absent: not limited",
         [](const core::LiveQueue& queue) { return queue.settings.limit; });
  auto used = [&](const char* name, const char* help, auto amount_of) {
    page.Begin(MetricType::Gauge, name, help);
    for (const core::LiveQueue& queue : view.queues) {
      page.Add(core::SlotHours(amount_of(queue)) * 3600, {{"queue", queue.settings.name}});
    }
  };
  used("coxswain_queue_used_slot_seconds",
       "Slots times seconds that a queue and those below have used, decayed, what runs included",
       [](const core::LiveQueue& queue) { return queue.used; });
  used("coxswain_queue_fair_slot_seconds",
       "The same with what is held for an hour more, by weight: the policy fair takes the queue "
       "with "
       "the least first, of those of one parent",
       [](const core::LiveQueue& queue) { return queue.fair; });
  page.Begin(MetricType::Gauge, "coxswain_queue_jobs", "Jobs of a queue and those below, by state");
  for (const core::LiveQueue& queue : view.queues) {
    const std::string& name = queue.settings.name;
    page.Add(static_cast<double>(queue.running), {{"queue", name}, {"state", "running"}});
    page.Add(static_cast<double>(queue.pending), {{"queue", name}, {"state", "pending"}});
  }
}

void AddHeartbeats(Page& page, const std::vector<runtime::NodeView>& nodes, base::WallTime now) {
  auto labels = [](const runtime::NodeView& node) -> Labels {
    return {{"id", node.row->id.value}, {"node", node.row->name}};
  };
  page.Begin(MetricType::Gauge, "coxswain_node_reachable", "1: its lease holds");
  for (const runtime::NodeView& node : nodes) page.Add(node.live.reachable, labels(node));
  page.Begin(MetricType::Gauge, "coxswain_node_heartbeat_age_seconds",
             "Since a node was last heard of, in this life of the coordinator");
  for (const runtime::NodeView& node : nodes) {
    if (!node.live.last_heartbeat) continue;
    page.Add(std::max(0.0, Seconds(now - node.live.last_heartbeat)), labels(node));
  }
}

}  // namespace

std::string PrometheusText(const MetricFacts& facts) {
  const runtime::ServerStatus& s = facts.status;
  Page page;
  page.Begin(MetricType::Gauge, "coxswain_build_info", "Always 1; the labels say what runs");
  page.Add(1, {{"version", s.version}, {"cluster", s.cluster.value}});
  page.Gauge("coxswain_start_time_seconds", "When this coordinator started, Unix time",
             static_cast<double>(s.started.us) / 1e6);
  page.Gauge("coxswain_term", "Lives of the coordinator so far", static_cast<double>(s.term.value));
  page.Gauge("coxswain_writable", "1: changes are accepted; 0: the store refuses writes",
             s.writable ? 1 : 0);
  page.Gauge("coxswain_warnings", "Warnings shown on the status page",
             static_cast<double>(s.warnings.size()));
  AddJobs(page, facts.jobs);
  AddRunningJobs(page, facts.running, facts.now);
  AddWaitingJobs(page, facts.waiting, facts.now);
  AddQueues(page, facts.queues);
  AddNodes(page, facts.nodes);
  AddHeartbeats(page, facts.nodes, facts.now);
  page.Counter("coxswain_events_decided_total", "Events the core has decided on",
               static_cast<double>(s.decided_events));
  page.Counter("coxswain_decide_seconds_total", "Time spent deciding", s.decide_seconds);
  page.Gauge("coxswain_event_queue", "Events that wait for a decision",
             static_cast<double>(s.loop_queue));
  page.Gauge("coxswain_loop_delay_seconds", "How late the last timer was",
             Seconds(s.last_loop_delay));
  page.Counter("coxswain_commits_total", "Transactions committed to the store",
               static_cast<double>(s.commits));
  page.Counter("coxswain_committed_changes_total", "Rows written by them",
               static_cast<double>(s.committed_changes));
  page.Counter("coxswain_commit_seconds_total", "Time spent in them, fsync included",
               s.commit_seconds);
  page.Gauge("coxswain_last_commit_seconds", "Time the last one took", Seconds(s.last_commit));
  page.Counter("coxswain_metric_points_total", "Metric points stored since the start",
               static_cast<double>(s.metric_points));
  page.Counter("coxswain_metric_points_dropped_total",
               "Metric points left out since the start, because a buffer or the disk was full",
               static_cast<double>(s.dropped_points));
  return page.Text();
}

}  // namespace coxswain::coordinator::http
