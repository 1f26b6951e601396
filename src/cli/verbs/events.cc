#include <CLI/CLI.hpp>

#include "cli/output/words.h"
#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {
namespace {

std::string Line(const Session& session, const rpc::Event& event) {
  using output::Colour;
  const Colour colour = event.severity == "error"     ? Colour::kRed
                        : event.severity == "warning" ? Colour::kYellow
                                                      : Colour::kNone;
  std::string about = event.job;
  if (!event.node.empty()) about += (about.empty() ? "" : " ") + event.node;
  std::string line =
      output::When(event.time_us) + "  " + (about.empty() ? "-" : output::Harmless(about)) + "  " +
      output::Paint(session.out(), colour, event.kind) + "  " + output::Harmless(event.text);
  if (session.wide()) line = std::to_string(event.cursor) + "  " + line;
  return line + "\n";
}

int Events(const Session& session, const rpc::EventRequest& request) {
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  std::string json = "{\"events\":[";
  bool first = true;
  const absl::Status status = (*client)->Events(request, [&](const rpc::Event& event) {
    if (!session.machine_readable()) {
      session.Print(Line(session, event));
    } else if (request.follow) {
      session.Print(event.json + "\n");
    } else {
      json += (first ? "" : ",") + event.json;
      first = false;
    }
  });
  if (!status.ok()) return session.Fail(status);
  if (session.machine_readable() && !request.follow) session.PrintStructured(json + "]}");
  return kSuccess;
}

}  // namespace

void AddEvents(CLI::App* app, Session* session) {
  auto request = std::make_shared<rpc::EventRequest>();
  CLI::App* verb = app->add_subcommand("events", "What has happened, oldest first");
  verb->add_option("--job", request->job, "only of this job (id or name)");
  verb->add_flag("-f,--follow", request->follow, "go on with new events");
  verb->add_option("--after", request->after, "only after this cursor (-o wide shows cursors)");
  verb->add_option("--limit", request->limit, "at most so many; 0: all");
  verb->footer(
      "\nWith -f, -o json prints one event a line.\n\n"
      "Examples:\n  cox events --job j12\n  cox events -f\n  cox events --after 1200 -o json");
  verb->callback([=] { session->action = [=] { return Events(*session, *request); }; });
}

}  // namespace coxswain::cli::verbs
