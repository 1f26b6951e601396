#include "coordinator/core/live_views.h"

#include <algorithm>
#include <set>

#include "common/base/byte_text.h"
#include "coordinator/core/handlers/shared_store_handler.h"
#include "coordinator/core/handlers/speed_handler.h"
#include "coordinator/core/handlers/trouble_handler.h"
#include "coordinator/core/run_times.h"
#include "coordinator/core/scheduling/usage.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

std::string NameOf(const Tables& tables, const NodeId& node) {
  const NodeRow* row = tables.FindNode(node);
  return row == nullptr ? node.value : row->name;
}

using LostRanks = std::map<NodeId, std::vector<Rank>>;

// A checkpoint needs the shares of all ranks.
std::string WhyNoSaves(const Tables& tables, JobId job, const LostRanks& lost) {
  std::string who;
  size_t ranks = 0;
  for (const auto& [node, of_node] : lost) {
    who += (who.empty() ? "" : " and ") + RanksText(of_node) + " on " + NameOf(tables, node);
    ranks += of_node.size();
  }
  const CheckpointRow* last = nullptr;
  for (const CheckpointRow* row : tables.checkpoints().OfJob(job)) {
    if (CanRestore(*row)) last = row;
  }
  return "no checkpoint is taken while " + who + (ranks == 1 ? " is" : " are") + " unreachable; " +
         (last == nullptr ? "there is none yet"
                          : "the last one is " + base::ToString(last->id) + " of step " +
                                std::to_string(last->step));
}

void AddCondition(LiveJob* live, const std::string& text) {
  for (const std::string& known : live->conditions) {
    if (known == text) return;
  }
  live->conditions.push_back(text);
}

bool IsInPhase(const JobSoft& job, Rank rank, protocol::Phase phase) {
  auto found = job.ranks.find(rank);
  return found != job.ranks.end() && found->second.phase == phase;
}

// What a job still does after its last step; empty: steps remain.
std::string EndingReason(const Tables& tables, const JobSoft& job, const AttemptRow& attempt) {
  bool done = job.progress && job.progress->total_steps > 0 &&
              job.progress->step >= job.progress->total_steps;
  if (!done || attempt.cause != Cause::kNone) return "";
  std::string what;
  auto add = [&](const std::string& text) { what += (what.empty() ? "" : ", ") + text; };
  if (IsInPhase(job, 0, protocol::Phase::kEvaluation)) add("evaluating the model");
  if (IsInPhase(job, 0, protocol::Phase::kExport)) add("exporting the model");
  bool open = false;
  for (const CheckpointRow* row : tables.checkpoints().OfJob(attempt.job)) {
    if (row->state != CheckpointState::kOpen) continue;
    open = true;
    add("waiting for checkpoint " + base::ToString(row->id) + " to be committed");
  }
  if (!open && IsInPhase(job, 0, protocol::Phase::kCheckpoint)) add("saving the last checkpoint");
  std::vector<Rank> others;
  for (const RankRow* rank : tables.ranks().Of(attempt.job, attempt.number)) {
    if (!rank->finished) others.push_back(rank->key.rank);
  }
  if (what.empty() && !others.empty()) add("waiting for " + RanksText(others) + " to finish");
  return "the last step is done: " + (what.empty() ? "its processes end" : what);
}

// It is told to stop, or its group is being formed, and the reason does not say yet what that waits
// for.
bool WaitsForRanks(const Tables& tables, const Soft& soft, const AttemptRow& attempt) {
  if (attempt.cause != Cause::kNone) return true;
  const GenerationRow* generation = tables.attempts().Generation(attempt.job);
  const bool formed =
      generation != nullptr && generation->attempt == attempt.number && generation->formed;
  return !formed && !soft.held.contains(attempt.job);
}

// Lists show the reason alone: what they have of progress is old then. What is asked to save, to
// stop or to join where nobody can ask it (`away` tells where), does so when it is heard of again.
void TellConditions(bool running, bool waits_for_ranks, const std::set<std::string>& away,
                    const std::string& no_saves, LiveJob* live) {
  const bool tell_saves = running && !no_saves.empty() && (live->reason.empty() || live->held);
  if (running && live->reason.empty() && !live->conditions.empty()) {
    live->reason = live->conditions.front();
  }
  if (tell_saves) live->reason += "; " + no_saves;
  if (!no_saves.empty()) live->conditions.push_back(no_saves);
  if (!waits_for_ranks) return;
  for (const std::string& node : away) live->reason += "; " + node;
}

// Its ranks have to let go before: how long the job would run does not tell any more when it ends.
void TellDrain(const Tables& tables, const AttemptRow& attempt, LiveJob* live) {
  const NodeRow* first = nullptr;
  for (const RankRow* rank : tables.ranks().Of(attempt.job, attempt.number)) {
    const NodeRow* node = tables.FindNode(rank->node);
    if (rank->exit || node == nullptr || !node->draining || !node->drain_by) continue;
    if (first == nullptr || node->drain_by < first->drain_by) first = node;
  }
  if (first == nullptr) return;
  AddCondition(live, first->name + " has to be empty by " + ClockTime(first->drain_by) +
                         (first->drain_reason.empty() ? "" : " (" + first->drain_reason + ")") +
                         ": the job saves and lets go of its slots before");
  if (live->expected_end && first->drain_by <= live->expected_end) live->expected_end = {};
}

void TellTie(const Tables& tables, const Soft& soft, LiveJob* live) {
  const JobRow& row = tables.jobs().Get(live->id);
  if (!row.request.local_store) return;
  const std::optional<Holder> holder = HolderOf(tables, row);
  if (holder && !SeenElsewhere(soft, row, *holder)) live->tied_to = holder->node;
  live->unseen = soft.jobs.at(live->id).store_unseen;
}

// 0: not known. Of what nobody hears, nobody can tell; what is asked to let go does so before.
WallTime EndOf(const Tables& tables, const Soft& soft, const AttemptRow& attempt,
               const LiveJob& live) {
  const bool heard = std::any_of(live.ranks.begin(), live.ranks.end(),
                                 [](const LiveRank& rank) { return rank.reachable; });
  if (!heard || live.held || IsOnPurpose(attempt.cause)) return {};
  const std::optional<Remaining> left = RemainingOf(soft, tables.jobs().Get(attempt.job));
  if (!left) return {};
  const JobSoft& job = soft.jobs.at(attempt.job);
  return (left->reported ? job.progress_wall : attempt.started) + left->time;
}

LiveJob ViewOf(const Tables& tables, const Soft& soft, JobId id) {
  LiveJob live{.id = id};
  auto found = soft.jobs.find(id);
  live.gone = tables.jobs().Find(id) == nullptr;
  if (live.gone || found == soft.jobs.end()) return live;
  const JobSoft& job = found->second;
  live.reason = job.reason;
  live.progress = job.progress;
  live.progress_at = job.progress_wall;
  live.expected_start = job.outlook.start;
  const JobRow* next = tables.jobs().Find(job.outlook.next);
  if (next != nullptr) {
    live.next_release = JobText(*next);
    live.next_release_at = job.outlook.next_at;
    live.next_release_job = next->id;
  }
  const JobRow* keeper = tables.jobs().Find(job.outlook.kept_for);
  if (keeper != nullptr) {
    live.kept_for = JobText(*keeper);
    live.kept_on = job.outlook.kept_on;
  }
  live.held = soft.held.contains(id);
  TellTie(tables, soft, &live);
  const AttemptRow* attempt = tables.attempts().Active(id);
  if (attempt == nullptr) return live;
  bool running = tables.jobs().Get(id).state == JobState::kRunning;
  std::set<std::string> away;  // "node b is unreachable"
  if (running && live.reason.empty()) live.reason = EndingReason(tables, job, *attempt);
  LostRanks lost;
  for (const RankRow* row : tables.ranks().Of(id, attempt->number)) {
    auto node = soft.nodes.find(row->node);
    auto rank = job.ranks.find(row->key.rank);
    LiveRank view{.rank = row->key.rank};
    view.reachable = row->exit || (node != soft.nodes.end() && node->second.reachable);
    if (rank != job.ranks.end()) {
      view.phase = rank->second.phase;
      view.step = rank->second.step;
      if (view.reachable && !row->exit) {
        view.heard = rank->second.heard;
        view.silent_from = rank->second.silent_from;
      }
    }
    if (!view.reachable) {
      away.insert("node " + NameOf(tables, row->node) + " is unreachable");
      lost[row->node].push_back(row->key.rank);
    }
    live.ranks.push_back(view);
  }
  for (const std::string& text : TroublesOf(tables, job, *attempt)) AddCondition(&live, text);
  // The reason of one that is held names them, and since when.
  auto held = soft.held.find(id);
  const bool told = held != soft.held.end() && held->second;
  if (!told) live.conditions.insert(live.conditions.end(), away.begin(), away.end());
  const bool waits_for_ranks = WaitsForRanks(tables, soft, *attempt);
  const bool forms = running && waits_for_ranks && attempt->cause == Cause::kNone;
  if (forms && live.progress) {  // no step is made meanwhile
    live.progress->samples_per_second = 0;
    live.progress->remaining_ms = -1;
  }
  live.batch_reason = WhyBatch(tables, soft, *attempt);
  if (attempt->cause == Cause::kNone) live.size_reason = job.resizing.why;
  live.expected_end = forms ? WallTime() : EndOf(tables, soft, *attempt, live);
  const bool saves = running && attempt->cause == Cause::kNone;
  if (attempt->cause == Cause::kNone) TellDrain(tables, *attempt, &live);
  TellConditions(running, waits_for_ranks, away,
                 saves && !lost.empty() ? WhyNoSaves(tables, id, lost) : "", &live);
  return live;
}

std::string AwayText(bool left, WallTime since) {
  if (!since) return "not connected since the coordinator started";
  return (left ? "shut down at " : "unreachable since ") + ClockTime(since);
}

// Of a job with ranks on a node that is away.
enum class Fate : uint8_t { kGoesOn, kStartsElsewhere, kTied, kHeld, kStops };

Fate FateOf(const Tables& tables, const Soft& soft, JobId job) {
  const AttemptRow* attempt = tables.attempts().Active(job);
  if (attempt == nullptr || attempt->cause != Cause::kNone) return Fate::kStops;
  for (const RankRow* rank : tables.ranks().Of(job, attempt->number)) {
    auto node = soft.nodes.find(rank->node);
    // One that has disconnected is reachable until its lease ends.
    if (rank->exit || rank->finished || node == soft.nodes.end() || !node->second.session) {
      continue;
    }
    if (node->second.reachable) return Fate::kGoesOn;
  }
  const JobRow& row = tables.jobs().Get(job);
  const std::optional<Holder> holder = HolderOf(tables, row);
  if (holder && row.request.local_store && !SeenElsewhere(soft, row, *holder)) return Fate::kTied;
  return soft.held.contains(job) ? Fate::kHeld : Fate::kStartsElsewhere;
}

// "j3, j5 and 7 more".
std::string NamesText(const std::vector<JobId>& jobs) {
  constexpr size_t kMost = 4;
  std::string out;
  for (size_t i = 0; i < std::min(jobs.size(), kMost); ++i) {
    out += (i == 0 ? "" : ", ") + base::ToString(jobs[i]);
  }
  return jobs.size() <= kMost ? out
                              : out + " and " + base::CountText(jobs.size() - kMost) + " more";
}

// What becomes of those with ranks on a node that is away, said once for all of a kind.
std::vector<std::string> WhatFollows(const Tables& tables, const Soft& soft,
                                     const std::set<JobId>& jobs, const NodeSoft* node) {
  std::map<Fate, std::vector<JobId>> by_fate;
  for (JobId job : jobs) by_fate[FateOf(tables, soft, job)].push_back(job);
  std::vector<std::string> out;
  for (const auto& [fate, of_it] : by_fate) {
    const std::string who = NamesText(of_it);
    const bool one = of_it.size() == 1;
    if (fate == Fate::kGoesOn) {
      out.push_back(who + (one ? " is left alone while its" : " are left alone while their") +
                    " other ranks make progress");
    } else if (fate == Fate::kTied) {
      out.push_back(who + (one ? " waits" : " wait") +
                    " for it, unless another node sees the file:// checkpoints");
    } else if (fate == Fate::kHeld) {
      out.push_back(who + (one ? " waits" : " wait") + " for it, or for a place elsewhere");
    } else if (fate == Fate::kStartsElsewhere) {
      const bool to_come = node != nullptr && !node->lost && node->lost_wall;
      out.push_back(who + (one ? " starts" : " start") + " elsewhere" +
                    (to_come ? " from " + ClockTime(node->lost_wall) + " on" : "") +
                    ", as soon as there is room");
    }
  }
  return out;
}

// They tell what follows for the job.
void TouchLostNodes(const Tables& tables, JobId id, Soft* soft) {
  const AttemptRow* attempt = tables.attempts().Active(id);
  if (attempt == nullptr) return;
  for (const RankRow* rank : tables.ranks().Of(id, attempt->number)) {
    auto node = soft->nodes.find(rank->node);
    if (node == soft->nodes.end() || node->second.reachable) continue;
    soft->changed_nodes.insert(rank->node);
  }
}

LiveNode ViewOf(const Tables& tables, const Soft& soft, const NodeId& id) {
  LiveNode live{.id = id};
  const NodeRow* row = tables.FindNode(id);
  live.gone = row == nullptr;
  if (live.gone) return live;
  auto found = soft.nodes.find(id);
  WallTime away;
  if (found != soft.nodes.end()) {
    away = found->second.unreachable_wall;
    live.reachable = found->second.reachable && found->second.session;
    live.incarnation = found->second.incarnation;
    live.last_heartbeat = found->second.last_heartbeat;
    live.connected = found->second.connected;
    live.left = found->second.left && tables.ranks().OnNode(id).empty();
  }
  if (!live.reachable) live.away_since = away ? away : live.last_heartbeat;
  if (!live.reachable && !away && live.last_heartbeat) {
    live.conditions.push_back("not connected, last heard at " + ClockTime(live.last_heartbeat));
  } else if (!live.reachable) {
    live.conditions.push_back(AwayText(live.left, away));
  } else if (!row->inventory.why_no_work.empty()) {
    live.conditions.push_back("gets no new work: it is " + row->inventory.why_no_work);
  }
  uint64_t used = 0;
  live.memory_free = row->inventory.memory_bytes;
  std::set<JobId> jobs;
  for (const protocol::RankKey& key : tables.ranks().OnNode(id)) {
    const RankRow& rank = *tables.ranks().Find(key);
    const JobRow* job = tables.jobs().Find(key.job);
    used += rank.cpus;
    live.memory_free -= job == nullptr ? 0 : job->request.memory_bytes;
    jobs.insert(key.job);
    for (const std::string& gpu : rank.gpu_uuids) live.gpu_jobs[gpu] = key.job;
  }
  live.jobs.assign(jobs.begin(), jobs.end());
  if (!live.reachable && !live.left) {
    const NodeSoft* away_node = found == soft.nodes.end() ? nullptr : &found->second;
    for (std::string& text : WhatFollows(tables, soft, jobs, away_node)) {
      live.conditions.push_back(std::move(text));
    }
  }
  uint64_t slots = row->inventory.cpu_slots;
  live.cpu_slots_free = used >= slots ? 0 : static_cast<uint32_t>(slots - used);
  return live;
}

}  // namespace

std::optional<std::vector<LiveQueue>> TakeChangedQueues(const Tables& tables,
                                                        const SchedulingSettings& settings,
                                                        WallTime now, bool anyway, Soft* soft) {
  if (!soft->changed_queues && !anyway) return std::nullopt;
  soft->changed_queues = false;
  QueueTree tree(settings);
  std::vector<LiveQueue> views(tree.size());
  auto use = [&](QueueIndex queue, const std::string& user, int64_t amount) {
    for (QueueIndex each : tree.path(queue)) views[each].users[user].used += amount;
  };
  for (const auto& [id, row] : tables.jobs().live()) {
    const std::string& name = row.request.queue;
    const std::vector<QueueIndex>& path = tree.path(tree.Find(name));
    const AttemptRow* attempt = tables.attempts().Active(id);
    for (QueueIndex each : path) ++(attempt == nullptr ? views[each].pending : views[each].running);
    if (!name.empty() && !tree.Has(name)) ++views[path.front()].strays[name];
    if (attempt == nullptr) continue;
    tree.Take(path.front(), row.submitted_by, DemandOf(row.request, attempt->workers), 1);
    const int64_t ms = std::max<int64_t>(0, (now - attempt->started).count() / 1000);
    use(path.front(), row.submitted_by,
        ChargePerRank(row.request, settings) * attempt->workers * ms);
  }
  for (const auto& [key, row] : tables.usage()) {
    use(tree.Find(row.queue), row.user, Decayed(row.amount, now - row.as_of, settings.half_life));
  }
  for (QueueIndex i = 0; i < tree.size(); ++i) {
    views[i].settings = tree.settings(i);
    views[i].held = tree.held(i);
    for (const auto& [name, use] : tree.users(i)) {
      views[i].users[name].held = use.held;
      views[i].users[name].running = use.jobs;
    }
    for (const auto& [name, user] : views[i].users) views[i].used += user.used;
    views[i].fair = FairUse(views[i].used, views[i].held, views[i].settings, settings);
    const double all = static_cast<double>(views[i].used);
    for (auto& [name, user] : views[i].users) {
      user.share = all > 0 ? static_cast<double>(user.used) / all : 0;
    }
  }
  return views;
}

std::vector<LiveJob> TakeChangedJobs(const Tables& tables, Soft* soft) {
  soft->changed_queues |= !soft->changed_jobs.empty();
  std::vector<LiveJob> views;
  for (JobId id : soft->changed_jobs) {
    views.push_back(ViewOf(tables, *soft, id));
    TouchLostNodes(tables, id, soft);
  }
  soft->changed_jobs.clear();
  return views;
}

std::vector<LiveNode> TakeChangedNodes(const Tables& tables, Soft* soft) {
  std::vector<LiveNode> views;
  for (const NodeId& id : soft->changed_nodes) views.push_back(ViewOf(tables, *soft, id));
  soft->changed_nodes.clear();
  return views;
}

std::vector<HeardNode> TakeHeardNodes(Soft* soft) {
  std::vector<HeardNode> heard;
  heard.reserve(soft->heard_nodes.size());
  for (const NodeId& id : soft->heard_nodes) {
    auto node = soft->nodes.find(id);
    if (node != soft->nodes.end()) heard.push_back({id, node->second.last_heartbeat});
  }
  soft->heard_nodes.clear();
  return heard;
}

}  // namespace coxswain::coordinator::core
