// The worker's core: what ranks, trainers and tasks do.
#include <utility>

#include "common/base/rng.h"
#include "worker/core/worker.h"

namespace coxswain::worker::core {
namespace {

// What the coordinator must hear is kept while nobody listens: it is told with the next welcome,
// not only when the trainer repeats it. The hello has where a trainer is; progress is soon out of
// date.
bool KeptForLater(const protocol::TrainerReport& report) {
  return !std::holds_alternative<protocol::TrainerReady>(report) &&
         !std::holds_alternative<protocol::TrainerProgress>(report);
}

std::string HowItEnded(const protocol::ExitRecord& exit) {
  if (!exit.note.empty()) return exit.note;
  std::string text = exit.signal != 0 ? "ended by signal " + std::to_string(exit.signal)
                                      : "ended with code " + std::to_string(exit.code);
  std::string log = exit.last_log;
  while (!log.empty() && log.back() == '\n') log.pop_back();
  size_t line = log.rfind('\n');
  if (line != std::string::npos) log.erase(0, line + 1);
  return log.empty() ? text : text + ": " + log;
}

}  // namespace

void Worker::On(const RankRunning& event) {
  RankEntry* entry = ranks_.Find(event.key, event.incarnation);
  if (entry == nullptr || !entry->Live()) return;
  bool news = entry->pid != event.pid;
  entry->pid = event.pid;
  if (news) TellState(*entry);
}

void Worker::On(const RankEnded& event) {
  RankEntry* entry = ranks_.Find(event.key, event.incarnation);
  if (entry == nullptr || !entry->Live()) return;
  entry->state = protocol::RankState::kExited;
  entry->exit = event.exit;
  entry->connection = ConnectionId();
  entry->waiting.clear();
  for (const std::string& gpu : entry->start.gpu_uuids) gpu_released_[gpu] = event_->now;
  Say("rank " + ToString(event.key) + " " + HowItEnded(event.exit));
  TellState(*entry);
  if (!entry->next) return;
  protocol::StartRank next = std::move(*entry->next);
  ranks_.Erase(event.key);
  Launch(next);
}

void Worker::On(const TrainerConnected& event) {
  if (event.identity.task) return OnTaskConnected(event);
  RankEntry* entry = ranks_.Find(event.identity.key, event.identity.incarnation);
  if (entry == nullptr || !entry->Live()) {
    return Do(RefuseTrainer{event.connection, "rank " + ToString(event.identity.key) +
                                                  " has been given to another process, or was "
                                                  "never on this worker"});
  }
  entry->connection = event.connection;
  for (protocol::TrainerOrder& order : entry->waiting) {
    Do(SendToTrainer{event.connection, std::move(order)});
  }
  entry->waiting.clear();
}

void Worker::On(const TrainerDisconnected& event) {
  if (RankEntry* entry = ranks_.FindByConnection(event.connection)) {
    entry->connection = ConnectionId();
  }
  if (TaskEntry* task = tasks_.FindByConnection(event.connection)) {
    task->connection = ConnectionId();
  }
}

void Worker::On(const TrainerReported& event) {
  RankEntry* entry = ranks_.FindByConnection(event.connection);
  if (entry == nullptr) return;
  if (const auto* ready = std::get_if<protocol::TrainerReady>(&event.report)) {
    entry->ready = *ready;
    if (entry->state == protocol::RankState::kStarting) entry->state = protocol::RankState::kReady;
    if (ready->generation) entry->state = protocol::RankState::kRunning;
  } else if (std::holds_alternative<protocol::GenerationFormed>(event.report)) {
    entry->state = protocol::RankState::kRunning;
  }
  if (session_ == Session::kWelcomed) {
    Report(protocol::FromTrainer{entry->start.key, entry->start.incarnation, event.report});
  } else if (KeptForLater(event.report)) {
    entry->unsent.insert_or_assign(event.report.index(), event.report);
  }
}

// Between the hello and the welcome nothing can be told; what changes then is told after it.
void Worker::TellState(RankEntry& entry) {
  const protocol::StartRank& start = entry.start;
  entry.told = session_ == Session::kWelcomed;
  if (entry.exit) {
    Report(protocol::RankExited{start.key, start.incarnation, *entry.exit});
  } else if (entry.pid != 0) {
    Report(protocol::RankStarted{start.key, start.incarnation, entry.pid});
  }
}

void Worker::TellWhatWaited() {
  for (auto& [key, entry] : ranks_.all()) {
    if (!entry.told) TellState(entry);
    for (auto& [kind, report] : entry.unsent) {
      Report(protocol::FromTrainer{key, entry.start.incarnation, std::move(report)});
    }
    entry.unsent.clear();
  }
  for (auto& [id, task] : tasks_.all()) {
    if (!task.result || task.told) continue;
    task.told = true;
    Report(*task.result);
  }
}

void Worker::OnTaskConnected(const TrainerConnected& event) {
  TaskEntry* task = tasks_.Find(event.identity.task);
  // A task process need not know its incarnation: a task is never given to two processes at once.
  base::Incarnation incarnation = event.identity.incarnation;
  bool other = task != nullptr && incarnation && task->incarnation != incarnation;
  if (task == nullptr || task->result || !task->incarnation || other) {
    return Do(RefuseTrainer{event.connection, "task " + base::ToString(event.identity.task) +
                                                  " is over, or was never on this worker"});
  }
  task->connection = event.connection;
  Do(SendTask{event.connection, task->task});
}

void Worker::On(const TaskReported& event) {
  TaskEntry* task = tasks_.FindByConnection(event.connection);
  if (task == nullptr) return;
  EndTask(*task, event.ended);
  Do(AcknowledgeTask{event.connection});
}

void Worker::On(const TaskProcessEnded& event) {
  TaskEntry* task = tasks_.Find(event.task);
  if (task == nullptr || task->incarnation != event.incarnation) return;
  task->process_ended = true;
  protocol::TaskEnded silent;
  std::string how = HowItEnded(event.exit);
  silent.error = "the " + std::string(protocol::ToString(task->task.kind)) + " task " +
                 (event.exit.note.empty() ? how : "could not be done: " + how);
  silent.user_error = event.exit.code == protocol::kExitUserError;
  EndTask(*task, std::move(silent));
  tasks_.Trim();
  StartTasks();
}

// The first result counts.
void Worker::EndTask(TaskEntry& entry, protocol::TaskEnded result) {
  if (entry.result) return;
  result.task = entry.task.task;
  entry.deadline.reset();
  entry.told = session_ == Session::kWelcomed;
  entry.result = result;
  Report(std::move(result));
}

// A coordinator that starts asks anew for all it wants. Its store may have been restored from an
// older copy: then the numbers of its tasks come again, and an old result would answer another
// question.
void Worker::ForgetTasks() {
  for (auto& [id, task] : tasks_.all()) {
    if (task.incarnation && !task.process_ended) Do(StopTask{id});
  }
  tasks_ = TaskTable();
}

void Worker::StartTasks() {
  uint64_t entropy = event_->entropy;
  while (TaskEntry* entry = tasks_.NextToStart()) {
    entropy = base::Mix64(entropy);
    entry->incarnation = base::Incarnation(entropy | 1);  // never 0
    if (entry->task.kind == protocol::TaskKind::kCheck) {
      entry->deadline = event_->now + settings_.deadlines.CheckTask();
    }
    Do(LaunchTask{entry->task, entry->incarnation});
  }
}

}  // namespace coxswain::worker::core
