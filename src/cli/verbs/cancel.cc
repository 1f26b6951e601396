#include <CLI/CLI.hpp>

#include "cli/verbs/flag_checks.h"
#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {
namespace {

struct Flags {
  std::string job;
  std::string reason;
  bool save = false;
};

int Cancel(const Session& session, const Flags& flags) {
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  const auto job = (*client)->CancelJob(flags.job, flags.reason, flags.save);
  if (!job.ok()) return session.Fail(job.status());
  if (session.machine_readable()) {
    session.PrintStructured(job->json);
  } else {
    session.Print(job->id +
                  (rpc::HasEnded(*job) ? " is " + job->state
                   : flags.save        ? " saves and stops"
                                       : " stops") +
                  "\n");
  }
  return kSuccess;
}

}  // namespace

void AddCancel(CLI::App* app, Session* session) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app->add_subcommand("cancel", "End a job");
  verb->add_option("JOB", flags->job, "id (j12) or name")->required();
  verb->add_flag("--save", flags->save, "take a checkpoint first, within the job's grace time");
  verb->add_option("--reason", flags->reason, "for the job's history")->check(WrongReason);
  verb->footer("\nExamples:\n  cox cancel j12\n  cox cancel j12 --save --reason \"making room\"");
  verb->callback([=] { session->action = [=] { return Cancel(*session, *flags); }; });
}

}  // namespace coxswain::cli::verbs
