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

bool BeginsWith(const JobRow& job, const std::string& uri) {
  if (job.resume_uri == uri) return true;
  const auto& asked = job.request.resume_from;
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
  for (const auto& [id, job] : turn.tables.jobs().live()) {
    if (job.resume_uri.empty() || HasVerified(turn, id)) continue;
    uris.insert(job.resume_uri);
    for (const protocol::RestoreCandidate& each : job.request.resume_from) uris.insert(each.uri);
  }
  return uris;
}

void LetGo(Turn& turn, const JobRow& job) {
  if (job.resume_uri.empty()) return;
  for (JobId of : turn.tables.checkpoints().Jobs()) {
    for (const CheckpointRow* row : turn.tables.checkpoints().OfJob(of)) {
      if (ToCollect(*row) && BeginsWith(job, row->uri)) WantStoreWork(turn, of);
    }
  }
}

}  // namespace coxswain::coordinator::core
