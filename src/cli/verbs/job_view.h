// Shows a job while it runs, and how it ended.
#pragma once

#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "cli/output/console.h"
#include "cli/output/progress_line.h"
#include "cli/rpc/api.h"

namespace coxswain::cli::verbs {

// "epoch 2/3  step 412/1,407  loss 0.3122  8,120 samples/s  about 4 min left", or what it waits
// for.
std::string ProgressText(const rpc::Job& job);

// "2 ranks (1 to 4)": how many it has, or is to begin with, and the range they may be moved in.
// "accuracy 91.2 %, loss 0.25"; of a model that gives numbers the loss alone; empty: none yet.
// What is amiss with it and its reason does not say already.
std::vector<std::string> OtherConditions(const rpc::Job& job);

std::string EvaluationText(const rpc::Progress& p);
std::string RanksText(const rpc::Job& job);
std::string RanksText(uint32_t ranks, uint32_t min, uint32_t max);
// "attempt 3 (1 of at most 3 failed)": attempts that let go of their slots have not failed.
std::string AttemptText(const rpc::Job& job);
// "INFRASTRUCTURE (LOST_PEER)"; empty: nothing went wrong.
std::string CauseText(rpc::Cause cause, const std::string& kind);

// What is expected then: "in about 40 min, at 2026-11-21 14:32" in local time, "any moment" when it
// has passed, "not known" for 0.
std::string TimeText(int64_t us);
std::string StartText(const rpc::Job& job);
std::string LeftText(const rpc::Job& job);  // "about 4 min" until it ends; empty: not known
// "research, priority 5, let go of its slots 2 times".
std::string QueueText(const rpc::Job& job);

// What news of one job look like: a progress line, and lines that stay for what should be
// remembered (changes of state, evaluations, warnings). One thread.
class JobView {
 public:
  JobView(std::FILE* out, const output::Terminal& terminal);
  void Show(const rpc::Job& job, const std::vector<rpc::Event>& events);
  void Reconnecting(const std::string& why);
  // What the job's ranks have written: whole lines.
  void Told(const std::string& lines);
  void Finish() { line_.Finish(); }

 private:
  void ShowChanges(const rpc::Job& job);

  const output::Terminal terminal_;
  output::ProgressLine line_;
  std::string last_state_;
  double last_accuracy_ = -1;
  std::optional<double> last_eval_loss_;
  std::set<std::string> conditions_;
};

// How the job ended, in one line: "j3 FAILED after 0:12: rank 1 ...".
std::string EndLine(const output::Terminal& terminal, const rpc::Job& job);
// For a job that did not complete: cause, exit code or signal, and the last lines of its log. May
// be empty; every line ends in '\n'.
std::string FailureText(const output::Terminal& terminal, const rpc::Job& job);

}  // namespace coxswain::cli::verbs
