#include "sim/task_runner.h"

#include "sim/machine.h"
#include "sim/worker_host.h"
#include "sim/world.h"

namespace coxswain::sim {
namespace {

using base::Duration;
using base::milliseconds;
using base::seconds;
using protocol::TaskKind;

// The text value after "key": in the argument, as the core writes it; empty: it is not there.
std::string TextAt(const std::string& json, const std::string& key, size_t from = 0) {
  std::string head = "\"" + key + "\":\"";
  size_t at = json.find(head, from);
  if (at == std::string::npos) return "";
  at += head.size();
  return json.substr(at, json.find('"', at) - at);
}

bool AtSubmit(const protocol::StartTask& task) {
  return task.argument.find("\"at_submit\":true") != std::string::npos;
}

}  // namespace

void TaskRunner::Launch(const worker::core::LaunchTask& act) {
  base::TaskId id = act.task.task;
  processes_[id] = {act.task, act.incarnation, {}};
  world_.journal.Add(Counted::kTasks);
  worker_.After(world_.dice.Span(milliseconds(10), milliseconds(400)), [this, id] {
    auto found = processes_.find(id);
    if (found == processes_.end()) return;
    found->second.connection = worker_.NewConnection();
    worker::TrainerIdentity identity{{}, found->second.incarnation, id};
    worker_.Feed(worker::core::TrainerConnected{found->second.connection, identity});
  });
}

void TaskRunner::Run(const worker::core::SendTask& act) {
  bool check = act.task.kind == TaskKind::kCheck;
  Try(act.task.task, world_.queue.now() + (check ? seconds(3) : seconds(60)));
}

void TaskRunner::Try(base::TaskId id, base::Time give_up) {
  worker_.After(world_.dice.Span(milliseconds(5), milliseconds(800)), [this, id, give_up] {
    auto found = processes_.find(id);
    if (found == processes_.end()) return;
    const protocol::StartTask task = found->second.task;
    if (world_.blobs.away && world_.queue.now() < give_up) return Try(id, give_up);
    Report(id, world_.blobs.away ? Away(task) : Result(task));
  });
}

void TaskRunner::Report(base::TaskId id, protocol::TaskEnded ended) {
  ended.task = id;
  worker_.Feed(worker::core::TaskReported{processes_.at(id).connection, std::move(ended)});
}

void TaskRunner::Acknowledge(const worker::core::AcknowledgeTask& act) {
  for (const auto& [id, process] : processes_) {
    if (process.connection != act.connection) continue;
    return worker_.After(milliseconds(2), [this, id = id] { End(id, 0, 0); });
  }
}

void TaskRunner::KillOne() {
  if (!processes_.empty()) End(processes_.begin()->first, 0, 9);
}

void TaskRunner::End(base::TaskId id, int code, int signal) {
  worker_.After(milliseconds(1), [this, id, code, signal] {
    auto found = processes_.find(id);
    if (found == processes_.end()) return;
    base::Incarnation incarnation = found->second.incarnation;
    processes_.erase(found);
    protocol::ExitRecord exit{.code = code, .signal = signal};
    worker_.Feed(worker::core::TaskProcessEnded{id, incarnation, exit});
  });
}

protocol::TaskEnded TaskRunner::Away(const protocol::StartTask& task) const {
  protocol::TaskEnded ended;
  ended.error = "the store does not answer";
  ended.user_error = task.kind == TaskKind::kCheck && AtSubmit(task);
  return ended;
}

protocol::TaskEnded TaskRunner::Result(const protocol::StartTask& task) {
  switch (task.kind) {
    case TaskKind::kCheck:
      return Check(task);
    case TaskKind::kVerify:
      return Verify(task);
    case TaskKind::kCollect:
      return Collect(task);
  }
  return {};
}

protocol::TaskEnded TaskRunner::Check(const protocol::StartTask& task) {
  protocol::TaskEnded ended;
  const JobPlan& job = world_.PlanOf(task.spec_yaml);
  std::string place = world_.blobs.Place(job.request.store, worker_.machine().index());
  std::string mark = TextAt(task.argument, "write");
  if (task.argument.find("\"checkpoint\":") != std::string::npos) {
    std::string uri = TextAt(task.argument, "uri");
    ended.ok =
        world_.blobs.Has(world_.blobs.Place(uri, worker_.machine().index()), uri, "manifest");
    ended.error = ended.ok ? "" : "the checkpoint is not seen here";
    ended.user_error = !ended.ok;
    return ended;
  }
  if (!mark.empty()) {
    world_.blobs.Put(place, "mark", mark, {});
  } else if (mark = TextAt(task.argument, "see"); !mark.empty()) {
    if (!world_.blobs.Has(place, "mark", mark)) {
      ended.error = "the store is not one place for all machines";
      ended.user_error = true;
      return ended;
    }
  } else if (job.bad_data) {
    ended.error = "the data is wrong";
    ended.user_error = true;
    return ended;
  } else if (task.argument.find("\"resume\":") != std::string::npos) {
    return CheckResume(task, job);
  }
  ended.ok = true;
  return ended;
}

protocol::TaskEnded TaskRunner::CheckResume(const protocol::StartTask& task,
                                            const JobPlan& job) const {
  const std::string& text = task.argument;
  bool uncommitted = text.find("\"uncommitted\":true") != std::string::npos;
  bool elsewhere = text.find("\"elsewhere\":true") != std::string::npos;
  bool damaged = false;  // the newest
  protocol::TaskEnded ended;
  for (size_t at = text.find("\"resume\":"); (at = text.find("\"uri\":", at)) != std::string::npos;
       ++at) {
    std::string uri = TextAt(text, "uri", at), hash = TextAt(text, "manifest_hash", at);
    std::string place = world_.blobs.Place(uri, worker_.machine().index());
    Reading reading = world_.blobs.Read(place, uri, hash, uncommitted);
    // The data is not read, so that what is damaged in it is not seen.
    bool looks_well = reading.verdict == Reading::kCorrupt && world_.blobs.EverDamaged(uri) &&
                      world_.blobs.Has(place, uri, "manifest");
    if (reading.verdict == Reading::kWhole || looks_well) {
      ended.ok = true;
      ended.error = job.plan.Done(reading.step, reading.position) ? "nothing is left to train" : "";
      return ended;
    }
    if (!ended.error.empty()) continue;
    ended.error = "resume_from: " + reading.why;
    damaged = reading.verdict == Reading::kCorrupt;
  }
  ended.ok = elsewhere || (damaged && !AtSubmit(task));
  ended.user_error = !ended.ok;
  return ended;
}

protocol::TaskEnded TaskRunner::Verify(const protocol::StartTask& task) {
  std::string uri = TextAt(task.argument, "uri");
  std::string place = world_.blobs.Place(uri, worker_.machine().index());
  Reading reading = world_.blobs.Read(place, uri, TextAt(task.argument, "manifest_hash"), true);
  protocol::TaskEnded ended;
  ended.ok = reading.verdict == Reading::kWhole;
  ended.error = reading.why;
  ended.user_error = !ended.ok;
  return ended;
}

protocol::TaskEnded TaskRunner::Collect(const protocol::StartTask& task) {
  protocol::TaskEnded ended;
  const std::string& text = task.argument;
  size_t at = text.find('[');
  while ((at = text.find('"', at)) != std::string::npos) {
    size_t end = text.find('"', at + 1);
    std::string uri = text.substr(at + 1, end - at - 1);
    at = end + 1;
    world_.row_checker.Deleting(uri);
    world_.blobs.Remove(world_.blobs.Place(uri, worker_.machine().index()), uri);
  }
  world_.journal.Add(Counted::kCollected);
  ended.ok = true;
  return ended;
}

}  // namespace coxswain::sim
