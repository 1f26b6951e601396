#include <CLI/CLI.hpp>

#include "cli/verbs/local_run.h"
#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {

void AddRun(CLI::App* app, Session* session) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* verb = app->add_subcommand(
      "run", "Train on this machine: starts a coordinator and a worker, ends when the job does");
  AddJobFileFlags(verb, &flags->job);
  verb->add_option("--data-dir", flags->data_dir,
                   "state, logs and checkpoints (default: ~/.local/state/coxswain/run)");
  AddResumeFlags(verb, &flags->resume);
  verb->add_option("--cpu-slots", flags->cpu_slots,
                   "CPU slots to offer (default: all, and enough for the job)");
  verb->footer(
      "\nCtrl-C saves a checkpoint and stops everything; a second one stops at once.\n\n"
      "Examples:\n  cox run configs/jobs/fashion-mnist.yaml\n"
      "  cox run job.yaml --set spec.train.epochs=1 --data-dir /tmp/try\n"
      "  cox run job.yaml --resume-from j1 --set spec.train.epochs=6");
  verb->callback([=] { session->action = [=] { return LocalRun(*session, *flags).Run(); }; });
}

}  // namespace coxswain::cli::verbs
