#include <algorithm>
#include <limits>

#include "sim/options.h"

namespace coxswain::sim {
namespace {

using base::seconds;
using coordinator::core::Within;

// Racks, zones and kinds of GPUs; jobs that ask for them.
void DrawPlaces(Dice& dice, Options* options) {
  int64_t racks = dice.Between(1, 3);
  for (MachinePlan& machine : options->machines) {
    if (dice.Percent(85)) machine.labels["rack"] = "r" + std::to_string(dice.Between(1, racks));
    machine.labels["zone"] = dice.Percent(65) ? "a" : "b";
    machine.gpu_kind = dice.Percent(60) ? "NVIDIA H200" : "NVIDIA A100";
  }
  for (JobPlan& job : options->jobs) {
    auto& request = job.request;
    if (dice.Percent(25)) request.node_selector["zone"] = dice.Percent(70) ? "a" : "b";
    if (dice.Percent(8)) request.node_selector["rack"] = "r1";
    if (request.gpus > 0 && dice.Percent(50)) {
      request.gpu_kinds = {"h200"};
      if (dice.Percent(50)) request.gpu_kinds.push_back("A100");
      if (dice.Percent(30)) std::reverse(request.gpu_kinds.begin(), request.gpu_kinds.end());
    }
    if (dice.Percent(40)) request.within = dice.Percent(60) ? Within::kRack : Within::kMachine;
  }
}

// The data is the other job's, so that positions mean the same; it may be trained for longer.
void DrawResumes(Dice& dice, Options* options) {
  for (size_t i = 1; i < options->jobs.size(); ++i) {
    JobPlan& job = options->jobs[i];
    if (!dice.Percent(60)) continue;
    const JobPlan& of =
        options->jobs[static_cast<size_t>(dice.Between(0, static_cast<int64_t>(i) - 1))];
    job.resume_by = static_cast<ResumeBy>(dice.Between(1, 3));
    job.resume_of = of.number;
    job.plan.samples = of.plan.samples;
    job.plan.batch = of.plan.batch;
    job.submit_at = std::max(job.submit_at, of.submit_at) + dice.Span(seconds(1), seconds(60));
    if (job.cancel_at) job.cancel_at = std::max(*job.cancel_at, job.submit_at);
  }
}

coordinator::core::QueueSettings Queue(const std::string& name, const std::string& parent,
                                       int64_t quota) {
  coordinator::core::QueueSettings queue{.name = name, .parent = parent};
  queue.quota = {.cpus = quota, .gpus = std::nullopt};
  return queue;
}

// Who makes room for whom. No limit is so tight that a job could never run.
void DrawScheduling(Dice& dice, Options* options) {
  auto& settings = options->scheduling;
  settings.policy = static_cast<coordinator::core::PolicyName>(dice.Between(0, 4));
  settings.backfill = dice.Percent(80);
  settings.replan = dice.Span(seconds(1), seconds(30));
  settings.las_threshold = dice.Span(seconds(5), seconds(60));
  settings.cordon_after = static_cast<uint32_t>(dice.Between(0, 3));
  bool queues = dice.Percent(60);
  if (queues) {
    int64_t most = 1;
    for (const JobPlan& job : options->jobs) {
      most = std::max(most, int64_t{job.request.workers} * job.request.cpus);
    }
    settings.default_queue = "x";
    settings.queues = {Queue("all", "", 20), Queue("x", "all", dice.Between(0, 8)),
                       Queue("y", "all", dice.Between(0, 8))};
    if (dice.Percent(50)) settings.queues[0].limit.cpus = most + dice.Between(0, 6);
    if (dice.Percent(50)) settings.queues[1].limit.cpus = most + dice.Between(0, 3);
    if (dice.Percent(50)) settings.queues[2].user_jobs = dice.Between(1, 2);
  }
  for (JobPlan& job : options->jobs) {
    if (queues && dice.Percent(70)) job.request.queue = dice.Percent(50) ? "x" : "y";
    job.request.priority = static_cast<int32_t>(dice.Between(-1, 2));
    if (dice.Percent(40)) job.request.expected_time = dice.Span(seconds(5), seconds(120));
    job.user = dice.Percent(60) ? "ann" : "bob";
  }
}

// Jobs whose number of ranks may be moved, often enough to be seen.
void DrawSizes(Dice& dice, Options* options) {
  options->scheduling.resize_after = dice.Span(seconds(2), seconds(40));
  options->scheduling.replan = std::min<base::Duration>(options->scheduling.replan, seconds(20));
  for (JobPlan& job : options->jobs) {
    if (!dice.Percent(60)) continue;
    auto& request = job.request;
    request.min_workers = static_cast<uint32_t>(dice.Between(1, request.workers));
    request.max_workers = request.workers + static_cast<uint32_t>(dice.Between(0, 4));
    request.batch = job.plan.batch;
  }
}

// Jobs whose batch may be moved: long enough, and noisy by turns.
void DrawBatches(Dice& dice, Options* options) {
  options->strike_batch_moves = dice.Percent(50);
  for (JobPlan& job : options->jobs) {
    bool moves = dice.Percent(70);
    if (job.resume_of > 0) {
      job.plan.samples = options->jobs[job.resume_of - 1].plan.samples;
    } else if (moves) {
      job.plan.samples = std::max<int64_t>(job.plan.samples, dice.Between(100, 400));
    }
    if (!moves) continue;
    int64_t ranks = MaxWorkers(job.request);
    job.plan.batch = std::max(ranks, job.plan.samples / dice.Between(10, 40));
    job.plan.epochs += 2;
    job.plan.max_steps = 0;  // not with a range
    job.step_time = std::max<base::Duration>(job.step_time, base::milliseconds(600));
    job.request.batch = job.plan.batch;
    job.request.max_batch = job.plan.batch * dice.Between(2, 16);
    auto batch = static_cast<double>(job.plan.batch);
    job.noise_low = batch / 10;
    job.noise_high = batch * static_cast<double>(dice.Between(2, 100));
    job.noise_turn = std::max<int64_t>(1, dice.Between(job.plan.samples / 4, job.plan.samples * 2));
  }
}

// Jobs that keep their best checkpoint, and evaluate often enough for several of them.
void DrawBests(Dice& dice, Options* options) {
  for (JobPlan& job : options->jobs) {
    if (!dice.Percent(60)) continue;
    job.keeps_best = true;
    job.higher_is_best = dice.Percent(50);
    job.exports_best = dice.Percent(60);
    job.plan.evaluate_every_steps = dice.Percent(80) ? dice.Between(1, 6) : 0;
    if (job.plan.evaluate_every_steps == 0) job.plan.evaluate_every_epochs = 1;
  }
}

Retention DrawRetention(Dice& dice) {
  Retention out;
  if (dice.Percent(70)) out.age = dice.Span(seconds(5), seconds(120));
  if (dice.Percent(40) || out.age.count() == 0) {
    out.count = static_cast<uint64_t>(dice.Between(1, 3));
  }
  out.window = dice.Span(seconds(60), seconds(400));
  out.pause = dice.Span(seconds(2), seconds(30));
  return out;
}

}  // namespace

double JobPlan::MetricOf(const TrainState& state) const {
  const uint64_t bits = base::Mix64(state.history ^ number);
  if (bits % 8 == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(bits / 8 % 50) / 50;
}

void DrawExtras(uint64_t seed, Options* options) {
  Dice dice(seed ^ 0xe87a5);
  if (dice.Percent(40)) DrawPlaces(dice, options);
  if (dice.Percent(35)) DrawResumes(dice, options);
  if (dice.Percent(30)) options->retention = DrawRetention(dice);
  Dice of_scheduling(seed ^ 0x5c4ed);
  if (of_scheduling.Percent(50)) DrawScheduling(of_scheduling, options);
  Dice of_sizes(seed ^ 0x512e5);
  if (of_sizes.Percent(40)) DrawSizes(of_sizes, options);
  Dice of_batches(seed ^ 0xba7c4);
  if (of_batches.Percent(35)) DrawBatches(of_batches, options);
  Dice of_bests(seed ^ 0xbe57);
  if (of_bests.Percent(35)) DrawBests(of_bests, options);
  options->backup_of_starts = Dice(seed ^ 0xbac5).Percent(50);
  bool calm =
      std::none_of(options->faults.begin(), options->faults.end(), [](bool on) { return on; });
  options->faults[static_cast<size_t>(Fault::kForget)] = dice.Percent(30) && !calm;
  options->faults[static_cast<size_t>(Fault::kBreakGroup)] = dice.Percent(30) && !calm;
}

}  // namespace coxswain::sim
