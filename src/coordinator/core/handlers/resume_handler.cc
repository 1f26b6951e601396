#include "coordinator/core/handlers/resume_handler.h"

#include <algorithm>

#include "coordinator/core/handlers/store_work_handler.h"

namespace coxswain::coordinator::core {
namespace {

bool HasVerified(const Turn& turn, JobId job) {
  std::vector<const CheckpointRow*> rows = turn.tables.checkpoints().OfJob(job);
  return std::any_of(rows.begin(), rows.end(), [](const CheckpointRow* row) {
    return row->state == CheckpointState::kVerified && !row->collect;
  });
}

bool BeginsWith(const std::string& resume_uri, const JobRequest& request, const std::string& uri) {
  if (resume_uri == uri) return true;
  const auto& asked = request.resume_from;
  return std::any_of(asked.begin(), asked.end(),
                     [&](const protocol::RestoreCandidate& each) { return each.uri == uri; });
}

// "c3", if that is the one at this place, and is being deleted.
std::string NameIfDeleted(const Turn& turn, const std::string& uri) {
  if (uri.empty()) return "";
  for (JobId job : turn.tables.checkpoints().Jobs()) {
    for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(job)) {
      if (row->uri == uri && ToCollect(*row)) return base::ToString(row->id);
    }
  }
  return "";
}

}  // namespace

std::string DropDeleted(Turn& turn, JobSubmitted* event) {
  auto& asked = event->request.resume_from;
  std::string first = asked.empty() ? NameIfDeleted(turn, event->resume_uri) : "";
  std::erase_if(asked, [&](const protocol::RestoreCandidate& each) {
    const CheckpointRow* row = turn.tables.checkpoints().Find(each.id);
    if (row == nullptr || !ToCollect(*row)) return false;
    if (first.empty()) first = base::ToString(each.id);
    return true;
  });
  if (first.empty()) return "";
  if (asked.empty()) {
    return "checkpoint " + first +
           " is being deleted, because newer ones have taken its place; name the job, for its "
           "newest";
  }
  event->resume_uri = asked.front().uri;
  const CheckpointRow* row = turn.tables.checkpoints().Find(asked.front().id);
  if (row != nullptr && !event->request.resume_node.empty()) event->request.resume_node = row->node;
  return "";
}

std::set<std::string> YetToBegin(const Turn& turn) {
  std::set<std::string> uris;
  auto add = [&](const std::string& uri, const JobRequest& request) {
    if (!uri.empty()) uris.insert(uri);
    for (const protocol::RestoreCandidate& each : request.resume_from) uris.insert(each.uri);
  };
  for (const auto& [id, job] : turn.tables.jobs().live()) {
    if (!job.resume_uri.empty() && !HasVerified(turn, id)) add(job.resume_uri, job.request);
  }
  for (const auto& [id, waiting] : turn.soft.submissions) {
    add(waiting.event.resume_uri, waiting.event.request);
  }
  return uris;
}

void LetGo(Turn& turn, const std::string& resume_uri, const JobRequest& request) {
  if (resume_uri.empty()) return;
  for (JobId of : turn.tables.checkpoints().Jobs()) {
    for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(of)) {
      if (ToCollect(*row) && BeginsWith(resume_uri, request, row->uri)) WantStoreWork(turn, of);
    }
  }
}

void LetGo(Turn& turn, const JobRow& job) { LetGo(turn, job.resume_uri, job.request); }

}  // namespace coxswain::coordinator::core
