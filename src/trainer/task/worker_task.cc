#include "trainer/task/worker_task.h"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "common/base/deadlines.h"
#include "common/log/log.h"
#include "trainer/task/by_hand.h"
#include "trainer/task/task.h"

namespace coxswain::trainer::task {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

int Unheard(const absl::Status& status) {
  log::Error(std::string(status.message()));
  return protocol::kExitInfrastructure;
}

}  // namespace

int RunForWorker(MakeLink make_link) {
  std::optional<base::TaskId> id = base::ParseTaskId(Variable("COXSWAIN_TASK"));
  std::string socket = Variable("COXSWAIN_SOCKET");
  if (!id || socket.empty()) {
    std::fprintf(stderr,
                 "cox-trainer: --task alone is for cox-worker, which sets COXSWAIN_TASK and "
                 "COXSWAIN_SOCKET. By hand:\n%s",
                 kTaskUsage);
    return 2;
  }
  constexpr base::Deadlines kDeadlines;
  std::unique_ptr<TaskLink> link = make_link({socket, *id});
  absl::StatusOr<protocol::StartTask> order = link->Receive(kDeadlines.TrainerReady());
  if (!order.ok()) return Unheard(order.status());
  protocol::TaskEnded ended = RunTask(*order, Variable("COXSWAIN_STORE"));
  // A worker that restarts takes the report when it is back.
  absl::Status reported = link->Report(ended, kDeadlines.Collective());
  return reported.ok() ? static_cast<int>(protocol::kExitOk) : Unheard(reported);
}

}  // namespace coxswain::trainer::task
