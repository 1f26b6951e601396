#include "cli/verbs/program.h"

#include <CLI/CLI.hpp>
#include <sstream>

#include "cli/output/standard_output.h"
#include "cli/verbs/verb.h"
#include "common/base/nearest_name.h"
#include "common/base/version.h"

namespace coxswain::cli::verbs {
namespace {

constexpr char kFooter[] =
    "\nExit codes: 0 success, 1 cannot reach the coordinator or the call failed, 2 usage, 100 the "
    "job failed\n"
    "in the user's code, 101 not finished, 102 not found, 103 cancelled, 104 failed by "
    "infrastructure after\n"
    "all retries, 105 timed out or preempted for good, 106 rejected, 124 --timeout ran out.\n\n"
    "Try `cox run configs/jobs/fashion-mnist.yaml`. Help on a verb: `cox VERB --help`.";

constexpr char kEveryVerb[] =
    "\n\nAnd, as with every verb (`cox --help` says more): -o table|wide|json|yaml, --server "
    "HOST:PORT,\n--token-file FILE, --timeout DURATION.";

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
  return "unknown verb '" + word + "'" + base::DidYouMean(word, verbs);
}

// Of a command line without a verb, which begins with this word.
std::string Mistake(const CLI::App& app, const std::string& first) {
  const std::string flag = first.substr(0, first.find('='));
  if (first.starts_with('-') && app.get_option_no_throw(flag) == nullptr) {
    return "unknown flag '" + output::Harmless(flag) + "'";
  }
  if (!first.empty() && !first.starts_with('-')) return VerbMistake(app, first);
  std::string verbs;
  for (const CLI::App* verb : app.get_subcommands({})) {
    verbs += (verbs.empty() ? "" : ", ") + verb->get_name();
  }
  return "expected a verb: " + verbs;
}

// `cox help submit` is `cox submit --help`.
std::vector<const char*> Words(int argc, const char* const* argv) {
  std::vector<const char*> words(argv, argv + argc);
  if (argc < 2 || std::string_view(argv[1]) != "help") return words;
  words.erase(words.begin() + 1);
  words.resize(std::min<size_t>(words.size(), 2));
  words.push_back("--help");
  return words;
}

int ReportParseError(const Session& session, const CLI::App& app, const CLI::ParseError& error,
                     const std::string& first) {
  if (error.get_exit_code() == 0) {  // --help, --version
    std::ostringstream text;
    const int code = app.exit(error, text, text);
    session.Print(text.str());
    return code;
  }
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const std::string verb = chosen.empty() ? "" : " " + chosen[0]->get_name();
  std::string what = error.what();
  if (chosen.empty() && what.find("-o") == std::string::npos) what = Mistake(app, first);
  std::fprintf(stderr, "cox%s: %s (see `cox%s --help`)\n", verb.c_str(),
               output::Harmless(what).c_str(), verb.c_str());
  return kUsage;
}

}  // namespace

int RunCox(int argc, const char* const* argv) {
  output::HoldStandardDescriptors();
  CLI::App app{
      "cox trains models on a fleet of machines: one coordinator decides, workers run the ranks.",
      "cox"};
  Session session;
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("cox ") + base::kVersion);
  app.get_formatter()->column_width(34);
  AddGlobalFlags(&app, &session);
  for (auto add :
       {AddRun, AddSubmit, AddJobs, AddDescribe, AddLogs, AddMetrics, AddCheckpoints, AddWait,
        AddCancel, AddExplain, AddQueues, AddNodes, AddDrain, AddEvents, AddValidate, AddVersion}) {
    add(&app, &session);
  }
  for (CLI::App* verb : app.get_subcommands({})) verb->footer(verb->get_footer() + kEveryVerb);
  const std::vector<const char*> words = Words(argc, argv);
  try {
    app.parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::ParseError& error) {
    return ReportParseError(session, app, error, words.size() > 1 ? words[1] : "");
  }
  if (!session.StartTimeout()) return kUsage;
  return session.CodeAfterOutput(session.action());
}

}  // namespace coxswain::cli::verbs
