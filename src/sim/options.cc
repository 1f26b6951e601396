#include "sim/options.h"

namespace coxswain::sim {
namespace {

using base::Duration;
using base::milliseconds;
using base::seconds;

void DrawMachines(Dice& dice, Options* out) {
  int64_t count = dice.Between(1, 6);
  bool gpus = dice.Percent(40);
  for (int64_t i = 0; i < count; ++i) {
    MachinePlan machine;
    machine.cpus = static_cast<uint32_t>(dice.Between(1, 6));
    if (gpus && dice.Percent(70)) machine.gpus = static_cast<uint32_t>(dice.Between(1, 4));
    out->machines.push_back(machine);
  }
}

void DrawProgram(Dice& dice, JobPlan* job) {
  job->plan.samples = dice.Between(1, 400);
  job->plan.batch = dice.Between(1, 64);
  job->plan.epochs = dice.Between(1, 3);
  if (dice.Percent(30)) job->plan.max_steps = dice.Between(1, 80);
  if (dice.Percent(40)) job->plan.evaluate_every_epochs = dice.Between(1, 2);
  job->step_time = dice.Span(milliseconds(50), seconds(3));
  if (dice.Percent(70)) job->save_every_steps = dice.Between(1, 12);
  if (dice.Percent(20)) job->save_every_time = dice.Span(seconds(2), seconds(20));
  if (dice.Percent(4)) job->bad_data = true;
  if (dice.Percent(4)) job->not_finite_at = dice.Between(1, 10);
  if (dice.Percent(4)) job->crash_at = dice.Between(1, 10);
  if (dice.Percent(4)) job->out_of_memory_at = dice.Between(1, 10);
}

JobPlan DrawJob(Dice& dice, uint32_t number, const Options& options) {
  JobPlan job;
  job.number = number;
  const MachinePlan& like = dice.Pick(options.machines);
  auto& request = job.request;
  request.name = "job-" + std::to_string(number);
  request.workers = static_cast<uint32_t>(dice.Between(1, dice.Percent(70) ? 3 : 6));
  request.cpus = static_cast<uint32_t>(dice.Between(1, std::min<int64_t>(2, like.cpus)));
  if (like.gpus > 0 && dice.Percent(50)) {
    request.gpus = static_cast<uint32_t>(dice.Between(1, std::min<int64_t>(2, like.gpus)));
  }
  request.max_attempts = static_cast<uint32_t>(dice.Between(1, 6));
  if (dice.Percent(10)) request.time_limit = dice.Span(seconds(10), seconds(300));
  if (dice.Percent(50)) request.grace = dice.Span(seconds(1), seconds(40));
  request.keep_checkpoints = static_cast<uint32_t>(dice.Between(1, 3));
  request.local_store = dice.Percent(35);
  request.store = request.local_store ? "file:///ckpt" : "s3://bucket/ckpt";
  DrawProgram(dice, &job);
  request.at_once = (job.plan.batch + request.workers - 1) / request.workers;
  job.submit_at = base::Time{1'000'000} + dice.Between(seconds(0), options.faults_for / 2);
  if (options.On(Fault::kCancel) && dice.Percent(25)) {
    job.cancel_at = job.submit_at + dice.Span(milliseconds(100), seconds(120));
    job.cancel_saves = dice.Percent(50);
  }
  return job;
}

}  // namespace

const char* ToString(Fault fault) {
  constexpr const char* kNames[] = {
      "kill coordinator", "refuse commits", "slow commits",  "lose a sync", "stall coordinator",
      "jump clock",       "restore backup", "kill worker",   "stop worker", "crash machine",
      "cut up",           "cut down",       "cut both",      "cut data",    "break stream",
      "break socket",     "kill rank",      "out of memory", "crash rank",  "hang rank",
      "kill shim",        "kill task",      "blob outage",   "damage blob", "drain",
      "cancel",           "clone disk",     "fill disk",     "forget node", "break group"};
  static_assert(std::size(kNames) == kFaults);
  return kNames[static_cast<size_t>(fault)];
}

Options DrawOptions(uint64_t seed) {
  Dice dice(seed ^ 0x5eed0b5e55ed);
  Options options;
  bool calm = dice.Percent(5);  // nothing goes wrong
  uint32_t chance = dice.Percent(50) ? 15 : 45;
  for (size_t i = 0; i < kFirstExtra; ++i) options.faults[i] = dice.Percent(chance) && !calm;
  // A backup undoes acknowledged work, which most checkers must then forget: seldom.
  if (dice.Percent(60)) options.faults[static_cast<size_t>(Fault::kRestoreBackup)] = false;
  options.faults_for = dice.Span(seconds(15), seconds(180));
  options.fault_pause = dice.Span(seconds(1), seconds(20));
  options.delay_low = dice.Span(Duration(50), milliseconds(2));
  options.delay_high = dice.Span(options.delay_low, options.delay_low * 50);
  options.commit_low = dice.Span(Duration(100), milliseconds(2));
  options.commit_high = dice.Span(options.commit_low, options.commit_low * 30);
  options.shared_files = dice.Percent(40);
  if (dice.Percent(50)) options.repeat_percent = static_cast<uint32_t>(dice.Between(5, 50));
  DrawMachines(dice, &options);
  int64_t jobs = dice.Between(1, dice.Percent(70) ? 4 : 8);
  for (int64_t i = 1; i <= jobs; ++i) {
    options.jobs.push_back(DrawJob(dice, static_cast<uint32_t>(i), options));
  }
  DrawExtras(seed, &options);
  return options;
}

}  // namespace coxswain::sim
