#include <CLI/CLI.hpp>

#include "cli/output/table.h"
#include "cli/output/words.h"
#include "cli/verbs/verb.h"
#include "common/base/version.h"

namespace coxswain::cli::verbs {
namespace {

int Version(const Session& session, bool client_only) {
  if (!session.machine_readable()) session.Print(std::string("cox ") + base::kVersion + "\n");
  if (client_only) {
    if (session.machine_readable())
      session.PrintStructured(std::string("{\"client\":\"") + base::kVersion + "\"}");
    return kSuccess;
  }
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  const auto info = (*client)->GetServerInfo();
  if (!info.ok()) return session.Fail(info.status());
  if (session.machine_readable()) {
    session.PrintStructured(std::string("{\"client\":\"") + base::kVersion +
                            "\",\"server\":" + info->json + "}");
    return kSuccess;
  }
  output::Fields fields;
  fields.Add("Coordinator", info->version);
  fields.Add("Cluster", info->cluster_id + ", term " + std::to_string(info->term));
  fields.Add("Started", output::When(info->started_us));
  fields.Add("Status page", info->http_address.empty() ? "" : "http://" + info->http_address + "/");
  fields.Add("Workers connect to", info->worker_address);
  if (!info->writable) fields.Add("Read-only", {info->why_not_writable, output::Colour::kRed});
  for (const std::string& warning : info->warnings)
    fields.Add("Warning", {warning, output::Colour::kYellow});
  session.Print(fields.ToString(session.out()));
  return kSuccess;
}

}  // namespace

void AddVersion(CLI::App* app, Session* session) {
  auto client_only = std::make_shared<bool>(false);
  CLI::App* verb =
      app->add_subcommand("version", "Versions of cox and of the coordinator, and its warnings");
  verb->add_flag("--client", *client_only, "only of cox; asks nobody");
  verb->footer("\nExamples:\n  cox version\n  cox version --client");
  verb->callback([=] { session->action = [=] { return Version(*session, *client_only); }; });
}

}  // namespace coxswain::cli::verbs
