#include <algorithm>

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

void DrawExtras(uint64_t seed, Options* options) {
  Dice dice(seed ^ 0xe87a5);
  if (dice.Percent(40)) DrawPlaces(dice, options);
  if (dice.Percent(35)) DrawResumes(dice, options);
  if (dice.Percent(30)) options->retention = DrawRetention(dice);
  bool calm =
      std::none_of(options->faults.begin(), options->faults.end(), [](bool on) { return on; });
  options->faults[static_cast<size_t>(Fault::kForget)] = dice.Percent(30) && !calm;
  options->faults[static_cast<size_t>(Fault::kBreakGroup)] = dice.Percent(30) && !calm;
}

}  // namespace coxswain::sim
