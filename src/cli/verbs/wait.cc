#include <CLI/CLI.hpp>

#include "cli/verbs/job_view.h"
#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {
namespace {

struct Flags {
  std::string job;
  bool check = false;
};

int Finish(const Session& session, const rpc::Job& job) {
  if (session.machine_readable()) {
    session.PrintStructured(job.json);
  } else {
    session.Print(EndLine(session.out(), job) + "\n" + FailureText(session.out(), job));
  }
  return ExitCodeOf(job);
}

int Wait(const Session& session, const Flags& flags) {
  JobView view(stderr, session.err());
  auto client = session.Connect([&](const std::string& why) { view.Reconnecting(why); });
  if (!client.ok()) return session.Fail(client.status());
  if (!flags.check) {
    const auto end = (*client)->Watch(flags.job, std::chrono::seconds(1),
                                      [&](const rpc::Job& now, const auto& events) {
                                        // Away from a terminal, `cox wait` prints the end only.
                                        if (session.err().tty) view.Show(now, events);
                                        return true;
                                      });
    view.Finish();
    if (!end.ok()) return session.Fail(end.status());
  }
  const absl::StatusOr<rpc::Job> job = (*client)->GetJob(flags.job);
  if (!job.ok()) return session.Fail(job.status());
  return Finish(session, *job);
}

}  // namespace

void AddWait(CLI::App* app, Session* session) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app->add_subcommand("wait", "Wait for a job's end; return its exit code");
  verb->add_option("JOB", flags->job, "id (j12) or name (the newest of that name)")->required();
  verb->add_flag("--check", flags->check, "do not wait: 101 if it has not finished");
  verb->footer(
      "\nExamples:\n  cox wait j12\n  cox wait j12 --timeout 2h -o json\n  cox wait j12 --check");
  verb->callback([=] { session->action = [=] { return Wait(*session, *flags); }; });
}

}  // namespace coxswain::cli::verbs
