#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>

#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {
namespace {

struct Flags {
  rpc::LogRequest request;
  bool only_stdout = false;
  bool only_stderr = false;
};

// Whole lines, marked with their rank when there may be several. One thread.
class LogPrinter {
 public:
  LogPrinter(const Session& session, bool mark_ranks)
      : session_(session), mark_ranks_(mark_ranks) {}
  ~LogPrinter() {
    for (auto& [key, rest] : rests_) Print(key, &rest, true);
  }

  void Take(const rpc::LogChunk& chunk) {
    if (!chunk.note.empty()) session_.Note("cox: " + output::Harmless(chunk.note));
    const Key key{chunk.rank, chunk.is_stderr};
    std::string& rest = rests_[key];
    rest += chunk.data;
    Print(key, &rest, false);
    std::fflush(stdout);
    std::fflush(stderr);
  }

 private:
  using Key = std::pair<uint32_t, bool>;

  void Print(const Key& key, std::string* rest, bool last) {
    std::FILE* out = key.second ? stderr : stdout;
    size_t begin = 0;
    for (size_t end; (end = rest->find('\n', begin)) != std::string::npos; begin = end + 1) {
      PrintLine(key, rest->substr(begin, end - begin), out);
    }
    rest->erase(0, begin);
    if (last && !rest->empty()) PrintLine(key, *rest, out);
  }

  void PrintLine(const Key& key, const std::string& line, std::FILE* out) {
    const output::Terminal& terminal = key.second ? session_.err() : session_.out();
    // Only a terminal needs protection; a file gets the bytes as they were.
    const std::string shown = terminal.tty ? output::Harmless(line) : line;
    const std::string mark = mark_ranks_ ? "[" + std::to_string(key.first) + "] " : "";
    std::fprintf(out, "%s", output::Paint(terminal, output::Colour::kDim, mark).c_str());
    std::fwrite(shown.data(), 1, shown.size(), out);
    std::fputc('\n', out);
  }

  const Session& session_;
  const bool mark_ranks_;
  std::map<Key, std::string> rests_;
};

int Logs(const Session& session, Flags flags) {
  using Stream = rpc::LogRequest::Stream;
  if (flags.only_stdout != flags.only_stderr) {
    flags.request.stream = flags.only_stdout ? Stream::kStdout : Stream::kStderr;
  }
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  absl::Status status;
  {
    LogPrinter printer(session, flags.request.rank < 0);
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
                   "only this rank (default: all, lines marked with their rank)");
  verb->add_option("--attempt", flags->request.attempt, "of this attempt (default: the latest)");
  verb->add_option("--tail", flags->request.tail_lines, "begin with the last N lines of each");
  verb->add_flag("--stdout", flags->only_stdout, "only stdout");
  verb->add_flag("--stderr", flags->only_stderr, "only stderr");
  verb->footer("\nExamples:\n  cox logs j12\n  cox logs -f j12 --rank 0 --tail 20");
  verb->callback([=] { session->action = [=] { return Logs(*session, *flags); }; });
}

}  // namespace coxswain::cli::verbs
