#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <cmath>

#include "common/base/byte_text.h"
#include "common/base/clock.h"
#include "common/config/job_parser.h"
#include "coordinator/core/handlers/exit_verdict.h"
#include "coordinator/http/events_html.h"
#include "coordinator/http/html_text.h"
#include "coordinator/http/json_views.h"
#include "coordinator/http/loss_curve.h"
#include "coordinator/http/pages.h"
#include "coordinator/http/table_html.h"

namespace coxswain::coordinator::http {
namespace {

constexpr int64_t kCurvePoints = 400;
constexpr uint32_t kMostEvents = 2000;  // many of them saves, and those are put together
constexpr size_t kMostEventLines = 200;

std::string LogHtml(const protocol::ExitRecord& exit) {
  if (exit.last_log.empty()) return exit.note.empty() ? "" : "<pre>" + Escape(exit.note) + "</pre>";
  return "<p class=\"dim\">the last lines of its log:</p><pre>" + Escape(exit.last_log) + "</pre>";
}

// Names of nodes by id; a node that is gone keeps its id.
using NamesById = std::map<core::NodeId, std::string>;
std::string NameOf(const NamesById& names, const core::NodeId& id) {
  auto it = names.find(id);
  return Escape(it == names.end() ? id.value : it->second);
}

std::string Head(const runtime::JobView& job, const NamesById& names) {
  const core::JobRow& row = job.record.job;
  std::string out =
      absl::StrCat("<section><div class=\"line\">", BadgeHtml(row.state), "<h1 class=\"title\">",
                   Escape(row.request.name), " <span class=\"dim\">", base::ToString(row.id),
                   "</span></h1></div>");
  if (!ReasonOf(job).empty()) out += "<p class=\"why\">" + Escape(ReasonOf(job)) + "</p>";
  out += WhyHtml(OtherConditions(job));
  if (row.exit) {
    absl::StrAppend(&out, "<p>Rank ", row.exit->rank, " on ", NameOf(names, row.exit->node), " ",
                    Escape(core::ExitText(row.exit->record, row.request.own_program)), "</p>",
                    row.exit->record.last_log.empty() ? "" : LogHtml(row.exit->record));
  }
  return out;
}

std::string BatchHtml(const runtime::JobView& job) {
  const core::JobRequest& request = job.record.job.request;
  std::string text = base::RangedText(job.live.progress->global_batch, request.batch,
                                      std::max(request.batch, request.max_batch)) +
                     " samples";
  if (!job.live.batch_reason.empty()) text += ": " + Escape(job.live.batch_reason);
  return text;
}

std::string ProgressFacts(const runtime::JobView& job, base::WallTime now) {
  const protocol::TrainerProgress& p = *job.live.progress;
  std::string bar;
  if (p.total_steps > 0) {
    bar = absl::StrCat("<progress max=\"", p.total_steps, "\" value=\"", p.step,
                       "\" aria-label=\"progress\"></progress>");
  }
  std::string out = bar + "<dl>";
  out += FactHtml("Step",
                  CountText(p.step) + (p.total_steps > 0 ? " of " + CountText(p.total_steps) : ""));
  if (p.epochs > 0) {
    out += FactHtml("Epoch", CountText(p.epoch) + " of " + CountText(p.epochs));
  }
  // What was last heard of a job that waits or has ended holds no longer.
  const bool runs = job.record.job.state == core::JobState::kRunning;
  if (runs) out += FactHtml("Phase", protocol::ToString(p.phase));
  if (std::isfinite(p.loss)) out += FactHtml("Loss", NumberText(p.loss));
  if (p.has_eval) {
    std::vector<std::string> parts;
    if (p.eval_accuracy >= 0) {
      parts.push_back(absl::StrFormat("accuracy %.2f %%", 100 * p.eval_accuracy));
    }
    if (std::isfinite(p.eval_loss)) parts.push_back("loss " + NumberText(p.eval_loss));
    out += FactHtml("Evaluation", absl::StrJoin(parts, ", "));
  }
  if (p.global_batch > 0) out += FactHtml("Batch", BatchHtml(job));
  if (p.gradient_noise > 0) {
    out += FactHtml("Gradient noise", NumberText(p.gradient_noise) + " samples");
  }
  if (runs && p.samples_per_second > 0) {
    out += FactHtml("Speed", NumberText(p.samples_per_second) + " samples/s");
  }
  if (runs && job.live.expected_end) {
    out += FactHtml("Left", base::AboutText(job.live.expected_end - now));
  }
  return out + FactHtml("Reported", AgoHtml(job.live.progress_at, now)) + "</dl>";
}

std::string AttemptText(const core::JobRow& row) {
  std::string text = absl::StrCat(row.attempt.value, "; ", row.failures, " of at most ",
                                  row.request.max_attempts, " failed");
  if (row.preemptions > 0) absl::StrAppend(&text, "; let go of its slots ", row.preemptions, " ×");
  if (row.resizes > 0) absl::StrAppend(&text, "; moved to another size ", row.resizes, " ×");
  return text;
}

std::string FactsHtml(const runtime::JobView& job, base::WallTime now) {
  const core::JobRow& row = job.record.job;
  const std::string each = base::HeldText(row.request.cpus, row.request.gpus) + " each";
  std::string out = "<dl>" + FactHtml("Submitted", AgoHtml(row.submitted, now));
  if (!row.submitted_by.empty()) out += FactHtml("By", Escape(row.submitted_by));
  out += FactHtml("Started", AgoHtml(row.started, now));
  if (row.ended) {
    out += FactHtml("Ended", AgoHtml(row.ended, now));
    if (row.started) out += FactHtml("Took", DurationText(row.ended - row.started));
  }
  const std::string cause = row.ended ? CauseText(row.cause, row.kind) : "";
  if (!cause.empty()) out += FactHtml("Cause", cause);
  out += FactHtml("Ranks", RanksText(job) + ", " + each);
  std::string queue = Escape(row.request.queue);
  if (row.request.priority != 0) absl::StrAppend(&queue, ", priority ", row.request.priority);
  if (!queue.empty()) out += FactHtml("Queue", queue);
  if (row.state == core::JobState::kPending && job.live.expected_start) {
    out += FactHtml("Starts", base::InText(job.live.expected_start - now));
  }
  out += FactHtml("Attempt", AttemptText(row));
  out += FactHtml("Generation", absl::StrCat(row.generation.value));
  if (job.record.last_checkpoint) {
    const core::CheckpointRow& c = *job.record.last_checkpoint;
    out += FactHtml("Checkpoint",
                    absl::StrCat("step ", CountText(c.step), ", ", AgoHtml(c.committed, now)));
  }
  if (job.record.best_checkpoint) {
    const core::CheckpointRow& c = *job.record.best_checkpoint;
    out += FactHtml(
        "Best", absl::StrCat("step ", CountText(c.step), " (", config::BestMetricOf(row.spec_yaml),
                             " ", NumberText(c.metric), ")"));
  }
  if (!row.model_uri.empty())
    out += FactHtml("Model", "<code>" + Escape(row.model_uri) + "</code>");
  if (!row.resume_uri.empty())
    out += FactHtml("Resumes", "<code>" + Escape(row.resume_uri) + "</code>");
  out += FactHtml("Logs", "<code>cox logs " + base::ToString(row.id) + "</code>");
  for (const auto& [key, value] : row.request.labels) out += FactHtml(Escape(key), Escape(value));
  return out + "</dl>";
}

// Of one rank (the lowest, or that of all ranks together): the others repeat it.
Curve CurveOf(const std::vector<store::StoredPoint>& points, const std::string& metric,
              const std::string& name, const std::string& style) {
  Curve curve{name, style, {}};
  int32_t rank = INT32_MAX;
  for (const store::StoredPoint& p : points) {
    if (p.point.name == metric) rank = std::min(rank, p.point.rank);
  }
  for (const store::StoredPoint& p : points) {
    if (p.point.name == metric && p.point.rank == rank) {
      curve.points.emplace_back(p.point.step, p.point.value);
    }
  }
  std::sort(curve.points.begin(), curve.points.end());
  return curve;
}

std::string Curves(runtime::Api& api, core::JobId job) {
  store::MetricQuery query;
  query.job = job;
  query.names = {"loss", "eval.loss", "eval.accuracy", "eval.r2"};
  query.max_points = kCurvePoints;
  auto points = api.ReadMetrics(query);
  if (!points.ok())
    return "<p class=\"why\">" + Escape(std::string(points.status().message())) + "</p>";
  std::string loss = CurvesSvg({CurveOf(*points, "loss", "loss", "one"),
                                CurveOf(*points, "eval.loss", "evaluation loss", "two")});
  std::string accuracy =
      CurvesSvg({CurveOf(*points, "eval.accuracy", "evaluation accuracy", "three"),
                 CurveOf(*points, "eval.r2", "evaluation R2", "three")},
                1.0);
  if (loss.empty() && accuracy.empty()) return "";
  return "<section><h2>Curves</h2><div class=\"charts\">" + loss + accuracy + "</div></section>";
}

constexpr Columns<7> kAttemptColumns = {{{{"No."},
                                          {"Ranks"},
                                          {"Started"},
                                          {"Ended"},
                                          {"From", true},
                                          {"Kind"},
                                          {"Why it ended", true}}}};
constexpr Columns<6> kCheckpointColumns = {
    {{{"Id"}, {"State", true}, {"Step"}, {"Size"}, {"When"}, {"Where", true}}}};

// Short cells, and many of them: a table on a phone too.
std::string Ranks(const runtime::JobView& job, const NamesById& names) {
  std::string rows;
  for (const core::RankRow& row : job.record.ranks) {
    std::string now = core::IsLost(row) ? Escape(row.exit->note)
                      : row.exit
                          ? Escape(core::ExitText(*row.exit, job.record.job.request.own_program))
                          : protocol::ToString(row.state);
    for (const core::LiveRank& live : job.live.ranks) {
      if (live.rank != row.key.rank || row.exit) continue;
      now = absl::StrCat(
          live.reachable ? "" : "<span class=\"badge unreachable\">UNREACHABLE</span> ",
          protocol::ToString(live.phase), ", step ", CountText(live.step));
    }
    absl::StrAppend(&rows, "<tr><td class=\"num\">", row.key.rank, "</td><td>",
                    NameOf(names, row.node), "</td><td>", now, "</td><td class=\"num\">", row.pid,
                    "</td><td class=\"num\">",
                    row.gpu_uuids.empty() ? "–" : absl::StrCat(row.gpu_uuids.size()), "</td></tr>");
  }
  if (rows.empty()) return "";
  // Those of a job that waits are of what it was last.
  const bool now = !job.live.ranks.empty();
  const std::string of =
      now ? "" : absl::StrCat(" of attempt ", job.record.ranks.front().key.attempt.value);
  return "<section><h2>Ranks" + of +
         "</h2><div class=\"wide\"><table><thead><tr><th>Rank</th><th>Node</th>"
         "<th>Now</th><th>Process</th><th>GPUs</th></tr></thead><tbody>" +
         rows + "</tbody></table></div></section>";
}

std::string KindText(protocol::FailureKind kind) {
  return kind == protocol::FailureKind::kNone ? "" : protocol::ToString(kind);
}

std::string Attempts(const runtime::JobView& job, base::WallTime now) {
  if (job.record.attempts.size() < 2) return "";
  std::string rows;
  for (auto row = job.record.attempts.rbegin(); row != job.record.attempts.rend(); ++row) {
    rows += kAttemptColumns.Row(
        {absl::StrCat(row->number.value), absl::StrCat(row->workers), AgoHtml(row->started, now),
         AgoHtml(row->ended, now),
         row->resumed               ? base::ToString(row->resumed)
         : row->resumed_uri.empty() ? ""
                                    : "<code>" + Escape(row->resumed_uri) + "</code>",
         KindText(row->kind), Escape(row->reason) + (row->exit ? LogHtml(row->exit->record) : "")});
  }
  return "<section><h2>Attempts</h2>" + kAttemptColumns.Table(rows) + "</section>";
}

std::string Checkpoints(const core::JobRow& job,
                        const std::vector<core::CheckpointRow>& checkpoints, base::WallTime now) {
  if (checkpoints.empty()) return "";
  core::CheckpointId best;  // the newest that was the best when it was saved
  for (const core::CheckpointRow& row : checkpoints) {
    if (row.best && core::CanRestore(row)) best = std::max(best, row.id);
  }
  const std::string metric = best.value != 0 ? config::BestMetricOf(job.spec_yaml) : "";
  std::string rows;
  for (const core::CheckpointRow& row : checkpoints) {
    rows += kCheckpointColumns.Row(
        {base::ToString(row.id) + (row.final ? " (final)" : "") +
             (row.id == best ? absl::StrCat(" (best: ", metric, " ", NumberText(row.metric), ")")
                             : ""),
         NodeBadgeHtml(core::ToString(core::ShownState(row))) + " " + Escape(row.reason),
         CountText(row.step), base::BytesText(row.bytes),
         AgoHtml(row.committed ? row.committed : row.opened, now),
         "<code>" + Escape(row.uri) + "</code>"});
  }
  return "<section><h2>Checkpoints</h2>" + kCheckpointColumns.Table(rows) + "</section>";
}

}  // namespace

absl::StatusOr<std::string> JobPage(runtime::Api& api, const std::string& id_or_name) {
  auto id = api.ResolveJob(id_or_name);
  if (!id.ok()) return id.status();
  auto job = api.GetJob(*id);
  if (!job.ok()) return job.status();
  auto checkpoints = api.ListCheckpoints(*id, false);
  if (!checkpoints.ok()) return checkpoints.status();
  auto events = api.ListNewestEvents(*id, kMostEvents);
  if (!events.ok()) return events.status();
  auto nodes = api.ListNodes();
  if (!nodes.ok()) return nodes.status();
  NamesById names;
  for (const runtime::NodeView& node : *nodes) names[node.row->id] = node.row->name;
  base::WallTime now = base::WallNow();
  std::string main = Head(*job, names);
  if (job->live.progress) main += ProgressFacts(*job, now);
  main += FactsHtml(*job, now) + "</section>" + Curves(api, *id) + Ranks(*job, names) +
          Attempts(*job, now) + Checkpoints(job->record.job, *checkpoints, now);
  main +=
      "<section><h2>Events</h2>" + EventsHtml(*events, now, false, kMostEventLines) + "</section>";
  main += "<section><details id=\"spec\"><summary>Job file</summary><pre>" +
          Escape(job->masked_yaml) + "</pre></details></section>";
  runtime::ServerStatus status = api.Status();
  return Frame(job->record.job.request.name, "", &status, main);
}

}  // namespace coxswain::coordinator::http
