#include "tests/scenario/worker/decision_text.h"

#include "worker/core/rank_table.h"

namespace coxswain::worker::core {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

template <class N>
std::string Num(N number) {
  return std::to_string(number.value);
}

std::string Exit(const protocol::ExitRecord& exit) {
  std::string text = " code=" + std::to_string(exit.code);
  if (exit.signal != 0) text += " signal=" + std::to_string(exit.signal);
  if (!exit.note.empty()) text += " note=\"" + exit.note + "\"";
  return text;
}

std::string Inventory(const protocol::Inventory& inventory) {
  std::string text = " cpus=" + std::to_string(inventory.cpu_slots);
  for (const auto& gpu : inventory.gpus) {
    text += "\n    gpu " + gpu.uuid + (gpu.available ? "" : " not available: " + gpu.why_not);
  }
  if (!inventory.gpu_note.empty()) text += "\n    gpus: " + inventory.gpu_note;
  for (const std::string& condition : inventory.conditions) text += "\n    " + condition;
  if (!inventory.why_no_work.empty()) text += "\n    no work: " + inventory.why_no_work;
  return text;
}

std::string Rank(const protocol::RankKey& key, base::Incarnation incarnation) {
  return " " + ToString(key) + " inc=" + Num(incarnation);
}

std::string Report(const protocol::WorkerReport& report) {
  const char* trainer_reports[] = {"TrainerReady",     "GenerationFormed", "TrainerProgress",
                                   "OpenCheckpoint",   "ShardStored",      "ManifestWritten",
                                   "CheckpointFailed", "CollectiveFailed", "TrainingFinished",
                                   "TrainingFailed"};
  return std::visit(
      Overloaded{
          [](const protocol::WorkerHello& r) {
            std::string text = "WorkerHello cluster='" + r.cluster.value +
                               "' term=" + Num(r.highest_term) + Inventory(r.inventory);
            for (const auto& rank : r.ranks) {
              text += "\n    rank" + Rank(rank.key, rank.incarnation) + " " +
                      protocol::ToString(rank.state) + " pid=" + std::to_string(rank.pid);
              if (rank.exit) text += Exit(*rank.exit);
              if (rank.ready) text += " ready at " + rank.ready->address;
            }
            return text;
          },
          [](const protocol::Heartbeat& r) {
            return "Heartbeat" + (r.changed_inventory ? Inventory(*r.changed_inventory) : "");
          },
          [](const protocol::RankStarted& r) {
            return "RankStarted" + Rank(r.key, r.incarnation) + " pid=" + std::to_string(r.pid);
          },
          [](const protocol::RankExited& r) {
            return "RankExited" + Rank(r.key, r.incarnation) + Exit(r.exit);
          },
          [&](const protocol::FromTrainer& r) {
            return "FromTrainer" + Rank(r.key, r.incarnation) + " " +
                   trainer_reports[r.report.index()];
          },
          [](const protocol::TaskEnded& r) {
            return "TaskEnded " + base::ToString(r.task) +
                   (r.ok ? " ok " + r.result : " error=\"" + r.error + "\"");
          },
          [](const protocol::Leaving&) { return std::string("Leaving"); },
          [](const auto&) { return std::string("(bulk)"); }},
      report);
}

std::string Line(const Act& act) {
  return std::visit(
      Overloaded{
          [](const SendReport& a) { return "send " + Report(a.report); },
          [](const DropStream& a) { return "drop stream: " + a.reason; },
          [](const LaunchRank& a) { return "launch" + Rank(a.start.key, a.start.incarnation); },
          [](const SignalRank& a) {
            return "stop" + Rank(a.key, a.incarnation) +
                   " grace=" + std::to_string(a.grace.count() / 1000) + "ms" +
                   (a.jobs_grace ? " or the job's" : "");
          },
          [](const RecordAcknowledgement& a) {
            return "record acknowledgement" + Rank(a.key, a.incarnation);
          },
          [](const SendToTrainer& a) {
            return "to trainer on connection " + Num(a.connection) + " order " +
                   std::to_string(a.order.index());
          },
          [](const RefuseTrainer& a) {
            return "refuse connection " + Num(a.connection) + ": " + a.reason;
          },
          [](const LaunchTask& a) { return "launch task " + base::ToString(a.task.task); },
          [](const SendTask& a) {
            return "task " + base::ToString(a.task.task) + " to connection " + Num(a.connection);
          },
          [](const AcknowledgeTask& a) {
            return "task received on connection " + Num(a.connection);
          },
          [](const StopTask& a) { return "stop task " + base::ToString(a.task); },
          [](const ServeLog& a) { return "serve log " + ToString(a.request.key); },
          [](const BeginRelay&) { return std::string("begin relay"); },
          [](const EndRelay&) { return std::string("end relay"); },
          [](const TrimMetrics& a) {
            return "trim metrics " + base::ToString(a.job) + " to " + std::to_string(a.batch);
          },
          [](const ForgetFolder& a) { return "forget " + base::ToString(a.job); },
          [](const core::Exit& a) { return "exit " + std::to_string(a.code) + ": " + a.line; }},
      act);
}

}  // namespace

std::string ToText(const Decisions& decisions) {
  std::string out;
  for (const std::string& why : decisions.why) out += "why: " + why + "\n";
  for (const std::string& warning : decisions.warnings) out += "warning: " + warning + "\n";
  if (decisions.persist) {
    out += "persist cluster=" + decisions.persist->cluster.value +
           " term=" + Num(decisions.persist->highest_term) + "\n";
  }
  for (const Act& act : decisions.acts) out += Line(act) + "\n";
  return out.empty() ? "nothing\n" : out;
}

}  // namespace coxswain::worker::core
