// What is done from time to time: retention, and an eye on the disk.
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "common/base/clock.h"
#include "common/log/log.h"
#include "coordinator/runtime/runtime.h"

namespace coxswain::coordinator::runtime {

constexpr int kLowDiskPercent = 5;
constexpr base::Duration kLookAtCode = std::chrono::hours(1);
constexpr base::Duration kKeepCode = std::chrono::hours(24);  // since it was used

void Runtime::KeepHouse() {
  do {
    WatchDisk();
    WatchQueues();
    FindExpired();
    RemoveOldCode();
    metrics_->Prune(options_.metric_retention);
  } while (!housekeeping_.WaitClosed(options_.housekeeping));
}

// Below 5 % free: a warning at once; if it is so still at the next look, metric points are no
// longer stored, and events no longer recorded. State is never shed.
void Runtime::WatchDisk() {
  struct statvfs disk;
  if (options_.data_dir.empty() || statvfs(options_.data_dir.c_str(), &disk) != 0) return;
  bool low = disk.f_bavail * 100 < disk.f_blocks * kLowDiskPercent;
  bool shed = low && disk_was_low_;
  std::string text;
  if (low) {
    double percent = 100.0 * static_cast<double>(disk.f_bavail) /
                     static_cast<double>(std::max<uint64_t>(disk.f_blocks, 1));
    text = absl::StrFormat("the disk of %s has %.1f %% free: free some space%s", options_.data_dir,
                           percent, shed ? "; metrics are not stored until then" : "");
  }
  if (low != disk_was_low_) {
    low ? log::Warn(text) : log::Info("the disk has space again: metrics are stored");
  }
  SetWarning("disk", text);
  metrics_->Shed(shed);
  if (recorder_ != nullptr) recorder_->Shed(shed);
  disk_was_low_ = low;
}

// What is wrong with queues is said once in the log; the pages tell it as long as it is so.
void Runtime::WatchQueues() {
  const std::vector<std::string> now = ListQueues().warnings;
  for (const std::string& text : now) {
    const auto& said = said_of_queues_;
    if (std::find(said.begin(), said.end(), text) == said.end()) log::Warn(text);
  }
  said_of_queues_ = now;
}

void Runtime::FindExpired() {
  absl::StatusOr<store::RetentionFound> found = readers_.With([&](store::StateReader& reader) {
    return reader.FindExpired(options_.retention, base::WallNow());
  });
  if (!found.ok() || (found->jobs.empty() && !found->events_up_to)) return;
  decide_->Post(core::RetentionDue{std::move(found->jobs), found->events_up_to}).IgnoreError();
}

// Code that no job will start from any more.
void Runtime::RemoveOldCode() {
  if (base::MonotonicNow() < look_at_code_) return;
  look_at_code_ = base::MonotonicNow() + kLookAtCode;
  store::JobFilter filter;
  filter.states = {core::JobState::kPending, core::JobState::kRunning, core::JobState::kRecovering};
  filter.limit = UINT32_MAX;
  absl::StatusOr<std::vector<JobView>> jobs = ListJobs(filter);
  if (!jobs.ok()) return;
  std::set<std::string> named;
  for (const JobView& job : *jobs) named.insert(job.record.job.request.code);
  const size_t removed = code_.RemoveUnused(named, kKeepCode).size();
  if (removed > 0) log::Info(absl::StrCat("removed the code of ", removed, " old jobs"));
}

}  // namespace coxswain::coordinator::runtime
