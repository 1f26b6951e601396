#include <CLI/CLI.hpp>
#include <map>

#include "cli/verbs/flag_checks.h"
#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {
namespace {

struct Flags {
  rpc::LogRequest request;
  std::string stream = "both";
};

// Whole lines, all to stdout: "[0] " before those of rank 0's stdout, "[0 err] " before those of
// its stderr; no marks when only one rank was asked for, nor " err" when only one stream was. One
// thread.
class LogPrinter {
 public:
  LogPrinter(const Session& session, bool mark_ranks, bool mark_streams)
      : session_(session), mark_ranks_(mark_ranks), mark_streams_(mark_streams) {}
  ~LogPrinter() {
    for (auto& [key, rest] : rests_) Print(key, &rest, true);
  }

  void Take(const rpc::LogChunk& chunk) {
    if (!chunk.note.empty()) session_.Note("cox: " + output::OneLine(chunk.note));
    const Key key{chunk.rank, chunk.is_stderr};
    std::string& rest = rests_[key];
    rest += chunk.data;
    Print(key, &rest, false);
  }

 private:
  using Key = std::pair<uint32_t, bool>;

  void Print(const Key& key, std::string* rest, bool last) {
    size_t begin = 0;
    std::string text;
    for (size_t end; (end = rest->find('\n', begin)) != std::string::npos; begin = end + 1) {
      text += Line(key, rest->substr(begin, end - begin));
    }
    rest->erase(0, begin);
    if (last && !rest->empty()) text += Line(key, *rest);
    if (!text.empty()) session_.Print(text);
  }

  std::string Line(const Key& key, const std::string& line) {
    const output::Terminal& terminal = session_.out();
    std::string mark;
    if (mark_ranks_) {
      mark = "[" + std::to_string(key.first) + (mark_streams_ && key.second ? " err] " : "] ");
    }
    // Only a terminal needs protection; a file gets the bytes as they were.
    return output::Paint(terminal, output::Colour::kDim, mark) +
           (terminal.tty ? output::Harmless(line) : line) + "\n";
  }

  const Session& session_;
  const bool mark_ranks_, mark_streams_;
  std::map<Key, std::string> rests_;
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
    LogPrinter printer(session, flags.request.rank < 0, flags.request.stream == Stream::kBoth);
    status =
        (*client)->Logs(flags.request, [&](const rpc::LogChunk& chunk) { printer.Take(chunk); });
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
