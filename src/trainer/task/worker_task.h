// A task for a worker: takes the order from the worker's socket, runs it, reports its end.
#pragma once

#include <memory>

#include "trainer/runtime/task_link.h"

namespace coxswain::trainer::task {

using MakeLink = std::unique_ptr<TaskLink> (*)(const TaskLinkSettings& settings);

// The environment names the socket (COXSWAIN_SOCKET), the task (COXSWAIN_TASK, "t12") and where
// jobs go that name no store (COXSWAIN_STORE). Returns the process's exit code: 0 once the worker
// has confirmed the report, whatever it says; 2: not started by a worker; 11: the worker could not
// be told.
int RunForWorker(MakeLink make_link);

}  // namespace coxswain::trainer::task
