#include <CLI/CLI.hpp>

#include "cli/verbs/flag_checks.h"
#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {
namespace {

struct Flags {
  std::vector<std::string> jobs;
  std::string reason;
  bool save = false;
};

int CancelOne(const Session& session, rpc::Client& client, const std::string& name,
              const Flags& flags) {
  const auto job = client.CancelJob(name, flags.reason, flags.save);
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

// One that cannot be does not keep the others from it. The first that could not tells the code.
int Cancel(const Session& session, const Flags& flags) {
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  int first_wrong = kSuccess;
  for (const std::string& name : flags.jobs) {
    const int code = CancelOne(session, **client, name, flags);
    if (first_wrong == kSuccess) first_wrong = code;
  }
  return first_wrong;
}

}  // namespace

void AddCancel(CLI::App* app, Session* session) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app->add_subcommand("cancel", "End jobs");
  verb->add_option("JOB", flags->jobs, "ids (j12) or names")->required();
  verb->add_flag("--save", flags->save, "take a checkpoint first, within the job's grace time");
  verb->add_option("--reason", flags->reason, "for the job's history")->check(WrongReason);
  verb->footer(
      "\nExamples:\n  cox cancel j12 j13\n  cox cancel j12 --save --reason \"making room\"");
  verb->callback([=] { session->action = [=] { return Cancel(*session, *flags); }; });
}

}  // namespace coxswain::cli::verbs
