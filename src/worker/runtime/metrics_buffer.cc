#include "worker/runtime/metrics_buffer.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "worker/process/files.h"

namespace coxswain::worker {
namespace {

constexpr uint64_t kSmallestSegment = 16 << 10;
constexpr uint64_t kLargestSegment = 1 << 20;
constexpr uint64_t kBatchesPerBoot = uint64_t{1} << 40;  // more than any boot will see

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsBuffer>> MetricsBuffer::Open(const std::string& folder,
                                                                   uint64_t limit_bytes,
                                                                   const std::string& boot_id) {
  if (absl::Status s = process::MakeFolder(folder); !s.ok()) return s;
  std::unique_ptr<MetricsBuffer> buffer(new MetricsBuffer(folder, limit_bytes));
  if (absl::Status s = buffer->CountBoot(boot_id); !s.ok()) return s;
  std::error_code ignored;
  for (std::filesystem::directory_iterator it(folder, ignored), end; it != end;
       it.increment(ignored)) {
    std::optional<base::JobId> job = base::ParseJobId(it->path().filename().string());
    if (!job) continue;
    if (absl::Status s = buffer->Find(*job).status(); !s.ok()) return s;
  }
  return buffer;
}

// In the file "boots": the present boot's id, and how many there were before it.
absl::Status MetricsBuffer::CountBoot(const std::string& boot_id) {
  const std::string path = absl::StrCat(folder_, "/boots");
  absl::StatusOr<std::string> text = process::ReadFile(path);
  if (!text.ok() && !absl::IsNotFound(text.status())) return text.status();
  if (text.ok()) {
    std::pair<std::string, std::string> parts = absl::StrSplit(*text, absl::MaxSplits(' ', 1));
    if (!absl::SimpleAtoi(parts.second, &boots_)) {
      return absl::DataLossError(
          absl::StrCat(path, " is damaged: expected a boot id and a number, found '", *text,
                       "'; remove the folder ", folder_));
    }
    if (parts.first == boot_id) return absl::OkStatus();
    ++boots_;
  }
  // On a full disk: counted again by the next life, with the same result.
  process::WriteFile(path, absl::StrCat(boot_id, " ", boots_, "\n"), true).IgnoreError();
  return absl::OkStatus();
}

uint64_t MetricsBuffer::SegmentBytes() const {
  return std::clamp(limit_bytes_ / 16, kSmallestSegment, kLargestSegment);
}

absl::StatusOr<JobMetrics*> MetricsBuffer::Find(base::JobId job) {
  std::unique_ptr<JobMetrics>& metrics = jobs_[job];
  if (metrics) return metrics.get();
  auto opened = JobMetrics::Open(absl::StrCat(folder_, "/", base::ToString(job)), job,
                                 SegmentBytes(), boots_ * kBatchesPerBoot);
  if (!opened.ok()) {
    jobs_.erase(job);
    return opened.status();
  }
  metrics = std::move(*opened);
  return metrics.get();
}

absl::Status MetricsBuffer::Append(base::JobId job, std::vector<protocol::MetricPoint> points,
                                   uint64_t dropped) {
  absl::StatusOr<JobMetrics*> metrics = Find(job);
  if (!metrics.ok()) return metrics.status();
  absl::Status s = (*metrics)->Append(std::move(points), dropped);
  KeepWithinLimit();
  return s;
}

std::optional<protocol::MetricBatch> MetricsBuffer::Next(base::JobId job, uint64_t after) {
  auto it = jobs_.find(job);
  if (it == jobs_.end()) return std::nullopt;
  return it->second->Next(after);
}

void MetricsBuffer::Trim(base::JobId job, uint64_t batch) {
  auto it = jobs_.find(job);
  if (it == jobs_.end()) return;
  it->second->Trim(batch);
  RemoveIfOver(job);
}

void MetricsBuffer::Forget(base::JobId job) {
  if (!jobs_.contains(job)) return;
  over_[job] = true;
  RemoveIfOver(job);
}

void MetricsBuffer::RemoveIfOver(base::JobId job) {
  auto it = jobs_.find(job);
  if (it == jobs_.end() || !over_.contains(job) || !it->second->empty()) return;
  jobs_.erase(it);
  over_.erase(job);
  std::error_code ignored;
  std::filesystem::remove_all(absl::StrCat(folder_, "/", base::ToString(job)), ignored);
}

void MetricsBuffer::SetLimit(uint64_t limit_bytes) {
  limit_bytes_ = limit_bytes;
  KeepWithinLimit();
}

void MetricsBuffer::KeepWithinLimit() {
  uint64_t total = bytes();
  while (total > limit_bytes_) {
    auto largest = std::max_element(jobs_.begin(), jobs_.end(), [](const auto& a, const auto& b) {
      return a.second->bytes() < b.second->bytes();
    });
    uint64_t before = largest->second->bytes();
    if (!largest->second->Thin()) return;
    total -= before - largest->second->bytes();
  }
}

std::vector<base::JobId> MetricsBuffer::Jobs() const {
  std::vector<base::JobId> jobs;
  for (const auto& [job, metrics] : jobs_) jobs.push_back(job);
  return jobs;
}

uint64_t MetricsBuffer::bytes() const {
  uint64_t total = 0;
  for (const auto& [job, metrics] : jobs_) total += metrics->bytes();
  return total;
}

}  // namespace coxswain::worker
