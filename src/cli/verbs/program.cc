#include "cli/verbs/program.h"

#include <CLI/CLI.hpp>

#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {
namespace {

constexpr char kFooter[] =
    "\nExit codes: 0 success, 1 cannot reach the coordinator or the call failed, 2 usage, 100 the "
    "job failed\n"
    "in the user's code, 101 not finished, 102 not found, 103 cancelled, 104 failed by "
    "infrastructure after\n"
    "all retries, 105 timed out or preempted for good, 106 rejected, 124 --timeout ran out.\n\n"
    "Try `cox run configs/jobs/fashion-mnist.yaml`. Help on a verb: `cox VERB --help`.";

void AddGlobalFlags(CLI::App* app, Session* session) {
  app->add_option("--server", session->server,
                  "HOST:PORT of the coordinator (else COX_SERVER, else found on this machine)");
  app->add_option("--token-file", session->token_file,
                  "file with the token (else COX_TOKEN, else found on this machine)");
  app->add_option("-o,--output", session->format, "table, wide, json or yaml")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Format>{{"table", Format::kTable},
                                                                        {"wide", Format::kWide},
                                                                        {"json", Format::kJson},
                                                                        {"yaml", Format::kYaml}}));
  app->add_option("--timeout", session->timeout,
                  "give up after this time, such as 30s (exit code 124)");
}

int ReportParseError(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help
  const CLI::App* at = &app;
  for (auto chosen = at->get_subcommands(); !chosen.empty(); chosen = at->get_subcommands())
    at = chosen[0];
  const std::string verb = at == &app ? "" : " " + at->get_name();
  std::fprintf(stderr, "cox%s: %s (see `cox%s --help`)\n", verb.c_str(), error.what(),
               verb.c_str());
  return kUsage;
}

}  // namespace

int RunCox(int argc, const char* const* argv) {
  CLI::App app{
      "cox trains models on a fleet of machines: one coordinator decides, workers run the ranks.",
      "cox"};
  Session session;
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(kFooter);
  app.get_formatter()->column_width(34);
  AddGlobalFlags(&app, &session);
  for (auto add : {AddRun, AddSubmit, AddJobs, AddDescribe, AddLogs, AddMetrics, AddCheckpoints,
                   AddWait, AddCancel, AddNodes, AddDrain, AddEvents, AddValidate, AddVersion}) {
    add(&app, &session);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return ReportParseError(app, error);
  }
  if (!session.StartTimeout()) return kUsage;
  return session.action();
}

}  // namespace coxswain::cli::verbs
