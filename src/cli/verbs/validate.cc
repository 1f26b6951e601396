#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/verbs/job_file.h"
#include "cli/verbs/job_view.h"
#include "cli/verbs/rejection.h"
#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {
namespace {

// {"valid":false,"mistakes":[{"file":..., "line":4, "key":..., "text":...}],"warnings":[]}
int ReportToMachine(const Session& session, const JobFileFlags& flags) {
  const absl::StatusOr<std::string> text = ReadText(flags);
  if (!text.ok()) {
    session.Note("cox: " + std::string(text.status().message()));
    return kUsage;
  }
  std::shared_ptr<const rpc::Code> code;
  const auto parsed = Parse(flags, *text, &code);
  const auto* job = std::get_if<config::ParsedJob>(&parsed);
  nlohmann::ordered_json out = {{"valid", job != nullptr},
                                {"mistakes", nlohmann::ordered_json::array()},
                                {"warnings", nlohmann::ordered_json::array()}};
  if (job != nullptr) {
    for (const std::string& warning : job->warnings) out["warnings"].push_back(warning);
  } else {
    out["mistakes"] = MistakesJson(std::get<std::vector<config::Mistake>>(parsed));
  }
  session.PrintStructured(
      out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  return job != nullptr ? kSuccess : kRejected;
}

int Validate(const Session& session, const JobFileFlags& flags) {
  if (session.machine_readable()) return ReportToMachine(session, flags);
  const auto read = ReadJobFile(session, flags);
  if (const int* code = std::get_if<int>(&read)) return *code;
  const JobFile& file = std::get<JobFile>(read);
  for (const std::string& warning : file.warnings) {
    session.Note(NameOf(flags) + ": warning: " + warning);
  }
  const config::JobSpec& spec = file.spec;
  session.Print(output::OneLine(NameOf(flags)) + " is a valid job: " + spec.metadata.name + ", " +
                RanksText(spec.workers, spec.min_workers, spec.max_workers) +
                ". Data and store are checked by `cox submit --dry-run`.\n");
  return kSuccess;
}

}  // namespace

void AddValidate(CLI::App* app, Session* session) {
  auto flags = std::make_shared<JobFileFlags>();
  CLI::App* verb = app->add_subcommand("validate", "Check a job file; needs no coordinator");
  AddJobFileFlags(verb, flags.get());
  verb->footer(
      "\nReports every mistake with file and line; 106 if there is one. -o json and yaml: valid, "
      "mistakes\n(file, line, key, text) and warnings.\n\n"
      "Examples:\n  cox validate job.yaml\n  cox validate job.yaml --set spec.workers=4\n"
      "  cox validate job.yaml -o json | jq '.mistakes[].text'");
  verb->callback([=] { session->action = [=] { return Validate(*session, *flags); }; });
}

}  // namespace coxswain::cli::verbs
