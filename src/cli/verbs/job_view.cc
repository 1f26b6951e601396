#include "cli/verbs/job_view.h"

#include <algorithm>

#include "cli/output/table.h"
#include "cli/output/words.h"
#include "cli/rpc/coordinator_clock.h"
#include "common/base/duration_text.h"

namespace coxswain::cli::verbs {
namespace {

using output::Colour;
using output::Paint;

std::string Lower(std::string text) {
  for (char& c : text)
    c = c == '_' ? ' ' : static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return text;
}

std::string OutOf(int64_t n, int64_t total) {
  return output::Count(n) + (total > 0 ? "/" + output::Count(total) : "");
}

// EndLine says it, and with more.
bool IsEnd(const rpc::Event& event) {
  const std::string& kind = event.kind;
  return kind == "JobCompleted" || kind == "JobFailed" || kind == "JobCancelled" ||
         kind == "JobTimedOut" || kind == "JobPreempted";
}

}  // namespace

std::string ProgressText(const rpc::Job& job) {
  const rpc::Progress& p = job.progress;
  if (job.state != "RUNNING" || !job.has_progress || p.step == 0) {
    return job.id + " " + Lower(job.state) + (job.reason.empty() ? "" : ": " + job.reason);
  }
  std::string text;
  if (p.epochs > 0) text += "epoch " + OutOf(p.epoch, p.epochs) + "  ";
  text += "step " + OutOf(p.step, p.total_steps);
  if (p.loss) text += "  loss " + output::Number(*p.loss);
  // What follows the last step has no speed, but a reason.
  if (p.total_steps > 0 && p.step >= p.total_steps && !job.reason.empty()) {
    return text + "  " + job.reason;
  }
  if (p.samples_per_second > 0) text += "  " + output::Number(p.samples_per_second) + " samples/s";
  if (job.expected_end_us > 0) text += "  " + LeftText(job) + " left";
  return text;
}

JobView::JobView(std::FILE* out, const output::Terminal& terminal)
    : terminal_(terminal), line_(out, terminal) {}

void JobView::Show(const rpc::Job& job, const std::vector<rpc::Event>& events) {
  // The events may be newer than the job is.
  const bool ends = std::any_of(events.begin(), events.end(), IsEnd);
  for (const rpc::Event& event : events) {
    if (IsEnd(event)) continue;
    if (event.severity == "info" || event.severity.empty()) continue;
    const Colour colour = event.severity == "error" ? Colour::kRed : Colour::kYellow;
    line_.Say(Paint(terminal_, colour, event.severity + ": ") + output::OneLine(event.text));
  }
  ShowChanges(job);
  if (!rpc::HasEnded(job) && !ends) line_.Show(ProgressText(job));
}

void JobView::ShowChanges(const rpc::Job& job) {
  if (job.state != last_state_) {
    if (job.state == "RUNNING") {
      line_.Say(job.id + " " + Paint(terminal_, Colour::kCyan, "running") + ": " + RanksText(job) +
                (job.attempt > 1 ? ", " + AttemptText(job) : ""));
    }
    last_state_ = job.state;
  }
  for (const std::string& condition : job.conditions) {
    if (conditions_.insert(condition.substr(0, 24)).second) {
      line_.Say(Paint(terminal_, Colour::kYellow, "note: ") + output::OneLine(condition));
    }
  }
  const rpc::Progress& p = job.progress;
  if (p.has_eval && (p.eval_accuracy != last_accuracy_ || p.eval_loss != last_eval_loss_)) {
    last_accuracy_ = p.eval_accuracy;
    last_eval_loss_ = p.eval_loss;
    line_.Say("evaluated: " + EvaluationText(p));
  }
}

void JobView::Told(const std::string& lines) { line_.Say(lines.substr(0, lines.size() - 1)); }

void JobView::Reconnecting(const std::string& why) { line_.Show("reconnecting: " + why); }

std::vector<std::string> OtherConditions(const rpc::Job& job) {
  std::vector<std::string> out;
  for (const std::string& condition : job.conditions) {
    if (job.reason.find(condition) == std::string::npos) out.push_back(condition);
  }
  return out;
}

std::string EvaluationText(const rpc::Progress& p) {
  if (!p.has_eval) return "";
  // A model may give numbers; a program tells what it likes.
  const std::string accuracy =
      p.eval_accuracy < 0 ? "" : "accuracy " + output::Percent(p.eval_accuracy);
  if (!p.eval_loss) return accuracy;
  return accuracy + (accuracy.empty() ? "" : ", ") + "loss " + output::Number(*p.eval_loss);
}

std::string RanksText(uint32_t ranks, uint32_t min, uint32_t max) {
  std::string text = std::to_string(ranks) + (ranks == 1 ? " rank" : " ranks");
  if (min >= max) return text;
  return text + " (" + std::to_string(min) + " to " + std::to_string(max) + ")";
}

std::string RanksText(const rpc::Job& job) {
  return RanksText(job.workers_now > 0 ? job.workers_now : job.workers, job.min_workers,
                   job.max_workers);
}

std::string AttemptText(const rpc::Job& job) {
  return "attempt " + std::to_string(job.attempt) + " (" + std::to_string(job.failed_attempts) +
         " of at most " + std::to_string(job.max_attempts) + " failed)";
}

std::string CauseText(rpc::Cause cause, const std::string& kind) {
  std::string text = rpc::ToString(cause);
  if (kind.empty() || kind == text) return text;
  return text.empty() ? kind : text + " (" + kind + ")";
}

std::string TimeText(int64_t us) {
  if (us == 0) return "not known";
  const base::Duration left{us - rpc::CoordinatorNow().us};
  const std::string in = base::InText(left);
  // The second is more than an estimate knows.
  return left.count() <= 0 ? in : in + ", at " + output::WhenMinute(us);
}

std::string LeftText(const rpc::Job& job) {
  if (job.state != "RUNNING" || job.expected_end_us == 0) return "";
  return base::AboutText(base::Duration{job.expected_end_us - rpc::CoordinatorNow().us});
}

std::string StartText(const rpc::Job& job) { return TimeText(job.expected_start_us); }

std::string QueueText(const rpc::Job& job) {
  std::string text = job.queue;
  if (job.priority != 0) text += ", priority " + std::to_string(job.priority);
  if (job.preemptions > 0) {
    text += ", let go of its slots " + std::to_string(job.preemptions) +
            (job.preemptions == 1 ? " time" : " times");
  }
  return text;
}

std::string EndLine(const output::Terminal& terminal, const rpc::Job& job) {
  std::string text = job.id + " " + Paint(terminal, output::ColourOfState(job.state), job.state);
  if (job.started_us > 0 && job.ended_us > job.started_us) {
    text += " after " + output::Clock((job.ended_us - job.started_us) / 1000);
  }
  if (job.state == "COMPLETED") {
    if (job.progress.has_eval) {
      text += ": " + EvaluationText(job.progress) + " on the evaluation data";
    }
  } else if (!job.reason.empty()) {
    text += ": " + output::OneLine(job.reason);
  }
  return text;
}

std::string FailureText(const output::Terminal& terminal, const rpc::Job& job) {
  if (job.state == "COMPLETED" || job.state == "CANCELLED" || !rpc::HasEnded(job)) return "";
  std::string text;
  if (job.cause != rpc::Cause::kNone) {
    text += "cause: " + Lower(CauseText(job.cause, job.failure_kind)) + "\n";
  }
  if (!job.exit.ended) return text;
  text += "rank " + std::to_string(job.exit.rank) +
          (job.exit.node.empty() ? "" : " on " + output::OneLine(job.exit.node)) + " ended with " +
          output::ExitWords(job.exit.code, job.exit.signal) + "\n";
  if (job.exit.last_log.empty()) return text;
  text += "the last lines of its log:\n";
  const std::string log = output::Harmless(job.exit.last_log);
  for (size_t begin = 0; begin < log.size();) {
    const size_t end = std::min(log.find('\n', begin), log.size());
    text += Paint(terminal, Colour::kDim, "  " + log.substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  return text;
}

}  // namespace coxswain::cli::verbs
