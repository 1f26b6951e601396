#include "cli/verbs/run_summary.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "cli/output/table.h"
#include "cli/output/words.h"
#include "cli/verbs/job_view.h"
#include "common/base/byte_text.h"

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
         base::BytesText(static_cast<uint64_t>(checkpoint.bytes)) +
         (checkpoint.state == "VERIFIED" ? ", verified)" : ")");
}

// Of the daemons, which lie beside cox: empty where PATH leads to it.
std::string FolderOf(const RunResult& result) {
  return result.cox.substr(0, result.cox.rfind('/') + 1);
}

std::string RunCommand(const RunResult& result, const std::string& file) {
  return result.cox + " run" + (file.empty() ? "" : " " + file) +
         (result.default_data_dir ? "" : " --data-dir " + result.data_dir);
}

// A coordinator that stays, on what this run has left, so that it can be asked about.
std::string AskCommand(const RunResult& result) {
  const std::string dir = result.data_dir + "/coordinator";
  return FolderOf(result) + "cox-coordinator --data-dir " + dir + " & sleep 2; " + result.cox +
         " describe " + result.job.id +
         (result.default_data_dir ? "" : " --token-file " + dir + "/token");
}

std::string Next(const output::Terminal& terminal, const RunResult& result, bool has_checkpoint) {
  const std::string run = RunCommand(result, result.file);
  std::string text = output::Paint(terminal, output::Colour::kBold, "Next:") + "\n";
  const auto add = [&](const std::string& command, const std::string& does) {
    text +=
        "  " + command + "\n      " + output::Paint(terminal, output::Colour::kDim, does) + "\n";
  };
  if (result.job.state != "COMPLETED" && has_checkpoint) {
    add(run + " --resume-from " + result.job.id, "go on from the checkpoint");
  } else if (result.job.state == "COMPLETED") {
    if (has_checkpoint && result.epochs > 0) {
      add(run + " --resume-from " + result.job.id +
              " --set spec.train.epochs=" + std::to_string(result.epochs * 2),
          "train as long again, from where this run ended");
    }
    if (result.epochs > 0) {
      add(run + " --set spec.train.optimizer.learning_rate=3e-4",
          "another setting (docs/job-spec.md)");
    }
    const std::string folder = FolderOf(result);
    add(folder + "cox-coordinator & " + folder + "cox-worker & " + result.cox + " submit " +
            result.file,
        "the same on daemons that stay; docs/howto/fleet.md for several machines");
  } else {
    add(result.cox + " validate " + result.file,
        "check the job file; the daemons' logs are in " + result.data_dir);
  }
  add(AskCommand(result),
      "ask about this run again: also events, metrics, checkpoints; ranks' logs: " +
          result.data_dir + "/worker/jobs/" + result.job.id);
  return text;
}

}  // namespace

std::string LastWords(const RunResult& result) {
  const rpc::Job& job = result.job;
  std::string text = "cox: " + job.id + " was " + job.state;
  if (job.progress.step > 0) text += " at step " + output::Count(job.progress.step);
  text += " when it was last heard of; ";
  if (!job.has_checkpoint) return text + "no checkpoint of it was saved";
  return text + "its newest checkpoint is " + CheckpointText(job.last_checkpoint) +
         "\ncox: go on with: " + RunCommand(result, result.file) + " --resume-from " + job.id;
}

std::string LeftoverLine(const RunResult& result) {
  const rpc::Job& job = result.job;
  const rpc::Checkpoint* newest = Newest(result);
  std::string text = job.id + " (" + output::OneLine(job.name) + ") of an earlier run ";
  int64_t step = std::max(job.progress.step, newest == nullptr ? 0 : newest->step);
  text += job.attempt == 0 ? "had not started" : "was cut off";
  if (step > 0) text += " at step " + output::Count(step);
  text += "; it is ended here.";
  if (newest == nullptr) return text;
  text += " Go on with it: ";
  if (result.file.empty())
    text += "with its own job file for '" + output::OneLine(job.name) + "', ";
  return text + RunCommand(result, result.file) + " --resume-from " + job.id;
}

std::string HowToCallCox() {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const char* path = std::getenv("PATH");
  std::stringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path found = fs::path(folder.empty() ? "." : folder) / "cox";
    if (access(found.c_str(), X_OK) != 0) continue;
    if (fs::equivalent(found, self, error)) return "cox";
    break;  // another one comes first
  }
  return error || self.empty() ? "cox" : self.string();
}

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
