#include "cli/verbs/run_summary.h"

#include <algorithm>

#include "cli/output/table.h"
#include "cli/output/words.h"
#include "cli/verbs/job_view.h"

namespace coxswain::cli::verbs {
namespace {

std::string WithoutScheme(const std::string& uri) {
  return uri.starts_with("file://") ? uri.substr(7) : uri;
}

// The newest checkpoint that a job could go on from.
const rpc::Checkpoint* Newest(const RunResult& result) {
  for (const char* state : {"VERIFIED", "COMMITTED"}) {
    for (const rpc::Checkpoint& checkpoint : result.checkpoints) {
      if (checkpoint.state == state) return &checkpoint;
    }
  }
  return nullptr;
}

std::string CheckpointText(const rpc::Checkpoint& checkpoint) {
  return WithoutScheme(checkpoint.uri) + "  (step " + output::Count(checkpoint.step) + ", " +
         output::Bytes(checkpoint.bytes) + (checkpoint.state == "VERIFIED" ? ", verified)" : ")");
}

std::string Next(const output::Terminal& terminal, const RunResult& result, bool has_checkpoint) {
  const std::string run =
      "cox run " + result.file + (result.default_data_dir ? "" : " --data-dir " + result.data_dir);
  std::string text = output::Paint(terminal, output::Colour::kBold, "Next:") + "\n";
  const auto add = [&](const std::string& command, const std::string& does) {
    text +=
        "  " + command + "\n      " + output::Paint(terminal, output::Colour::kDim, does) + "\n";
  };
  if (result.job.state != "COMPLETED" && has_checkpoint) {
    add(run + " --resume-from " + result.job.id, "go on from the checkpoint");
  } else if (result.job.state == "COMPLETED") {
    if (has_checkpoint) {
      add(run + " --resume-from " + result.job.id +
              " --set spec.train.epochs=" + std::to_string(result.epochs * 2),
          "train as long again, from where this run ended");
    }
    add(run + " --set spec.train.optimizer.learning_rate=3e-4",
        "another setting (docs/job-spec.md)");
    add("cox-coordinator & cox-worker & cox submit " + result.file,
        "the same on daemons that stay; docs/howto/fleet.md for several machines");
  } else {
    add("cox validate " + result.file,
        "check the job file; the daemons' logs are in " + result.data_dir);
  }
  return text;
}

}  // namespace

std::string RunSummary(const output::Terminal& terminal, const RunResult& result) {
  std::string text =
      "\n" + EndLine(terminal, result.job) + "\n" + FailureText(terminal, result.job);
  const std::string curve =
      output::DrawCurve(result.loss, {.title = "loss",
                                      .x_name = "step",
                                      .columns = std::min(terminal.columns, 80),
                                      .rows = 12,
                                      .unicode = terminal.unicode});
  if (!curve.empty()) text += "\n" + curve;
  output::Fields fields;
  fields.Add("Model", WithoutScheme(result.job.model_uri));
  const rpc::Checkpoint* newest = Newest(result);
  fields.Add("Checkpoint", newest == nullptr ? "" : CheckpointText(*newest));
  const std::string places = fields.ToString(terminal);
  if (!places.empty()) text += "\n" + places;
  return text + "\n" + Next(terminal, result, newest != nullptr);
}

}  // namespace coxswain::cli::verbs
