// Decisions as text.
#include <sstream>

#include "script.h"

namespace coxswain::trainer::core {
namespace {

struct Text {
  std::ostream& out;

  void operator()(const protocol::TrainerReady& r) { out << "Ready at " << r.address << G(r); }
  void operator()(const protocol::GenerationFormed& r) {
    out << "GenerationFormed" << G(r) << " step " << r.step << " position " << r.position;
    if (r.restored) out << " from " << base::ToString(r.restored);
  }
  void operator()(const protocol::TrainerProgress& r) {
    out << "Progress step " << r.step << " of " << r.total_steps;
  }
  void operator()(const protocol::OpenCheckpoint& r) {
    out << "OpenCheckpoint step " << r.step << " position " << r.position << G(r)
        << (r.final ? " final" : "");
    if (r.best) out << " best " << r.metric;
  }
  void operator()(const protocol::ShardStored& r) {
    out << "ShardStored " << base::ToString(r.id) << G(r);
  }
  void operator()(const protocol::ManifestWritten& r) {
    out << "ManifestWritten " << base::ToString(r.id) << " " << r.manifest_hash << G(r);
  }
  void operator()(const protocol::CheckpointFailed& r) {
    out << "CheckpointFailed " << base::ToString(r.id) << ": " << r.reason;
  }
  void operator()(const protocol::CollectiveFailed& r) {
    out << "CollectiveFailed" << G(r) << " after step " << r.step << ": " << r.reason;
  }
  void operator()(const protocol::TrainingFinished& r) {
    out << "TrainingFinished step " << r.step << (r.stopped ? " stopped" : "")
        << (r.model_uri.empty() ? "" : " ") << r.model_uri;
    if (!r.reason.empty()) out << " (" << r.reason << ")";
  }
  void operator()(const protocol::TrainingFailed& r) {
    out << "TrainingFailed" << (r.user_error ? " (user) " : " ") << protocol::ToString(r.kind)
        << ": " << r.reason;
  }

  void operator()(const AbortGroup&) { out << "AbortGroup"; }
  void operator()(const StartUpload& a) {
    out << "StartUpload " << base::ToString(a.id) << " step " << a.step << " to " << a.uri
        << " as rank " << a.rank << " of " << a.world_size;
  }
  void operator()(const StoreManifest& a) {
    out << "StoreManifest " << base::ToString(a.id) << " of " << a.shards.size() << " shards";
  }
  void operator()(const StoreCommitted& a) {
    out << "StoreCommitted " << base::ToString(a.id) << " " << a.manifest_hash;
  }
  void operator()(const DropSave& a) {
    out << "DropSave step " << a.step << (a.uri.empty() ? "" : " ") << a.uri;
  }
  void operator()(const Note& a) { out << "Note: " << a.text; }
  void operator()(const Exit& a) { out << "Exit " << a.code << ": " << a.reason; }

  void operator()(const JoinGroup& e) {
    out << "JoinGroup g" << e.form.generation.value << " as rank " << e.rank << " of "
        << e.form.members.size();
  }
  void operator()(const RunStep& e) {
    out << "RunStep" << (e.save ? " save" : "") << (e.save_wanted ? " save-wanted" : "")
        << (e.stop ? " stop" : "") << (e.stop_with_save ? " with-save" : "");
  }
  void operator()(const TakeSnapshot& e) { out << "TakeSnapshot step " << e.step; }
  void operator()(const Evaluate& c) {
    out << "Evaluate";
    if (c.has_best) out << " best " << c.best;
    if (c.held_step > 0) out << " held " << c.held_step;
  }
  void operator()(const ExportModel& c) {
    out << "ExportModel" << (c.best ? " of " + c.best->uri : "");
  }

  template <class R>
  std::string G(const R& report) {
    return " g" + std::to_string(report.generation.value);
  }
};

template <class Body>
void Print(std::ostream& out, const char* kind, const Body& body) {
  out << kind << ' ';
  std::visit(Text{out}, body);
  out << '\n';
}

}  // namespace

std::string ToText(const Decisions& decisions, bool progress) {
  std::stringstream out;
  for (const auto& report : decisions.reports) {
    if (!progress && std::holds_alternative<protocol::TrainerProgress>(report)) continue;
    Print(out, "report", report);
  }
  for (const auto& action : decisions.actions) Print(out, "do    ", action);
  for (const auto& command : decisions.engine) Print(out, "engine", command);
  return out.str();
}

}  // namespace coxswain::trainer::core
