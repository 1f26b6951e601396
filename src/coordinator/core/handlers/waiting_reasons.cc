#include "coordinator/core/handlers/waiting_reasons.h"

#include <set>

#include "common/base/byte_text.h"
#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr size_t kHoldersToTell = 3;
// To tell all jobs that wait how far back they are, and when they start, takes some microseconds
// each: of more than a few not with every plan.
constexpr size_t kFew = 256;
constexpr Duration kTellAllPerJob = base::milliseconds(1);

std::string Prefix(const JobRow& row, const JobSoft& soft) {
  if (!soft.back_off_reason.empty()) return soft.back_off_reason + "; ";
  if (row.check == CheckState::kPassed) return "";
  return "not yet checked" + (soft.check_note.empty() ? "" : " (" + soft.check_note + ")") + "; ";
}

// "; j1 (mnist) holds 2 CPU slots and 2 GPUs": who has what the first in the queue waits for.
std::string HoldersText(const Turn& turn, const std::vector<JobId>& jobs) {
  std::string out;
  size_t told = 0;
  for (JobId id : jobs) {
    if (told == kHoldersToTell) {
      out += " and others";
      break;
    }
    const JobRow* row = turn.tables.jobs().Find(id);
    if (row == nullptr) continue;
    const JobRow& job = *row;
    uint64_t cpus = 0, gpus = 0;
    for (const RankRow* rank : turn.tables.ranks().Of(job.id, job.attempt)) {
      if (rank->exit) continue;
      cpus += rank->cpus;
      gpus += rank->gpu_uuids.size();
    }
    if (cpus == 0 && gpus == 0) continue;  // it is not there yet, or about to end
    out +=
        (told++ == 0 ? "; " : ", ") + NameOf(turn, job.id) + " holds " + Plural(cpus, "CPU slot");
    if (gpus > 0) out += " and " + Plural(gpus, "GPU");
  }
  return out;
}

WallTime WallOf(const Turn& turn, Time at) { return turn.wall + (at - turn.now); }

void TellOutlook(Turn& turn, JobId job, const Outlook& outlook) {
  JobSoft& soft = turn.soft.jobs[job];
  if (soft.outlook == outlook) return;
  soft.outlook = outlook;
  turn.TouchJob(job);
}

// How far back they are changes with every plan; it is told anew now and then.
void TellFar(Turn& turn, const Plan& plan, bool all) {
  const QueueTree tree(turn.settings.scheduling);
  for (const FarJob& far : plan.far) {
    const JobSoft& soft = turn.soft.jobs[far.job];
    if (!all && soft.outlook.ahead > 0) continue;
    Outlook outlook;
    outlook.ahead = far.ahead + 1;
    if (far.starts) outlook.start = WallOf(turn, *far.starts);
    TellOutlook(turn, far.job, outlook);
    turn.Explain(far.job, ReasonPrefix(turn, far.job) + FarText(turn, tree, far));
  }
}

}  // namespace

std::string NameOf(const Turn& turn, JobId id) {
  const JobRow* row = turn.tables.jobs().Find(id);
  return row == nullptr ? base::ToString(id) : JobText(*row);
}

std::string ReasonPrefix(Turn& turn, JobId job) {
  return Prefix(turn.tables.jobs().Get(job), turn.soft.jobs[job]);
}

bool TellsAll(const Turn& turn) {
  return turn.tables.waiting().size() <= kFew || turn.soft.plan.tell_all_at <= turn.now;
}

Outlook OutlookOf(const Turn& turn, const Why& why) {
  Outlook outlook;
  if (why.starts) outlook.start = WallOf(turn, *why.starts);
  if (why.next) {
    outlook.next = why.next->job;
    outlook.next_at = WallOf(turn, why.next->at);
  }
  if (!why.kept_for.empty()) {
    outlook.kept_for = why.kept_for.front();
    outlook.kept_on = why.kept_on;
  }
  return outlook;
}

std::string FarText(const Turn& turn, const QueueTree& tree, const FarJob& far) {
  const std::string in = tree.size() == 1 ? "" : " in queue " + tree.settings(far.queue).name;
  const std::string ahead =
      base::CountText(far.ahead) + (far.ahead == 1 ? " job ahead" : " jobs ahead");
  if (far.of_user) return "its user holds as much as he may" + in + "; " + ahead + " of his";
  if (far.first == far.job) return ahead + in + ", the first that asks for such nodes";
  return ahead + in + "; " + NameOf(turn, far.first) + " is first";
}

void TellWhy(Turn& turn, const Plan& plan) {
  const bool all = TellsAll(turn);
  turn.soft.plan.owes = !all;
  if (all) {
    const auto waiting = static_cast<int64_t>(turn.tables.waiting().size());
    turn.soft.plan.tell_all_at = turn.now + kTellAllPerJob * waiting;
  }
  std::string kept;
  if (plan.keeps_place) {
    kept = "; slots are kept for " + NameOf(turn, *plan.keeps_place) +
           ", which starts again in a moment";
  }
  for (const Why& why : plan.why) {
    Outlook outlook = OutlookOf(turn, why);
    if (!all && !why.first && !why.starts) outlook.start = turn.soft.jobs[why.job].outlook.start;
    TellOutlook(turn, why.job, outlook);
    turn.Explain(why.job, ReasonPrefix(turn, why.job) + why.text +
                              (why.first ? HoldersText(turn, why.waits_for) + kept : ""));
  }
  TellFar(turn, plan, all);
}

}  // namespace coxswain::coordinator::core
