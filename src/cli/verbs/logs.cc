#include <CLI/CLI.hpp>

#include "cli/verbs/flag_checks.h"
#include "cli/verbs/log_lines.h"
#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {
namespace {

struct Flags {
  rpc::LogRequest request;
  std::string stream = "both";
};

std::string WrongStream(const std::string& name) {
  return name == "stdout" || name == "stderr" || name == "both"
             ? ""
             : "found \"" + name + "\", expected stdout, stderr or both";
}

int Logs(const Session& session, Flags flags) {
  using Stream = rpc::LogRequest::Stream;
  flags.request.stream = flags.stream == "stdout"   ? Stream::kStdout
                         : flags.stream == "stderr" ? Stream::kStderr
                                                    : Stream::kBoth;
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  absl::Status status;
  {
    LogLines lines(session.out(), flags.request.rank < 0, flags.request.stream == Stream::kBoth,
                   [&](const std::string& text) { session.Print(text); });
    status = (*client)->Logs(flags.request, [&](const rpc::LogChunk& chunk) {
      if (!chunk.note.empty()) session.Note("cox: " + output::OneLine(chunk.note));
      lines.Take(chunk);
    });
  }
  return status.ok() ? kSuccess : session.Fail(status);
}

}  // namespace

void AddLogs(CLI::App* app, Session* session) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb =
      app->add_subcommand("logs", "What the ranks of a job wrote to stdout and stderr");
  verb->add_option("JOB", flags->request.job, "id (j12) or name")->required();
  verb->add_flag("-f,--follow", flags->request.follow, "go on until the job ends");
  verb->add_option("--rank", flags->request.rank,
                   "only this rank (default: all, lines marked with their rank)")
      ->check(WrongCount);
  verb->add_option("--stream", flags->stream, "only this one: stdout or stderr (default: both)")
      ->check(WrongStream);
  verb->add_option("--attempt", flags->request.attempt, "of this attempt (default: the latest)")
      ->check(WrongCount);
  verb->add_option("--tail", flags->request.tail_lines, "begin with the last N lines of each")
      ->check(WrongCount);
  verb->footer(
      "\nEverything goes to stdout, so that pipes and files get it: \"[0] \" marks a line that "
      "rank "
      "0 wrote to\nits stdout, \"[0 err] \" one of its stderr, where the trainer logs. A single "
      "rank's lines come unmarked.\n\n"
      "Examples:\n  cox logs j12 | grep -i error\n  cox logs -f j12 --rank 0 --tail 20\n"
      "  cox logs j12 --stream stdout > answers.txt");
  verb->callback([=] { session->action = [=] { return Logs(*session, *flags); }; });
}

}  // namespace coxswain::cli::verbs
