#include "sim/state_checker.h"

#include <cmath>

#include "sim/world.h"

namespace coxswain::sim {

void StateChecker::Formed(base::JobId job, const protocol::FormGeneration& form,
                          const Agreed& agreed) {
  std::string name = base::ToString(job) + " generation " + std::to_string(form.generation.value);
  if (agreed.state.used != agreed.state.position) {
    world_.journal.Fail(name + " begins at position " + std::to_string(agreed.state.position) +
                        " with a state of " + std::to_string(agreed.state.used) + " samples");
  }
  const Rows& rows = world_.coordinator->rows();
  const core::GenerationRow* newest = rows.NewestGeneration(job);
  if (newest == nullptr || newest->generation != form.generation || newest->closed) return;
  if (newest->members == form.members && newest->batch != form.global_batch) {
    world_.journal.Fail(name + " takes " + std::to_string(form.global_batch) +
                        " samples a step, its row has " + std::to_string(newest->batch));
  }
  int64_t best = world_.row_checker.BestPosition(rows, job);
  const core::JobRow* row = rows.FindJob(job);
  if (row != nullptr && best < 0 && !row->resume_uri.empty()) CheckResumed(*row, name, agreed);
  if (agreed.state.position >= best) return;
  world_.journal.Fail(name + " begins at position " + std::to_string(agreed.state.position) +
                      " though a whole checkpoint of position " + std::to_string(best) +
                      " is committed");
}

void StateChecker::CheckResumed(const core::JobRow& job, const std::string& name,
                                const Agreed& agreed) {
  if (!agreed.formed.restored_uri.empty()) world_.journal.Add(Counted::kResumed);
  if (!agreed.has_state) {
    return world_.journal.Fail(name + " begins afresh though it was to begin with " +
                               job.resume_uri);
  }
  std::vector<protocol::RestoreCandidate> candidates = job.request.resume_from;
  if (candidates.empty()) candidates.push_back({{}, job.resume_uri, ""});
  for (const protocol::RestoreCandidate& each : candidates) {
    core::CheckpointRow row{.uri = each.uri};
    Reading reading =
        world_.blobs.Read(world_.PlaceOf(row), each.uri, each.manifest_hash, job.allow_uncommitted);
    if (reading.verdict != Reading::kWhole) continue;
    if (agreed.state.position >= reading.position) return;
    return world_.journal.Fail(name + " begins at position " +
                               std::to_string(agreed.state.position) + " though " + each.uri +
                               ", which it was to begin with, is whole");
  }
}

void StateChecker::Stepped(base::JobId job, const TrainState& state) {
  int64_t& furthest = furthest_[job];
  if (state.position <= furthest) return;
  furthest = state.position;
  world_.Advanced();
}

void StateChecker::Finished(const JobPlan& plan, const protocol::TrainingFinished& report,
                            const TrainState& state) {
  if (report.stopped) return;
  finished_.insert(plan.number);
  bool done = plan.plan.Done(state.step, state.position) && state.used == state.position &&
              report.step == state.step && report.position == state.position;
  if (done) return;
  world_.journal.Fail("a rank of job " + std::to_string(plan.number) +
                      " says that it has finished at step " + std::to_string(report.step) +
                      ", its state is of step " + std::to_string(state.step));
}

void StateChecker::Exported(base::JobId job, const JobPlan& plan, const TrainState& state,
                            bool of_best) {
  if (!plan.exports_best) return;
  if (of_best) world_.journal.Add(Counted::kBestExports);
  const double metric = plan.MetricOf(state);
  for (const auto& [id, row] : world_.coordinator->rows().checkpoints) {
    if (row.job != job || !row.best || !core::CanRestore(row)) continue;
    if (!plan.Better(row.metric, metric) && !std::isnan(metric)) continue;
    world_.journal.Fail("the model of " + base::ToString(job) + " is that of step " +
                        std::to_string(state.step) + ", " + std::to_string(metric) + ", though " +
                        base::ToString(id) +
                        " is committed and better: " + std::to_string(row.metric));
  }
}

}  // namespace coxswain::sim
