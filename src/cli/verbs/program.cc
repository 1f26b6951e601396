#include "cli/verbs/program.h"

#include <CLI/CLI.hpp>

#include "cli/verbs/verb.h"
#include "common/config/nearest_name.h"

namespace coxswain::cli::verbs {
namespace {

constexpr char kFooter[] =
    "\nExit codes: 0 success, 1 cannot reach the coordinator or the call failed, 2 usage, 100 the "
    "job failed\n"
    "in the user's code, 101 not finished, 102 not found, 103 cancelled, 104 failed by "
    "infrastructure after\n"
    "all retries, 105 timed out or preempted for good, 106 rejected, 124 --timeout ran out.\n\n"
    "Try `cox run configs/jobs/fashion-mnist.yaml`. Help on a verb: `cox VERB --help`.";

const std::map<std::string, Format> kFormats = {{"table", Format::kTable},
                                                {"wide", Format::kWide},
                                                {"json", Format::kJson},
                                                {"yaml", Format::kYaml}};

void AddGlobalFlags(CLI::App* app, Session* session) {
  app->add_option("--server", session->server,
                  "the coordinator (else COX_SERVER, else found on this machine)")
      ->type_name("HOST:PORT");
  app->add_option("--token-file", session->token_file,
                  "file with the token (else COX_TOKEN, else found on this machine)")
      ->type_name("FILE");
  app->add_option_function<std::string>(
         "-o,--output",
         [session](const std::string& name) {
           const auto it = kFormats.find(name);
           if (it == kFormats.end()) {
             throw CLI::ValidationError(
                 "-o", "found \"" + name + "\", expected table, wide, json or yaml");
           }
           session->format = it->second;
         },
         "table, wide, json or yaml")
      ->type_name("FORMAT");
  app->add_option("--timeout", session->timeout,
                  "give up after this time, such as 30s (exit code 124)")
      ->type_name("DURATION");
}

std::string VerbMistake(const CLI::App& app, const std::string& word) {
  std::vector<std::string> verbs;
  for (const CLI::App* verb : app.get_subcommands({})) verbs.push_back(verb->get_name());
  return "unknown verb '" + word + "'" + config::DidYouMean(word, verbs);
}

int ReportParseError(const CLI::App& app, const CLI::ParseError& error, std::string_view first) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const std::string verb = chosen.empty() ? "" : " " + chosen[0]->get_name();
  std::string what = error.what();
  if (chosen.empty() && what.find("-o") == std::string::npos) {
    what = first.empty() || first.starts_with('-') ? "expected a verb"
                                                   : VerbMistake(app, std::string(first));
  }
  std::fprintf(stderr, "cox%s: %s (see `cox%s --help`)\n", verb.c_str(), what.c_str(),
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
    return ReportParseError(app, error, argc > 1 ? argv[1] : "");
  }
  if (!session.StartTimeout()) return kUsage;
  return session.action();
}

}  // namespace coxswain::cli::verbs
