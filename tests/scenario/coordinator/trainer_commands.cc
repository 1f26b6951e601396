#include <algorithm>

#include "common/base/check.h"
#include "tests/fakes/coordinator/decision_text.h"
#include "tests/scenario/coordinator/core_script.h"

namespace coxswain::scenario {

namespace core = coordinator::core;

namespace {

base::Generation G(const Arguments& args) {
  return base::Generation(static_cast<uint64_t>(args.Number("g", 1)));
}

base::CheckpointId C(const Arguments& args) {
  return args.values.contains("c") ? *base::ParseCheckpointId(args.Text("c"))
                                   : base::CheckpointId();
}

protocol::Phase PhaseOf(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(protocol::Phase::kDone); ++i) {
    if (name == ToString(static_cast<protocol::Phase>(i))) return static_cast<protocol::Phase>(i);
  }
  CHECK(false) << "no phase " << name;
  return {};
}

std::string QueueText(const core::LiveQueue& queue) {
  std::string out = queue.settings.name + " running=" + std::to_string(queue.running) +
                    " pending=" + std::to_string(queue.pending) +
                    " cpus=" + std::to_string(queue.held.cpus) +
                    " used=" + std::to_string(queue.used) + " fair=" + std::to_string(queue.fair);
  for (const auto& [name, user] : queue.users) {
    out += " " + name + ":" + std::to_string(user.held.cpus) + "/" + std::to_string(user.used);
  }
  for (const auto& [name, jobs] : queue.strays) {
    out += " [" + std::to_string(jobs) + " of " + name + "]";
  }
  return out;
}

}  // namespace

void CoreScript::AddTrainerCommands() {
  commands_["ready"] = [this](const Arguments& args) {
    return FromTrainer(args.words.at(0),
                       protocol::TrainerReady{args.Text("at", "10.0.0.1:7000"),
                                              base::Generation(args.Number("g", 0))});
  };
  commands_["formed"] = [this](const Arguments& args) {
    protocol::GenerationFormed report;
    report.generation = G(args);
    report.step = args.Number("step");
    report.restored = C(args);
    if (report.restored) report.restored_uri = world_.store().checkpoints().at(report.restored).uri;
    if (args.values.contains("from")) report.restored_uri = args.Text("from");
    for (const char* kind : {"corrupt", "unreadable"}) {
      if (!args.values.contains(kind)) continue;
      base::CheckpointId id = *base::ParseCheckpointId(args.Text(kind));
      report.refused.push_back({world_.store().checkpoints().at(id).uri, "shard 1: hash differs",
                                std::string(kind) == "corrupt"});
    }
    return FromTrainer(args.words.at(0), report);
  };
  commands_["progress"] = [this](const Arguments& args) {
    protocol::TrainerProgress report;
    report.generation = G(args);
    report.step = args.Number("step");
    report.total_steps = args.Number("of");
    report.phase = PhaseOf(args.Text("phase", "forward"));
    report.loss = 0.5;
    report.waiting_for = args.Text("waiting");
    std::replace(report.waiting_for.begin(), report.waiting_for.end(), '_', ' ');
    report.samples_per_second = static_cast<double>(args.Number("speed", 0));
    report.global_batch = args.Number("batch", 0);
    report.gradient_noise = static_cast<double>(args.Number("noise", 0));
    report.at_once = args.Number("at_once", 0);
    return FromTrainer(args.words.at(0), report);
  };
  commands_["collective"] = [this](const Arguments& args) {
    return FromTrainer(args.words.at(0),
                       protocol::CollectiveFailed{G(args), args.Number("step"), "peer closed"});
  };
  commands_["finished"] = [this](const Arguments& args) {
    return FromTrainer(args.words.at(0), protocol::TrainingFinished{
                                             G(args), args.Number("step"), 0, args.Text("model"),
                                             args.Has("stopped"), args.Text("reason")});
  };
  commands_["failed"] = [this](const Arguments& args) {
    std::string whose = args.words.size() > 1 ? args.words[1] : "";
    bool store = whose == "store", data = whose == "data", user = !store && whose != "infra";
    const auto kind = store  ? protocol::FailureKind::kStore
                      : data ? protocol::FailureKind::kData
                             : protocol::FailureKind::kNone;
    return FromTrainer(args.words.at(0),
                       protocol::TrainingFailed{args.Rest(user && !data ? 1 : 2), user, kind});
  };
  commands_["run"] = [this](const Arguments& args) {
    RunJob(args.words.at(0));
    return std::string("running\n");
  };
}

std::string CoreScript::RunJob(const std::string& job) {
  const core::JobRow& row = world_.store().jobs().at(*base::ParseJobId(job));
  std::string attempt = job + "/" + std::to_string(row.attempt.value) + "/";
  uint32_t ranks = world_.store().attempts().at({row.id, row.attempt}).workers;
  for (const char* step : {"started ", "ready ", "formed "}) {
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      uint64_t generation = world_.store().jobs().at(row.id).generation.value;
      Run(step + attempt + std::to_string(rank) + " g=" + std::to_string(generation));
    }
  }
  CHECK(world_.store().jobs().at(row.id).state == core::JobState::kRunning) << job;
  return "";
}

void CoreScript::AddCheckpointCommands() {
  commands_["open"] = [this](const Arguments& args) {
    return FromTrainer(args.words.at(0), protocol::OpenCheckpoint{
                                             G(args), args.Number("step"), args.Number("step") * 32,
                                             args.Has("final"), !args.Text("best").empty(),
                                             std::stod(args.Text("best", "0"))});
  };
  commands_["stored"] = [this](const Arguments& args) {
    protocol::ShardStored report{C(args), G(args), {}};
    report.shard.rank = static_cast<base::Rank>(
        std::stoul(args.words.at(0).substr(args.words.at(0).rfind('/') + 1)));
    report.shard.bytes = 1000;
    return FromTrainer(args.words.at(0), report);
  };
  commands_["manifest"] = [this](const Arguments& args) {
    return FromTrainer(args.words.at(0), protocol::ManifestWritten{
                                             C(args), G(args), args.Text("hash", "00ff"), 2000, 2});
  };
  commands_["save-failed"] = [this](const Arguments& args) {
    return FromTrainer(args.words.at(0), protocol::CheckpointFailed{C(args), args.Number("step"),
                                                                    G(args), "no space left"});
  };
  // save j1/1 step=100 g=1 ranks=2: open, stored by all, manifest: quiet.
  commands_["save"] = [this](const Arguments& args) {
    std::string attempt = args.words.at(0) + "/";
    std::string g = " g=" + args.Text("g", "1") + " step=" + args.Text("step");
    const std::string best = args.Text("best");
    Run("open " + attempt + "0" + g + (args.Has("final") ? " final" : "") +
        (best.empty() ? "" : " best=" + best));
    std::string id = base::ToString(world_.store().cluster().last_checkpoint);
    for (int64_t rank = 0; rank < args.Number("ranks", 1); ++rank) {
      Run("stored " + attempt + std::to_string(rank) + g + " c=" + id);
    }
    return Run("manifest " + attempt + "0" + g + " c=" + id);
  };
}

void CoreScript::AddViewCommands() {
  commands_["jobs"] = [this](const Arguments&) {
    std::string out;
    for (const auto& [id, row] : world_.store().jobs()) out += fakes::ChangeText(row) + "\n";
    return out;
  };
  commands_["ranks"] = [this](const Arguments&) {
    std::string out;
    for (const auto& [key, row] : world_.store().ranks()) out += fakes::ChangeText(row) + "\n";
    return out;
  };
  commands_["checkpoints"] = [this](const Arguments&) {
    std::string out;
    for (const auto& [id, row] : world_.store().checkpoints()) out += fakes::ChangeText(row) + "\n";
    return out;
  };
  commands_["events"] = [this](const Arguments& args) {
    std::string out;
    for (const auto& [seq, row] : world_.store().events()) {
      bool wanted = args.words.empty() || base::ToString(row.job) == args.words[0];
      if (wanted) out += std::to_string(seq.value) + " " + fakes::ChangeText(row) + "\n";
    }
    return out;
  };
  commands_["queues"] = [this](const Arguments&) {
    std::string out;
    const auto queues = world_.core().TakeChangedQueues(world_.Wall(), true);
    for (const core::LiveQueue& queue : *queues) out += QueueText(queue) + "\n";
    return out;
  };
  commands_["views"] = [this](const Arguments&) {
    std::string out;
    for (const core::LiveJob& job : world_.core().TakeChangedJobs()) {
      out += base::ToString(job.id) + (job.gone ? " gone" : "") + " (" + job.reason + ")";
      if (job.progress) out += " step=" + std::to_string(job.progress->step);
      for (const core::LiveRank& rank : job.ranks) {
        out += " " + std::to_string(rank.rank) + ":" + ToString(rank.phase) +
               (rank.reachable ? "" : "?");
      }
      for (const std::string& condition : job.conditions) out += " [" + condition + "]";
      if (!job.batch_reason.empty()) out += " batch: " + job.batch_reason;
      out += "\n";
    }
    for (const core::LiveNode& node : world_.core().TakeChangedNodes()) {
      out += node.id.value +
             (node.gone        ? " gone"
              : node.reachable ? " reachable"
                               : " unreachable") +
             " free=" + std::to_string(node.cpu_slots_free);
      for (base::JobId job : node.jobs) out += " " + base::ToString(job);
      if (node.left) out += " left";
      for (const std::string& condition : node.conditions) out += " [" + condition + "]";
      for (const auto& [gpu, job] : node.gpu_jobs) out += " " + gpu + ":" + base::ToString(job);
      out += "\n";
    }
    return out;
  };
}

}  // namespace coxswain::scenario
