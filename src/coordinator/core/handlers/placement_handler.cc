#include "coordinator/core/handlers/placement_handler.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "common/base/byte_text.h"
#include "coordinator/core/handlers/attempt_handler.h"
#include "coordinator/core/handlers/capacity.h"
#include "coordinator/core/handlers/node_handler.h"
#include "coordinator/core/handlers/share_handler.h"
#include "coordinator/core/handlers/speed_handler.h"
#include "coordinator/core/handlers/store_look_handler.h"
#include "coordinator/core/handlers/submit_handler.h"
#include "coordinator/core/handlers/time_handler.h"
#include "coordinator/core/handlers/waiting_reasons.h"
#include "coordinator/core/placement/gang_fit.h"
#include "coordinator/core/placement/placement_text.h"
#include "coordinator/core/scheduling/usage.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kHoldersToTell = 3;
constexpr char kFarBack[] = "many jobs are ahead of it";
PendingJob NeedsOf(const Turn& turn, JobId id) {
  const JobRow& row = turn.tables.jobs().Get(id);
  return Needs(turn, id, row.request, HolderOf(turn, row));
}

Holding SlotsOf(const Turn& turn, JobId id, const std::function<bool(const RankRow&)>& of_rank) {
  const JobRow& row = turn.tables.jobs().Get(id);
  Holding holding{.ranks = {}, .cpus = row.request.cpus, .memory = row.request.memory_bytes};
  for (const RankRow* rank : turn.tables.ranks().Of(id, row.attempt)) {
    if (of_rank(*rank)) holding.ranks.push_back({rank->node, rank->local_rank, rank->gpu_uuids});
  }
  return holding;
}

// Its ranks are ending, soon and all of them, and it will want as many slots again: those of ranks
// that have ended are not given away one by one.
bool KeepsSlots(const Turn& turn, JobId id) {
  const AttemptRow* attempt = turn.tables.attempts().Active(id);
  if (attempt == nullptr || !IsFailure(attempt->cause)) return false;
  for (const RankRow* rank : turn.tables.ranks().Of(id, attempt->number)) {
    auto node = turn.soft.nodes.find(rank->node);
    bool there = node != turn.soft.nodes.end() && node->second.reachable;
    if (!rank->exit && !there) return false;
  }
  return true;
}

Holding HeldBy(const Turn& turn, JobId id) {
  const bool all = KeepsSlots(turn, id);
  return SlotsOf(turn, id, [&](const RankRow& rank) { return all || !rank.exit; });
}

// Slots in the view that are free, and yet not to be given out.
std::vector<Holding> KeptSlots(const Turn& turn) {
  std::vector<Holding> kept;
  for (JobId id : turn.tables.active()) {
    if (!KeepsSlots(turn, id)) continue;
    kept.push_back(SlotsOf(turn, id, [](const RankRow& rank) { return rank.exit.has_value(); }));
  }
  return kept;
}

// Starts it, or has what is not yet known about it checked first. True: started.
bool Use(Turn& turn, const Placement& placement) {
  const JobRow& job = turn.tables.jobs().Get(placement.job);
  std::set<NodeId> machines = NodesOf(placement);
  if (job.check != CheckState::kPassed) {
    CheckJob(turn, placement.job, placement.ranks.front().node);
    return false;
  }
  if (!StoreServes(turn, job, machines)) {
    ProveStore(turn, job, machines);
    return false;
  }
  StartAttempt(turn, placement);
  return true;
}

// "; it would stop j1 (big), which holds 400 GPUs": whom a job has to let go for it.
std::string WhoWouldStop(const Turn& turn, const Plan& plan, JobId by) {
  std::string out;
  size_t told = 0, all = 0;
  for (const Preemption& each : plan.preemptions) {
    if (each.by != by) continue;
    if (++all > kHoldersToTell) continue;
    const JobRow& row = turn.tables.jobs().Get(each.victim);
    const AttemptRow* attempt = turn.tables.attempts().Active(each.victim);
    const Amount held = DemandOf(row.request, attempt == nullptr ? 0 : attempt->workers);
    out += (told++ == 0 ? "; it would stop " : ", ") + NameOf(turn, each.victim) +
           ", which holds " + base::HeldText(held.cpus, held.gpus);
  }
  return all > told ? out + ", and " + Plural(all - told, "other") : out;
}

// `asked`: a job that is not there, but might be.
Plan MakePlan(Turn& turn, const JobRow* asked = nullptr) {
  QueueTree tree(turn.settings.scheduling);
  Usage usage = UsageNow(turn, tree);
  auto is_asked = [&](JobId job) { return asked != nullptr && job == asked->id; };
  auto row_of = [&](JobId job) -> const JobRow& {
    return is_asked(job) ? *asked : turn.tables.jobs().Get(job);
  };
  PlanRequest request{.settings = &turn.settings.scheduling,
                      .fleet = &turn.soft.capacity,
                      .tree = &tree,
                      .usage = &usage,
                      .waiting = WaitingJobs(turn, tree),
                      .running = RunningJobs(turn, tree),
                      .needs =
                          [&](JobId job) {
                            if (!is_asked(job)) return NeedsOf(turn, job);
                            return Needs(turn, job, asked->request, HolderOf(turn, *asked));
                          },
                      .held = [&](JobId job) { return HeldBy(turn, job); },
                      .speed = [&](JobId job) { return SpeedOf(turn.soft, row_of(job)); },
                      .expected = [&](JobId job) { return ExpectedRun(turn, row_of(job)); },
                      .name = [&](JobId job) { return NameOf(turn, job); },
                      .now = turn.now,
                      .grace = turn.deadlines().StopGrace() + turn.deadlines().lease,
                      .estimate = asked != nullptr || TellsAll(turn)};
  if (asked != nullptr) request.waiting.push_back(AsWaiting(turn, *asked, tree));
  for (const RunningJob& job : request.running) tree.Take(job.queue, job.user, job.demand, 1);
  const std::vector<Holding> kept = KeptSlots(turn);
  for (const Holding& each : kept) Occupy(&turn.soft.capacity, each, 1);
  Plan plan = PlanPlacements(std::move(request));
  for (const Holding& each : kept) Occupy(&turn.soft.capacity, each, -1);
  return plan;
}

void TellSizes(Turn& turn, const Plan& plan) {
  for (const Stay& stay : plan.stays) {
    std::string& why = turn.soft.jobs[stay.job].resizing.why;
    if (why == stay.why) continue;
    why = stay.why;
    turn.TouchJob(stay.job);
  }
}

// Those that are held, and what the plan says of them. True: one of them has let go.
bool MoveHeld(Turn& turn, const Plan& plan) {
  std::map<JobId, std::string> stay;
  for (const auto& [job, told] : turn.soft.held) stay[job] = kFarBack;
  for (const NoRoom& each : plan.no_room) stay[each.job] = each.why;
  for (JobId job : plan.moves) {
    GiveUpLost(turn, job);
    stay.erase(job);
  }
  bool moved = !plan.moves.empty();
  for (const Preemption& each : plan.preemptions) {
    if (stay.erase(each.victim) == 0) continue;
    TickJob(turn, each.victim);
    moved = true;
  }
  for (const auto& [job, why] : stay) {
    const PendingJob needs = NeedsOf(turn, job);
    LookElsewhere(turn, turn.tables.jobs().Get(job), needs);
    HoldLost(turn, job, why, needs.only.has_value());
  }
  return moved;
}

// Those that wait for a node with their checkpoints which others hold, or which may not be back for
// long. What this plan has given away is not free for them.
void LookForOthers(Turn& turn, const Plan& plan) {
  RefreshCapacity(turn);
  for (const Why& why : plan.why) {
    const JobRow* row = turn.tables.jobs().Find(why.job);
    if (row == nullptr || !row->request.local_store || !row->attempt) continue;
    LookElsewhere(turn, *row, NeedsOf(turn, why.job));
  }
}

// True: slots may have come free by it at once.
bool PlanOnce(Turn& turn) {
  RefreshCapacity(turn);
  const Plan plan = MakePlan(turn);
  bool started = false;
  for (const Placement& placement : plan.placements) started |= Use(turn, placement);
  for (const Preemption& each : plan.preemptions) Preempt(turn, each.victim, each.why);
  for (const Resize& each : plan.resizes) ResizeJob(turn, each);
  TellWhy(turn, plan);
  TellSizes(turn, plan);
  turn.soft.replan_at = plan.again;
  LookForOthers(turn, plan);
  // Reasons have numbers of what is free: those of before are told once more.
  if (plan.outdated && started) turn.soft.placement_due = true;
  return MoveHeld(turn, plan);
}

}  // namespace

void QueueGrew(Turn& turn, JobId job) {
  turn.soft.placement_due = true;
  if (turn.soft.plan.not_before > turn.now || !turn.plans)
    turn.Explain(job, ReasonPrefix(turn, job) + "not yet planned");
}

void PlaceJobs(Turn& turn) {
  bool again = turn.soft.replan_at && *turn.soft.replan_at <= turn.now;
  if (!turn.soft.placement_due && !again) return;
  if (turn.soft.plan.not_before > turn.now) {
    turn.soft.replan_at = turn.soft.plan.not_before;
    return;
  }
  JudgeHeldJobs(turn);
  turn.soft.placement_due = false;
  turn.soft.replan_at.reset();
  if (turn.tables.waiting().empty() && turn.soft.elastic.empty() && turn.soft.held.empty()) {
    return RefreshCapacity(turn);
  }
  if (PlanOnce(turn) && std::exchange(turn.soft.placement_due, false)) PlanOnce(turn);
  turn.soft.plan.not_before = turn.now + std::max(turn.settings.scheduling.settle, PlanPace(turn));
  const SchedulingSettings& scheduling = turn.settings.scheduling;
  auto not_after = [&](Duration wait) {
    turn.soft.replan_at = std::min(turn.soft.replan_at.value_or(turn.now + wait), turn.now + wait);
  };
  if (!turn.tables.waiting().empty()) not_after(scheduling.replan);
  if (turn.soft.plan.owes) not_after(turn.soft.plan.tell_all_at - turn.now);
  if (!turn.soft.elastic.empty()) not_after(std::min(scheduling.replan, scheduling.resize_after));
  if (turn.soft.placement_due) turn.soft.replan_at = turn.soft.plan.not_before;
}

void PlaceJobsSoon(Turn& turn) {
  if (!turn.soft.placement_due) return;
  turn.soft.replan_at = std::max(turn.now, turn.soft.plan.not_before);
}

std::string WhyNeverPlaced(Turn& turn, const JobRequest& request) {
  if (std::string why = WhyNeverInQueue(turn, request); !why.empty()) return why;
  RefreshCapacity(turn);
  return WhyNever(turn.soft.capacity, Needs(turn, {}, request, std::nullopt));
}

WouldStart WhenItWouldStart(Turn& turn, const JobSubmitted& event) {
  RefreshCapacity(turn);
  JobRow row;
  row.id = turn.cluster().last_job.Next();
  row.request = event.request;
  row.submitted_by = event.submitted_by;
  Plan plan = MakePlan(turn, &row);
  for (const Placement& placement : plan.placements) {
    if (placement.job != row.id) continue;
    return {"it would start at once on " + turn.NodeNames(NodesOf(placement)), turn.wall};
  }
  WouldStart found{std::string("it would wait: ") + kFarBack, {}};
  for (const FarJob& far : plan.far) {
    if (far.job != row.id) continue;
    found.text = "it would wait: " + FarText(turn, QueueTree(turn.settings.scheduling), far);
    if (!far.starts) break;
    found.at = turn.wall + (*far.starts - turn.now);
    found.text += "; " + StartText(found.at, turn.wall);
  }
  for (const Why& why : plan.why) {
    if (why.job != row.id) continue;
    found.text = "it would wait: " + why.text + WhoWouldStop(turn, plan, row.id);
    const Outlook outlook = OutlookOf(turn, why);
    if (why.next) {
      found.text += "; " + ReleaseText(NameOf(turn, outlook.next), outlook.next_at, turn.wall);
    }
    if (!why.starts) break;
    found.at = outlook.start;
    found.text += "; " + StartText(found.at, turn.wall);
  }
  return found;
}

std::set<NodeId> WouldRunOn(Turn& turn, const JobRequest& request) {
  RefreshCapacity(turn);
  std::optional<Holder> holder;
  if (!request.resume_node.empty()) holder = Holder{request.resume_node, true};
  std::set<NodeId> nodes;
  GangFit fit = FitGang(turn.soft.capacity, Needs(turn, {}, request, holder), Extent::kFree);
  for (const NodeShare& share : fit.shares) nodes.insert(*share.node);
  return nodes;
}

}  // namespace coxswain::coordinator::core
