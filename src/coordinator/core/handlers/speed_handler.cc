#include "coordinator/core/handlers/speed_handler.h"

#include <cmath>

#include "coordinator/core/text.h"

namespace coxswain::coordinator::core {
namespace {

constexpr int64_t kFirstSteps = 3;      // of a generation: they say little
constexpr double kWorthForming = 1.05;  // goodput with another batch, against that with this one
constexpr Duration kBatchAfter =
    base::seconds(30);  // the last one: it costs a fraction of a second

bool MayMoveBatch(const JobRequest& request) { return request.max_batch > request.batch; }

uint32_t NodesOf(const Tables& tables, const AttemptRow& attempt) {
  std::set<NodeId> nodes;
  for (const RankRow* rank : tables.ranks().Of(attempt.job, attempt.number)) {
    nodes.insert(rank->node);
  }
  return static_cast<uint32_t>(nodes.size());
}

// The best batch for a job as it is placed, against the one it has.
struct BatchGain {
  int64_t best = 0;
  double times = 1;  // as fast; 1: it is the one that it has
};
std::optional<BatchGain> GainOf(const Tables& tables, const Soft& soft, const AttemptRow& attempt,
                                const GenerationRow& generation) {
  const JobRow& job = tables.jobs().Get(attempt.job);
  const SpeedModel model = SpeedOf(soft, job);
  const uint32_t nodes = NodesOf(tables, attempt);
  const BatchChoice best = model.Best(nodes, attempt.workers);
  const int64_t now = generation.batch > 0 ? generation.batch : job.request.batch;
  const double goodput = model.Goodput(nodes, attempt.workers, now);
  if (!(model.noise() > 0) || !(goodput > 0)) return std::nullopt;
  return BatchGain{best.batch, best.batch == now ? 1 : best.goodput / goodput};
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
  Measure(&soft.speed, {NodesOf(turn.tables, attempt), attempt.workers, batch,
                        static_cast<double>(batch) / report.samples_per_second});
  if (report.gradient_noise > 0 && std::isfinite(report.gradient_noise)) {
    soft.speed.gradient_noise = report.gradient_noise;
  }
}

SpeedModel SpeedOf(const Soft& soft, const JobRow& job) {
  auto found = soft.jobs.find(job.id);
  bool now = found != soft.jobs.end() && !found->second.speed.steps.empty();
  return {now ? found->second.speed : job.speed, job.request};
}

int64_t BatchFor(const Turn& turn, const AttemptRow& attempt) {
  const JobRow& job = turn.tables.jobs().Get(attempt.job);
  if (!MayMoveBatch(job.request)) return 0;
  const Forming& forming = turn.soft.jobs.at(job.id).forming;
  if (forming.keeps_batch) return forming.batch;
  return SpeedOf(turn.soft, job).Best(NodesOf(turn.tables, attempt), attempt.workers).batch;
}

bool WantsOtherBatch(const Turn& turn, const AttemptRow& attempt, const GenerationRow& generation) {
  const JobRow& job = turn.tables.jobs().Get(attempt.job);
  bool settled = generation.formed && turn.wall - generation.formed >= kBatchAfter;
  if (!MayMoveBatch(job.request) || !settled || attempt.cause != Cause::kNone) return false;
  if (turn.soft.jobs.at(job.id).forming.keeps_batch) return false;
  for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(job.id)) {
    if (row->state == CheckpointState::kOpen) return false;
  }
  const std::optional<BatchGain> gain = GainOf(turn.tables, turn.soft, attempt, generation);
  return gain && gain->times > kWorthForming;
}

std::string WhyBatch(const Tables& tables, const Soft& soft, const AttemptRow& attempt) {
  const GenerationRow* generation = tables.attempts().Generation(attempt.job);
  if (!MayMoveBatch(tables.jobs().Get(attempt.job).request) || generation == nullptr) return "";
  if (auto job = soft.jobs.find(attempt.job);
      job != soft.jobs.end() && job->second.forming.keeps_batch) {
    return "no group could be formed for another: it stays for this attempt";
  }
  const std::optional<BatchGain> gain = GainOf(tables, soft, attempt, *generation);
  if (!gain) return "the gradient's noise is not measured yet";
  if (gain->times == 1) return "no other would make it learn faster";
  return std::to_string(gain->best) + " would make it learn " + TimesText(gain->times) +
         " as fast: " +
         (gain->times > kWorthForming ? "it moves there soon" : "too little for a change");
}

bool GoBackToBatch(Turn& turn, const AttemptRow& attempt, const GenerationRow& generation) {
  Forming& forming = turn.soft.jobs[attempt.job].forming;
  bool moved = generation.batch > 0 && forming.batch > 0 && generation.batch != forming.batch;
  if (!moved || forming.keeps_batch) return false;
  forming.tries = 0;
  forming.keeps_batch = true;
  turn.Note("BatchKept",
            "the group of ranks could not be formed for steps of " +
                std::to_string(generation.batch) + " samples: it goes back to " +
                std::to_string(forming.batch) + ", for the rest of this attempt",
            {.job = attempt.job, .attempt = attempt.number}, "warning");
  return true;
}

}  // namespace coxswain::coordinator::core
