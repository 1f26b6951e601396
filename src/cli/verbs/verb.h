// Each verb adds itself to the command line; chosen, it sets session->action. `session` outlives
// both.
#pragma once

#include "cli/verbs/session.h"

namespace CLI {
class App;
}

namespace coxswain::cli::verbs {

void AddRun(CLI::App* app, Session* session);
void AddSubmit(CLI::App* app, Session* session);
void AddJobs(CLI::App* app, Session* session);
void AddDescribe(CLI::App* app, Session* session);
void AddLogs(CLI::App* app, Session* session);
void AddMetrics(CLI::App* app, Session* session);
void AddCheckpoints(CLI::App* app, Session* session);
void AddWait(CLI::App* app, Session* session);
void AddCancel(CLI::App* app, Session* session);
void AddExplain(CLI::App* app, Session* session);
void AddQueues(CLI::App* app, Session* session);
void AddNodes(CLI::App* app, Session* session);
void AddDrain(CLI::App* app, Session* session);
void AddEvents(CLI::App* app, Session* session);
void AddValidate(CLI::App* app, Session* session);
void AddVersion(CLI::App* app, Session* session);

}  // namespace coxswain::cli::verbs
