#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

#include "cli/output/words.h"
#include "cli/verbs/flag_checks.h"
#include "cli/verbs/job_view.h"
#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {
namespace {

constexpr std::chrono::milliseconds kLook(500);  // of --any

struct Flags {
  std::vector<std::string> jobs;
  bool check = false;
  bool any = false;
};

// What is said of each job, and the code of them all: that of the first, in the order given, that
// did not succeed.
class Ends {
 public:
  Ends(const Session& session, bool one) : session_(session), one_(one) {}

  void Take(const rpc::Job& job) {
    if (code_ == kSuccess) code_ = ExitCodeOf(job);
    if (session_.machine_readable()) {
      json_.push_back(job.json);
    } else {
      session_.Print(EndLine(session_.out(), job) + "\n" + FailureText(session_.out(), job));
    }
  }

  // One job as itself, several as a list: by what was asked for, not by what came.
  int Finish() const {
    if (session_.machine_readable()) {
      session_.PrintStructured(one_ ? json_.front()
                                    : "{\"jobs\":[" + output::Joined(json_, ",") + "]}");
    }
    return code_;
  }

 private:
  const Session& session_;
  const bool one_;
  ExitCode code_ = kSuccess;
  std::vector<std::string> json_;
};

// The jobs as they are now. A name means one job from here on, whatever is submitted meanwhile.
absl::StatusOr<std::vector<rpc::Job>> Find(rpc::Client& client,
                                           const std::vector<std::string>& names) {
  std::vector<rpc::Job> jobs;
  for (const std::string& name : names) {
    absl::StatusOr<rpc::Job> job = client.GetJob(name);
    if (!job.ok()) return job.status();
    jobs.push_back(*std::move(job));
  }
  return jobs;
}

absl::StatusOr<rpc::Job> WaitForOne(const Session& session, rpc::Client& client, JobView* view,
                                    const std::string& id) {
  const auto end =
      client.Watch(id, std::chrono::seconds(1), [&](const rpc::Job& now, const auto& events) {
        // Away from a terminal, `cox wait` prints the end only.
        if (session.err().tty) view->Show(now, events);
        return true;
      });
  view->Finish();
  if (!end.ok()) return end.status();
  return client.GetJob(id);  // the watched one comes without its file
}

absl::StatusOr<rpc::Job> WaitForAny(const Session& session, rpc::Client& client,
                                    std::vector<rpc::Job> jobs) {
  while (true) {
    const auto ended = std::find_if(jobs.begin(), jobs.end(), rpc::HasEnded);
    if (ended != jobs.end()) return *ended;
    if (session.until() && rpc::SteadyTime::clock::now() + kLook > *session.until()) {
      return absl::DeadlineExceededError("none of these jobs has ended yet");
    }
    std::this_thread::sleep_for(kLook);
    for (rpc::Job& job : jobs) {
      absl::StatusOr<rpc::Job> now = client.GetJob(job.id);
      if (!now.ok()) return now.status();
      job = *std::move(now);
    }
  }
}

int Wait(const Session& session, const Flags& flags) {
  JobView view(stderr, session.err());
  auto client = session.Connect([&](const std::string& why) { view.Reconnecting(why); });
  if (!client.ok()) return session.Fail(client.status());
  const auto jobs = Find(**client, flags.jobs);
  if (!jobs.ok()) return session.Fail(jobs.status());
  Ends ends(session, flags.any || jobs->size() == 1);
  if (flags.any && !flags.check) {
    const auto first = WaitForAny(session, **client, *jobs);
    if (!first.ok()) return session.Fail(first.status());
    ends.Take(*first);
    return ends.Finish();
  }
  for (const rpc::Job& job : *jobs) {
    JobView of_this(stderr, session.err());
    const auto end = flags.check ? job : WaitForOne(session, **client, &of_this, job.id);
    if (!end.ok()) return session.Fail(end.status());
    ends.Take(*end);
  }
  return ends.Finish();
}

}  // namespace

void AddWait(CLI::App* app, Session* session) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app->add_subcommand("wait", "Wait for jobs' ends; return their exit code");
  verb->add_option("JOB", flags->jobs, "ids (j12) or names (the newest of that name)")
      ->required()
      ->check(WrongIfEmpty);
  auto* check = verb->add_flag("--check", flags->check, "do not wait: 101 if one has not finished");
  verb->add_flag("--any", flags->any, "only until the first of them ends; its exit code")
      ->excludes(check);
  verb->footer(
      "\nOf several jobs: 0 if all succeed, else the code of the first, in the order given, that "
      "does not.\n\n"
      "Examples:\n  cox wait j12\n  cox wait j12 j13 j14 --timeout 2h -o json\n"
      "  cox wait --any j12 j13\n  cox wait j12 --check");
  verb->callback([=] { session->action = [=] { return Wait(*session, *flags); }; });
}

}  // namespace coxswain::cli::verbs
