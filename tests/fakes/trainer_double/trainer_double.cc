// Stands in for cox-trainer in tests of the worker: runs the shell script in TRAINER_SCRIPT, or
// speaks to the worker by the real link: reports ready, sends a metric point each 2 ms ("step",
// value = step) and ends with code 0 when told to stop. As a task it reports its argument as its
// result.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atomic>

#include "trainer/runtime/task_link.h"
#include "trainer/runtime/trainer_link.h"

namespace {

using namespace coxswain;

int RunTask() {
  trainer::TaskLinkSettings settings{getenv("COXSWAIN_SOCKET"),
                                     *base::ParseTaskId(getenv("COXSWAIN_TASK"))};
  auto link = trainer::MakeTaskLink(settings);
  auto task = link->Receive(base::seconds(20));
  if (!task.ok()) return 11;
  protocol::TaskEnded ended;
  ended.task = task->task;
  ended.ok = true;
  ended.result = task->argument;
  return link->Report(ended, base::seconds(20)).ok() ? 0 : 11;
}

int RunRank() {
  trainer::LinkSettings settings;
  settings.socket = getenv("COXSWAIN_SOCKET");
  unsigned long job = 0, attempt = 0;
  unsigned rank = 0;
  sscanf(getenv("COXSWAIN_RANK_KEY"), "j%lu/%lu/%u", &job, &attempt, &rank);
  settings.key = {base::JobId(job), base::Attempt(attempt), rank};
  settings.incarnation = base::Incarnation(strtoull(getenv("COXSWAIN_INCARNATION"), nullptr, 10));
  std::atomic<bool> stop{false};
  auto link = trainer::MakeWorkerLink(settings);
  trainer::LinkEvents events;
  events.order = [&](const protocol::TrainerOrder& order) {
    if (std::holds_alternative<protocol::StopTraining>(order)) stop = true;
  };
  events.connected = [&] { link->SendReport(protocol::TrainerReady{"127.0.0.1:1", {}}); };
  events.refused = [](const std::string& reason) {
    fprintf(stderr, "refused: %s\n", reason.c_str());
    _exit(21);
  };
  link->Start(std::move(events));
  bool last = false;
  for (int64_t step = 1; !last; ++step) {
    last = stop;
    if (last) printf("last step %ld\n", static_cast<long>(step));
    fflush(stdout);
    protocol::MetricPoint point;
    point.name = "step";
    point.step = step;
    point.value = static_cast<double>(step);
    link->SendMetrics({point});
    usleep(2000);
  }
  bool flushed = link->Flush(base::seconds(20));
  link->Stop();
  return flushed ? 0 : 11;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "--task") == 0) return RunTask();
  if (const char* script = getenv("TRAINER_SCRIPT")) {
    execl("/bin/sh", "sh", "-c", script, nullptr);
    return 1;
  }
  return RunRank();
}
