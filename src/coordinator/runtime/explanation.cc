#include "coordinator/runtime/explanation.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <tuple>

#include "common/base/byte_text.h"
#include "common/base/duration_text.h"
#include "common/base/name_order.h"
#include "coordinator/core/placement/node_fit.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::runtime {
namespace {

using core::LiveQueue;

constexpr size_t kMostNames = 10;

const core::AttemptRow* OpenAttempt(const JobView& job) {
  const std::vector<core::AttemptRow>& attempts = job.record.attempts;
  return attempts.empty() || attempts.back().ended ? nullptr : &attempts.back();
}

base::WallTime Since(const JobView& job) {
  const core::JobRow& row = job.record.job;
  if (core::IsFinal(row.state)) return row.ended;
  if (const core::AttemptRow* attempt = OpenAttempt(job)) return attempt->started;
  return job.record.attempts.empty() ? row.submitted : job.record.attempts.back().ended;
}

// "a; b (c; d)" are two parts.
std::vector<std::string> PartsOf(const std::string& reason) {
  std::vector<std::string> parts;
  int open = 0;
  size_t begin = 0;
  for (size_t i = 0; i < reason.size(); ++i) {
    open += reason[i] == '(' ? 1 : reason[i] == ')' ? -1 : 0;
    if (open > 0 || !std::string_view(reason).substr(i).starts_with("; ")) continue;
    open = 0;
    parts.push_back(reason.substr(begin, i - begin));
    begin = i + 2;
  }
  if (begin < reason.size()) parts.push_back(reason.substr(begin));
  return parts;
}

core::NodeCapacity CapacityOf(const NodeView& view) {
  const protocol::Inventory& inventory = view.row->inventory;
  core::NodeCapacity node;
  node.name = view.row->name;
  node.why_not = !view.live.reachable ? (view.live.left ? "shut down" : "unreachable")
                 : view.row->draining ? core::NoWorkWord(*view.row, view.live.jobs.empty())
                                      : inventory.why_no_work;
  node.labels = inventory.labels;
  node.cpus = inventory.cpu_slots;
  node.cpus_free = view.live.cpu_slots_free;
  node.memory = inventory.memory_bytes;
  node.memory_free = view.live.memory_free;
  for (const protocol::GpuInfo& gpu : inventory.gpus) {
    const bool taken = !gpu.available || view.live.gpu_jobs.contains(gpu.uuid);
    node.gpus.push_back({gpu.uuid, gpu.name, taken ? 1 : 0});
  }
  return node;
}

// "the job's file:// checkpoints are ... on a only"; empty: the node may be used, as far as that
// goes.
std::string WhyNotItsStore(const JobView& job, const core::NodeId& node,
                           const std::string& tied_to) {
  if (job.live.unseen.contains(node)) return "it does not see the job's file:// store";
  if (tied_to.empty() || node == job.live.tied_to) return "";
  return "the job's file:// checkpoints are known to be seen on " + tied_to + " only";
}

// What people call the node that the job is tied to.
std::string TiedTo(const JobView& job, const std::vector<NodeView>& nodes) {
  if (job.live.tied_to.empty()) return "";
  for (const NodeView& node : nodes) {
    if (node.row->id == job.live.tied_to) return node.row->name;
  }
  return job.live.tied_to.value;
}

// Of a job that holds slots: where. Of one that waits: what each node has for it, the roomiest
// first; those alike by name.
std::vector<NodeRoom> RoomOf(const JobView& job, const std::vector<NodeView>& nodes) {
  const bool holds = OpenAttempt(job) != nullptr;
  const core::JobRow& row = job.record.job;
  const core::PendingJob needs = core::AskedFor(row.id, row.request, core::MaxWorkers(row.request));
  const std::string tied_to = TiedTo(job, nodes);
  std::vector<NodeRoom> out;
  for (const NodeView& node : nodes) {
    const std::vector<core::JobId>& jobs = node.live.jobs;
    NodeRoom room;
    room.node = node;
    room.used = std::find(jobs.begin(), jobs.end(), needs.id) != jobs.end();
    if (holds && !room.used) continue;
    core::NodeFit fit = holds ? core::NodeFit() : core::FitOn(CapacityOf(node), needs);
    room.ranks = fit.ranks;
    room.why_not = std::move(fit.why_not);
    const std::string unseen = holds ? "" : WhyNotItsStore(job, node.row->id, tied_to);
    if (!unseen.empty() && room.ranks > 0) room = {.node = node, .why_not = unseen};
    if (!holds && room.ranks > 0 && job.live.kept_on.contains(node.row->id)) {
      room = {.node = node, .why_not = "kept for " + job.live.kept_for};
    }
    out.push_back(std::move(room));
  }
  std::stable_sort(out.begin(), out.end(), [](const NodeRoom& a, const NodeRoom& b) {
    if (std::tie(a.used, a.ranks) != std::tie(b.used, b.ranks)) {
      return std::tie(b.used, b.ranks) < std::tie(a.used, a.ranks);
    }
    return base::NameBefore(a.node.row->name, b.node.row->name);
  });
  return out;
}

std::vector<NodesAlike> WithoutRoom(const std::vector<NodeRoom>& rooms) {
  std::map<std::string, NodesAlike> by_reason;
  for (const NodeRoom& room : rooms) {
    if (room.why_not.empty()) continue;
    NodesAlike& alike = by_reason[room.why_not];
    alike.why_not = room.why_not;
    if (++alike.count <= kMostNames) alike.names.push_back(room.node.row->name);
  }
  std::vector<NodesAlike> out;
  for (auto& [why_not, alike] : by_reason) out.push_back(std::move(alike));
  std::stable_sort(out.begin(), out.end(),
                   [](const NodesAlike& a, const NodesAlike& b) { return a.count > b.count; });
  return out;
}

// What its user can do about it; empty: nothing need be done.
std::string TieAdvice(const JobView& job, const std::vector<NodeView>& nodes) {
  const std::string name = TiedTo(job, nodes);
  const bool goes_on = OpenAttempt(job) != nullptr && !job.live.held;
  if (name.empty() || goes_on) return "";
  for (const NodeView& node : nodes) {
    if (node.row->id == job.live.tied_to && node.live.reachable && !node.row->draining) return "";
  }
  return absl::StrCat("its checkpoints are on ", name,
                      " only, as far as is known, and it waits for that node; a job can go on "
                      "elsewhere if its store is s3://, or a file:// folder that all nodes mount. "
                      "To begin from the start elsewhere, cancel it and submit it again");
}

// "3 GPUs and 2 CPU slots" more than its quota; empty: it does not borrow.
std::string Borrowed(const LiveQueue& queue) {
  const core::Bound& quota = queue.settings.quota;
  core::Bound kinds;
  core::Amount more;
  if (quota.cpus && queue.held.cpus > *quota.cpus) {
    more.cpus = *(kinds.cpus = queue.held.cpus - *quota.cpus);
  }
  if (quota.gpus && queue.held.gpus > *quota.gpus) {
    more.gpus = *(kinds.gpus = queue.held.gpus - *quota.gpus);
  }
  return core::HeldText(kinds, more);
}

std::string BorrowText(const std::vector<LiveQueue>& path) {
  for (const LiveQueue& queue : path) {
    const std::string more = Borrowed(queue);
    if (more.empty()) continue;
    return absl::StrCat("queue ", queue.settings.name, " holds ", more,
                        " more than its quota: jobs of other queues that stay within theirs may "
                        "take that back: from the lowest priority first, as few slots as will do, "
                        "the youngest job's "
                        "first");
  }
  return "";
}

// One that is within the quota would be placed again before one that is not.
std::string ButQuota(const LiveQueue& queue) {
  const std::string quota = core::BoundText(queue.settings.quota);
  if (quota.empty() || !Borrowed(queue).empty()) return "";
  return absl::StrCat(", unless the queue would go beyond its quota of ", quota, " by it");
}

std::string PolicyText(const core::JobRow& row, const LiveQueue& queue,
                       const core::SchedulingSettings& settings) {
  const std::string of_queue = "a waiting job of queue " + queue.settings.name;
  switch (settings.policy) {
    case core::PolicyName::kPriority:
    case core::PolicyName::kFair:
      return absl::StrCat(of_queue, " with a priority above ", row.request.priority,
                          ButQuota(queue));
    case core::PolicyName::kLas:
    case core::PolicyName::kElastic:
      return absl::StrCat(of_queue, " that has had less, once this one has had ",
                          base::DurationText(settings.las_threshold), " of time on its slots",
                          ButQuota(queue));
    case core::PolicyName::kFifo:
      break;
  }
  return "";
}

std::string SizeText(const core::JobRequest& request) {
  if (!core::IsElastic(request)) return "";
  return absl::StrCat("any waiting job, for some of them: it may go on with ",
                      core::MinWorkers(request), " to ", core::MaxWorkers(request), " ranks");
}

// Its nodes are lost, and nobody can ask it to save.
std::vector<std::string> WhatEndsHeld(const JobView& job) {
  const std::optional<core::CheckpointRow>& last = job.record.last_checkpoint;
  const bool tied = !job.live.tied_to.empty();
  return {absl::StrCat("a waiting job that is first in its queue and would fit with what this one "
                       "holds",
                       tied ? "" : "; or this job itself, as soon as there is room elsewhere"),
          absl::StrCat(
              "then it goes on from ",
              last ? absl::StrCat(base::ToString(last->id), " of step ", last->step) : "the start",
              ": nobody can ask it to save while its nodes are lost")};
}

std::vector<std::string> WhatEndsIt(const JobView& job, const std::vector<LiveQueue>& path,
                                    const std::vector<NodeRoom>& nodes,
                                    const core::SchedulingSettings& settings) {
  const core::AttemptRow* attempt = OpenAttempt(job);
  std::vector<std::string> out;
  if (attempt == nullptr || attempt->cause != core::Cause::kNone) return out;
  if (job.live.held) return WhatEndsHeld(job);
  const core::JobRow& row = job.record.job;
  auto add = [&](const std::string& text) {
    if (!text.empty()) out.push_back(text);
  };
  add(BorrowText(path));
  add(SizeText(row.request));
  if (!path.empty()) add(PolicyText(row, path.front(), settings));
  for (const NodeRoom& room : nodes) {
    if (!room.node.row->draining || !room.node.row->drain_by) continue;
    add(room.node.row->name + " has to be empty by " + core::ClockTime(room.node.row->drain_by));
  }
  if (out.empty()) return {"nobody: what it holds is guaranteed to its queue, or nobody else's"};
  out.push_back(row.request.end_when_preempted
                    ? "then it saves and ends as PREEMPTED (spec.on_preemption: end)"
                    : "then it saves, lets go of its slots, and waits for others");
  return out;
}

}  // namespace

Explanation Explain(JobView job, const QueuesView& queues, const std::vector<NodeView>& nodes,
                    const core::SchedulingSettings& settings) {
  Explanation out;
  const core::JobRow& row = job.record.job;
  const bool live = !core::IsFinal(row.state);
  out.reasons = PartsOf(live && !job.live.reason.empty() ? job.live.reason : row.reason);
  out.since = Since(job);
  const core::QueueTree tree(settings);
  const core::QueueIndex own = tree.Find(row.request.queue);
  for (core::QueueIndex each : tree.path(own)) {
    if (each < queues.queues.size()) out.queues.push_back(queues.queues[each]);
  }
  if (!row.request.queue.empty() && !tree.Has(row.request.queue)) {
    out.warnings.push_back(absl::StrCat("queue ", row.request.queue,
                                        " is no longer configured: the job counts as one of ",
                                        tree.settings(own).name));
  }
  if (live) {
    if (!job.live.size_reason.empty()) out.reasons.push_back(job.live.size_reason);
    out.nodes = RoomOf(job, nodes);
    out.no_room = WithoutRoom(out.nodes);
    if (std::string advice = TieAdvice(job, nodes); !advice.empty()) {
      out.warnings.push_back(std::move(advice));
    }
    out.let_go = WhatEndsIt(job, out.queues, out.nodes, settings);
  }
  out.job = std::move(job);
  return out;
}

namespace {

// A limit that is none, or that the queue above it does not let be reached.
void WarnOfLimits(const LiveQueue& queue, const std::vector<LiveQueue>& queues,
                  std::vector<std::string>* warnings) {
  const core::QueueSettings& own = queue.settings;
  auto above = std::find_if(queues.begin(), queues.end(), [&](const LiveQueue& each) {
    return each.settings.name == own.parent;
  });
  auto look = [&](const std::optional<int64_t>& limit, const std::optional<int64_t>& parents,
                  const std::string& who, const char* kind) {
    if (limit == 0) {
      warnings->push_back(absl::StrCat(who, " of queue ", own.name, " is 0 ", kind,
                                       ": no job that needs them can start in it"));
    } else if (limit && parents && *limit > *parents) {
      warnings->push_back(absl::StrCat(who, " of queue ", own.name, " is ", base::CountText(*limit),
                                       " ", kind, ", that of ", own.parent, " above it ",
                                       base::CountText(*parents), ": the lesser one holds"));
    }
  };
  const core::QueueSettings parent =
      above == queues.end() ? core::QueueSettings() : above->settings;
  look(own.limit.cpus, parent.limit.cpus, "the limit", "CPU slots");
  look(own.limit.gpus, parent.limit.gpus, "the limit", "GPUs");
  look(own.user_limit.cpus, parent.user_limit.cpus, "the limit of a user", "CPU slots");
  look(own.user_limit.gpus, parent.user_limit.gpus, "the limit of a user", "GPUs");
  if (own.user_jobs == 0) {
    warnings->push_back(absl::StrCat("a user of queue ", own.name, " may run 0 jobs: none starts"));
  } else {
    look(own.user_jobs, parent.user_jobs, "the limit of a user", "jobs");
  }
}

}  // namespace

std::vector<std::string> QueueWarnings(const std::vector<LiveQueue>& queues,
                                       const std::vector<NodeView>& nodes) {
  std::vector<std::string> warnings;
  core::Amount fleet, promised;
  size_t away = 0;
  for (const NodeView& node : nodes) {
    // One that was taken away for good looks like that until it is forgotten.
    away += node.live.reachable ? 0 : 1;
    if (!node.live.reachable) continue;
    fleet.cpus += node.row->inventory.cpu_slots;
    fleet.gpus += static_cast<int64_t>(node.row->inventory.gpus.size());
  }
  for (const LiveQueue& queue : queues) {
    if (!queue.settings.parent.empty()) continue;
    promised.cpus += queue.settings.quota.cpus.value_or(0);
    promised.gpus += queue.settings.quota.gpus.value_or(0);
  }
  auto compare = [&](int64_t sum, int64_t has, const char* kind) {
    if (nodes.size() == away || sum <= has) return;
    warnings.push_back(absl::StrCat(
        "the quotas sum up to ", base::CountText(sum), " ", kind, ", the fleet has ",
        base::CountText(has),
        away == 0 ? "" : absl::StrCat(", without ", core::Plural(away, "node"), " not connected"),
        ": not all of them can be kept at once"));
  };
  compare(promised.cpus, fleet.cpus, "CPU slots");
  compare(promised.gpus, fleet.gpus, "GPUs");
  for (const LiveQueue& queue : queues) {
    WarnOfLimits(queue, queues, &warnings);
    for (const auto& [name, jobs] : queue.strays) {
      warnings.push_back(absl::StrCat(
          core::Plural(jobs, "job"), " of queue ", name, ", which is no longer configured, ",
          jobs == 1 ? "counts as one" : "count as those", " of ", queue.settings.name));
    }
  }
  return warnings;
}

}  // namespace coxswain::coordinator::runtime
