#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

#include "cli/local/endpoint.h"
#include "cli/verbs/flag_checks.h"
#include "cli/verbs/job_file.h"
#include "cli/verbs/job_view.h"
#include "cli/verbs/rejection.h"
#include "cli/verbs/verb.h"
#include "common/base/limits.h"

namespace coxswain::cli::verbs {
namespace {

constexpr std::chrono::milliseconds kLongestPause(2000);

struct Flags {
  JobFileFlags job;
  std::string key;
  ResumeFlags resume;
  bool dry_run = false;
  bool wait = false;
};

int WaitForEnd(const Session& session, rpc::Client& client, const std::string& job, JobView* view) {
  const absl::StatusOr<rpc::Job> end =
      client.Watch(job, std::chrono::seconds(1), [&](const rpc::Job& now, const auto& events) {
        view->Show(now, events);
        return true;
      });
  view->Finish();
  if (!end.ok()) return session.Fail(end.status());
  // The watched job comes without its spec.
  const absl::StatusOr<rpc::Job> whole = client.GetJob(job);
  if (session.machine_readable()) session.PrintStructured(whole.ok() ? whole->json : end->json);
  session.Note(EndLine(session.err(), *end) + "\n" +
               FailureText(session.err(), whole.ok() ? *whole : *end));
  return ExitCodeOf(*end);
}

void Report(const Session& session, const Flags& flags, const rpc::Submitted& submitted) {
  const rpc::Job& job = submitted.job;
  if (session.machine_readable()) return session.PrintStructured(job.json);
  if (flags.dry_run) return session.Print(job.name + ": " + output::OneLine(job.reason) + "\n");
  session.Print(job.id + "\n");
  session.Note(
      job.name + (submitted.already_existed ? " had been accepted before as " : " accepted as ") +
      job.id + "; follow it with `cox wait " + job.id + "` or `cox logs -f " + job.id + "`");
}

bool HasToken(const Session& session) {
  const auto server = local::FindServer(session.server, session.token_file);
  return server.ok() && !server->token.empty();
}

// A coordinator that was started together with this command has neither token nor address yet, so
// both are looked up again for every try.
// `sent`: whether it may have come there.
absl::StatusOr<rpc::Submitted> SubmitOnceUp(const Session& session,
                                            const rpc::SubmitRequest& request, JobView* view,
                                            bool* sent) {
  const rpc::SteadyTime give_up =
      session.until().value_or(rpc::SteadyTime::clock::now() + std::chrono::seconds(30));
  for (std::chrono::milliseconds pause(50);; pause = std::min(pause * 2, kLongestPause)) {
    const bool had_token = HasToken(session);
    auto client = session.Connect([](const std::string&) {}, std::chrono::milliseconds(0));
    if (!client.ok()) return client.status();
    absl::StatusOr<rpc::Submitted> submitted = (*client)->Submit(request);
    const bool not_up = absl::IsUnavailable(submitted.status());
    const std::string why(submitted.status().message());
    *sent |= !absl::IsUnauthenticated(submitted.status()) && !why.ends_with("Connection refused");
    const bool now_has_token =
        absl::IsUnauthenticated(submitted.status()) && !had_token && HasToken(session);
    if ((!not_up && !now_has_token) || rpc::SteadyTime::clock::now() + pause > give_up) {
      return submitted;
    }
    if (not_up) view->Reconnecting(std::string(submitted.status().message()));
    std::this_thread::sleep_for(pause);
  }
}

// The coordinator, if it answers soon, also knows what is wrong with the queue.
void AskForMore(const Session& session, rpc::SubmitRequest request,
                std::vector<config::Mistake>* mistakes) {
  using std::chrono::milliseconds;
  auto client = session.Connect([](const std::string&) {}, milliseconds(0), milliseconds(2000));
  if (!client.ok()) return;
  request.dry_run = true;
  std::vector<config::Mistake> all = rpc::MistakesOf((*client)->Submit(request).status());
  if (all.empty()) return;
  // The directory of spec.code is here, and what is wrong with it is not known there.
  auto of_code = [](const config::Mistake& mistake) { return mistake.key == "spec.code"; };
  std::erase_if(all, of_code);
  std::copy_if(mistakes->begin(), mistakes->end(), std::back_inserter(all), of_code);
  *mistakes = std::move(all);
}

int Submit(const Session& session, const Flags& flags) {
  auto read = ReadJobFile(session, flags.job, [&](const auto& request, auto* mistakes) {
    AskForMore(session, request, mistakes);
    if (!session.machine_readable()) return;
    session.PrintStructured(RejectionJson("the job file is wrong", *mistakes));
  });
  if (const int* code = std::get_if<int>(&read)) return *code;
  rpc::SubmitRequest request = std::get<JobFile>(std::move(read)).request;
  request.idempotency_key = flags.key.empty() ? MakeIdempotencyKey() : flags.key;
  request.resume_from = flags.resume.from;
  request.allow_uncommitted = flags.resume.uncommitted;
  request.dry_run = flags.dry_run;
  JobView view(stderr, session.err());
  bool sent = false;
  const absl::StatusOr<rpc::Submitted> submitted = SubmitOnceUp(session, request, &view, &sent);
  view.Finish();
  if (!submitted.ok()) {
    const absl::Status why = WithPlace(submitted.status(), flags.job, request.yaml);
    const int code = session.Fail(why, true);
    if (code == kRejected && session.machine_readable()) {
      session.PrintStructured(RejectionJson(std::string(why.message()), rpc::MistakesOf(why)));
    }
    if (sent && (code == kUnreachable || code == kTimeout)) {
      session.Note("It may have been accepted all the same: repeat with --idempotency-key " +
                   request.idempotency_key + " and it will not run twice");
    }
    return code;
  }
  for (const std::string& warning : submitted->warnings)
    session.Note("warning: " + output::OneLine(warning));
  if (!flags.wait || flags.dry_run) {
    Report(session, flags, *submitted);
    return kSuccess;
  }
  if (!session.machine_readable()) session.Print(submitted->job.id + "\n");
  session.Note(submitted->job.name + " accepted as " + submitted->job.id);
  auto client = session.Connect([&](const std::string& why) { view.Reconnecting(why); });
  if (!client.ok()) return session.Fail(client.status());
  return WaitForEnd(session, **client, submitted->job.id, &view);
}

}  // namespace

void AddSubmit(CLI::App* app, Session* session) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app->add_subcommand("submit", "Hand a job to the coordinator; prints its id");
  AddJobFileFlags(verb, &flags->job);
  AddResumeFlags(verb, &flags->resume);
  verb->add_flag("--dry-run", flags->dry_run, "check everything, start nothing");
  verb->add_flag("--wait", flags->wait, "wait for the end; return the job's exit code");
  verb->add_option("--idempotency-key", flags->key,
                   "of at most " + std::to_string(base::kMostIdempotencyKeyBytes) +
                       " bytes; submissions with the same key are one job (default: random)")
      ->check(WrongKey);
  verb->footer(
      "\nIt repeats until answered; repeating is safe.\n\n"
      "Examples:\n  cox submit job.yaml\n  cox submit job.yaml --set spec.train.epochs=10 --wait\n"
      "  cox submit job.yaml --resume-from j12\n  cox submit job.yaml --idempotency-key "
      "$CI_PIPELINE_ID");
  verb->callback([=] { session->action = [=] { return Submit(*session, *flags); }; });
}

}  // namespace coxswain::cli::verbs
