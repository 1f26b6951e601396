#include "coordinator/core/handlers/speed_handler.h"

#include <cmath>

namespace coxswain::coordinator::core {
namespace {

constexpr int64_t kFirstSteps = 3;      // of a generation: they say little
constexpr double kWorthForming = 1.05;  // goodput with another batch, against that with this one
constexpr Duration kBatchAfter =
    base::seconds(30);  // the last one: it costs a fraction of a second

bool MayMoveBatch(const JobRequest& request) { return request.max_batch > request.batch; }

uint32_t NodesOf(const Turn& turn, const AttemptRow& attempt) {
  std::set<NodeId> nodes;
  for (const RankRow* rank : turn.tables.ranks().Of(attempt.job, attempt.number)) {
    nodes.insert(rank->node);
  }
  return static_cast<uint32_t>(nodes.size());
}

}  // namespace

void MeasureStep(Turn& turn, const AttemptRow& attempt, const GenerationRow& generation,
                 const protocol::TrainerProgress& report) {
  const JobRow& job = turn.tables.jobs().Get(attempt.job);
  if (!IsElastic(job.request) && !MayMoveBatch(job.request)) return;
  JobSoft& soft = turn.soft.jobs[attempt.job];
  int64_t first = soft.formed ? soft.formed->step : 0;
  bool says = report.samples_per_second > 0 && std::isfinite(report.samples_per_second) &&
              report.step >= first + kFirstSteps && generation.formed;
  if (!says) return;
  int64_t batch = report.global_batch > 0 ? report.global_batch : job.request.batch;
  if (batch <= 0) return;
  if (soft.speed.steps.empty()) soft.speed = job.speed;
  Measure(&soft.speed, {NodesOf(turn, attempt), attempt.workers, batch,
                        static_cast<double>(batch) / report.samples_per_second});
  if (report.gradient_noise > 0 && std::isfinite(report.gradient_noise)) {
    soft.speed.gradient_noise = report.gradient_noise;
  }
}

SpeedModel SpeedOf(const Turn& turn, const JobRow& job) {
  auto soft = turn.soft.jobs.find(job.id);
  bool now = soft != turn.soft.jobs.end() && !soft->second.speed.steps.empty();
  return {now ? soft->second.speed : job.speed, job.request};
}

int64_t BatchFor(const Turn& turn, const AttemptRow& attempt) {
  const JobRow& job = turn.tables.jobs().Get(attempt.job);
  if (!MayMoveBatch(job.request)) return 0;
  return SpeedOf(turn, job).Best(NodesOf(turn, attempt), attempt.workers).batch;
}

bool WantsOtherBatch(const Turn& turn, const AttemptRow& attempt, const GenerationRow& generation) {
  const JobRow& job = turn.tables.jobs().Get(attempt.job);
  bool settled = generation.formed && turn.wall - generation.formed >= kBatchAfter;
  if (!MayMoveBatch(job.request) || !settled || attempt.cause != Cause::kNone) return false;
  for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(job.id)) {
    if (row->state == CheckpointState::kOpen) return false;
  }
  SpeedModel model = SpeedOf(turn, job);
  uint32_t nodes = NodesOf(turn, attempt);
  BatchChoice best = model.Best(nodes, attempt.workers);
  int64_t now = generation.batch > 0 ? generation.batch : job.request.batch;
  return best.batch != now &&
         best.goodput > kWorthForming * model.Goodput(nodes, attempt.workers, now);
}

}  // namespace coxswain::coordinator::core
