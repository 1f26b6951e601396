#include <CLI/CLI.hpp>

#include "cli/verbs/job_file.h"
#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {
namespace {

int Validate(const Session& session, const JobFileFlags& flags) {
  const auto read = ReadJobFile(session, flags);
  if (const int* code = std::get_if<int>(&read)) return *code;
  const config::JobSpec& spec = std::get<JobFile>(read).spec;
  session.Print(flags.file + " is a valid job: " + spec.metadata.name + ", " +
                std::to_string(spec.workers) + (spec.workers == 1 ? " rank" : " ranks") +
                ". Data and store are checked by `cox submit --dry-run`.\n");
  return kSuccess;
}

}  // namespace

void AddValidate(CLI::App* app, Session* session) {
  auto flags = std::make_shared<JobFileFlags>();
  CLI::App* verb = app->add_subcommand("validate", "Check a job file; needs no coordinator");
  AddJobFileFlags(verb, flags.get());
  verb->footer(
      "\nReports every mistake with file and line; 106 if there is one.\n\n"
      "Examples:\n  cox validate job.yaml\n  cox validate job.yaml --set spec.workers=4");
  verb->callback([=] { session->action = [=] { return Validate(*session, *flags); }; });
}

}  // namespace coxswain::cli::verbs
