#include "tests/fakes/coordinator/decision_text.h"

namespace coxswain::fakes {
namespace {

namespace core = coordinator::core;

std::string Ms(base::Duration d) { return std::to_string(d.count() / 1000) + "ms"; }

// "/step-00000500-g3-9f81c2d4" -> "/step-00000500-g3-*"
std::string UriText(const std::string& uri) {
  size_t step = uri.find("/step-");
  size_t cut = uri.rfind('-');
  return step == std::string::npos ? uri : uri.substr(0, cut) + "-*";
}

const char* CauseText(core::Cause cause) {
  switch (cause) {
    case core::Cause::kNone:
      return "";
    case core::Cause::kUser:
      return "USER";
    case core::Cause::kInfrastructure:
      return "INFRASTRUCTURE";
    case core::Cause::kOutOfMemory:
      return "OUT_OF_MEMORY";
    case core::Cause::kTimeLimit:
      return "TIME_LIMIT";
    case core::Cause::kCancelled:
      return "CANCELLED";
    case core::Cause::kPreempted:
      return "PREEMPTED";
    case core::Cause::kResized:
      return "RESIZED";
  }
  return "?";
}

std::string Line(const core::JobRow& r) {
  std::string out = "job " + base::ToString(r.id) + " " + core::ToString(r.state) +
                    " attempt=" + std::to_string(r.attempt.value) +
                    " failures=" + std::to_string(r.failures);
  if (r.generation) out += " g" + std::to_string(r.generation.value);
  if (r.check == core::CheckState::kPassed) out += " checked";
  if (r.cancel_requested) out += " cancel";
  if (r.cause != core::Cause::kNone) out += std::string(" cause=") + CauseText(r.cause);
  if (!r.model_uri.empty()) out += " model=" + r.model_uri;
  if (r.last_progress) out += " at=" + std::to_string(r.last_progress->progress.step);
  if (!r.reason.empty()) out += " (" + r.reason + ")";
  return out;
}

std::string Line(const core::AttemptRow& r) {
  std::string out = "attempt " + base::ToString(r.job) + "/" + std::to_string(r.number.value) +
                    (r.ended ? " ended" : " open");
  if (r.cause != core::Cause::kNone) out += std::string(" cause=") + CauseText(r.cause);
  if (r.exit) out += " culprit=" + std::to_string(r.exit->rank);
  if (r.user_error) out += " user_error";
  if (r.last_step > 0) out += " step=" + std::to_string(r.last_step);
  if (!r.resumed_uri.empty()) out += " resumed=" + UriText(r.resumed_uri);
  return out;
}

std::string Line(const core::RankRow& r) {
  std::string out = "rank " + KeyText(r.key) + " " + r.node.value + " " + ToString(r.state);
  for (const std::string& gpu : r.gpu_uuids) out += " " + gpu;
  if (r.pid != 0) out += " pid=" + std::to_string(r.pid);
  if (r.finished) out += " finished";
  if (r.stop_requested) out += " stopping";
  return out;
}

std::string Line(const core::GenerationRow& r) {
  std::string out = "generation " + base::ToString(r.job) + " g" +
                    std::to_string(r.generation.value) + " of " + std::to_string(r.members.size());
  if (r.batch > 0) out += " batch=" + std::to_string(r.batch);
  if (r.formed) out += " formed";
  if (r.closed) out += " closed";
  return out;
}

std::string Line(const core::CheckpointRow& r) {
  std::string out =
      "checkpoint " + base::ToString(r.id) + " " + core::ToString(r.state) + " " + UriText(r.uri);
  if (r.final) out += " final";
  if (r.best) out += " best=" + std::to_string(r.metric);
  if (r.collect) out += " collect";
  if (!r.reason.empty()) out += " (" + r.reason + ")";
  return out;
}

std::string Line(const core::NodeRow& r) {
  return "node " + r.id.value + (r.draining ? " draining" : "") +
         " slots=" + std::to_string(r.inventory.cpu_slots) +
         " gpus=" + std::to_string(r.inventory.gpus.size());
}

std::string Line(const core::EventRow& r) {
  std::string mark = r.severity == "info" ? "" : r.severity == "warning" ? "! " : "!! ";
  return "event " + mark + r.kind + (r.job ? " " + base::ToString(r.job) : "") + ": " + r.text;
}

std::string Line(const core::ClusterRow&) { return ""; }
std::string Line(const core::UsageRow&) { return ""; }  // with every attempt that ends
std::string Line(const core::DeleteUsage& r) { return "delete usage " + r.queue + " " + r.user; }
std::string Line(const core::CheckpointDamaged& r) {
  return "checkpoint " + base::ToString(r.id) + " CORRUPT (" + r.reason + ")";
}
std::string Line(const core::DeleteJob& r) { return "delete " + base::ToString(r.job); }
std::string Line(const core::DeleteEventsUpTo& r) {
  return "delete events up to " + std::to_string(r.seq.value);
}
std::string Line(const core::DeleteNode& r) { return "delete node " + r.id.value; }

std::string Line(const protocol::FormGeneration& o) {
  std::string out = "FormGeneration g" + std::to_string(o.generation.value) + " of " +
                    std::to_string(o.members.size());
  for (const auto& candidate : o.restore) {
    out += " restore=" + (candidate.id ? base::ToString(candidate.id) : candidate.uri);
  }
  if (o.has_best) out += " best=" + base::ToString(o.best.id);
  if (o.memory_kills > 0) out += " memory-kills=" + std::to_string(o.memory_kills);
  return out;
}
std::string Line(const protocol::CheckpointOpened& o) {
  return "CheckpointOpened " + base::ToString(o.id) + " " + UriText(o.uri);
}
std::string Line(const protocol::WriteManifest& o) {
  return "WriteManifest " + base::ToString(o.id) + " shards=" + std::to_string(o.shards.size());
}
std::string Line(const protocol::CheckpointCommitted& o) {
  return "CheckpointCommitted " + base::ToString(o.id);
}
std::string Line(const protocol::CheckpointRefused& o) {
  return "CheckpointRefused " + base::ToString(o.id) + " step=" + std::to_string(o.step) + " (" +
         o.reason + ")";
}
std::string Line(const protocol::SaveNow& o) { return "SaveNow (" + o.reason + ")"; }
std::string Line(const protocol::StopTraining& o) {
  return std::string("StopTraining ") + (o.save ? "save " : "") + "(" + o.reason + ")";
}
std::string Line(const protocol::FinishAcknowledged&) { return "FinishAcknowledged"; }

std::string Line(const protocol::Welcome& o) {
  return "Welcome term=" + std::to_string(o.term.value) +
         (o.warning.empty() ? "" : " (" + o.warning + ")");
}
std::string Line(const protocol::Rejected& o) {
  return std::string("Rejected ") + (o.permanent ? "for good" : "for now") + ": " + o.reason;
}
std::string Line(const protocol::StartRank& o) {
  std::string out = "StartRank " + KeyText(o.key) + " of " + std::to_string(o.world_size) +
                    " local=" + std::to_string(o.local_rank);
  for (const std::string& gpu : o.gpu_uuids) out += " " + gpu;
  return out;
}
std::string Line(const protocol::StopRank& o) {
  return "StopRank " + KeyText(o.key) + " grace=" + Ms(o.grace) + " (" + o.reason + ")";
}
std::string Line(const protocol::ToTrainer& o) {
  return KeyText(o.key) + " " + std::visit([](const auto& order) { return Line(order); }, o.order);
}
std::string Line(const protocol::AcknowledgeExit& o) { return "AcknowledgeExit " + KeyText(o.key); }
std::string Line(const protocol::AcknowledgeMetrics&) { return "AcknowledgeMetrics"; }
std::string Line(const protocol::ReadLog&) { return "ReadLog"; }
std::string Line(const protocol::StartTask& o) {
  std::string argument = " " + o.argument;
  if (o.kind == protocol::TaskKind::kCheck) {  // the job file is left out
    size_t probe = o.argument.find(",\"probe\":");
    argument = probe == std::string::npos ? "" : " {" + o.argument.substr(probe + 1);
  }
  for (size_t at = argument.find("/step-"); at != std::string::npos;
       at = argument.find("/step-", at + 1)) {
    size_t end = argument.find('"', at);
    argument.replace(end - 8, 8, "*");
  }
  return "StartTask " + base::ToString(o.task) + " " + ToString(o.kind) + argument;
}
std::string Line(const protocol::ForgetJob& o) { return "ForgetJob " + base::ToString(o.job); }

const char* CodeText(core::ReplyCode code) {
  switch (code) {
    case core::ReplyCode::kOk:
      return "OK";
    case core::ReplyCode::kAlreadyExists:
      return "ALREADY_EXISTS";
    case core::ReplyCode::kNotFound:
      return "NOT_FOUND";
    case core::ReplyCode::kFailedPrecondition:
      return "FAILED_PRECONDITION";
    case core::ReplyCode::kResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case core::ReplyCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case core::ReplyCode::kUnavailable:
      return "UNAVAILABLE";
  }
  return "?";
}

std::string Line(const core::Reply& r) {
  std::string out = "reply " + std::to_string(r.call.value) + " " + CodeText(r.code);
  if (r.job) out += " " + base::ToString(r.job);
  if (!r.node.empty()) out += " " + r.node.value;
  if (r.already_existed) out += " already_existed";
  if (!r.text.empty()) out += ": " + r.text;
  for (const std::string& warning : r.warnings) out += "\n  warning: " + warning;
  return out;
}

}  // namespace

std::string KeyText(const protocol::RankKey& key) {
  return base::ToString(key.job) + "/" + std::to_string(key.attempt.value) + "/" +
         std::to_string(key.rank);
}

std::string ChangeText(const core::Change& change) {
  return std::visit([](const auto& row) { return Line(row); }, change);
}

std::string OrderText(const protocol::WorkerOrder& order) {
  return std::visit([](const auto& body) { return Line(body); }, order);
}

std::string DecisionText(const core::Decisions& decisions,
                         const std::function<std::string(core::SessionId)>& session_name) {
  std::string out;
  for (const core::Change& change : decisions.persist) {
    std::string line = ChangeText(change);
    if (!line.empty()) out += line + "\n";
  }
  for (const core::Action& action : decisions.send) {
    out += session_name(action.session) + " <- " + OrderText(action.order) +
           (action.close_session ? " [close]" : "") + "\n";
  }
  for (const core::Reply& reply : decisions.replies) out += Line(reply) + "\n";
  for (const core::Explanation& why : decisions.why) {
    out += "why " + base::ToString(why.job) + ": " + (why.text.empty() ? "-" : why.text) + "\n";
  }
  return out;
}

}  // namespace coxswain::fakes
