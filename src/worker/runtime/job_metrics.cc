#include "worker/runtime/job_metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/process/files.h"
#include "worker/runtime/metric_record.h"

namespace coxswain::worker {
namespace {

constexpr int kThinnedOften = 6;           // to one point in 64
constexpr uint64_t kTrimBytes = 64 << 10;  // acknowledged bytes that may stay in the last segment

}  // namespace

JobMetrics::JobMetrics(std::string folder, base::JobId job, uint64_t segment_bytes,
                       uint64_t number_from)
    : folder_(std::move(folder)),
      job_(job),
      segment_bytes_(segment_bytes),
      number_from_(number_from) {}

JobMetrics::~JobMetrics() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::unique_ptr<JobMetrics>> JobMetrics::Open(const std::string& folder,
                                                             base::JobId job,
                                                             uint64_t segment_bytes,
                                                             uint64_t number_from) {
  if (absl::Status s = process::MakeFolder(folder); !s.ok()) return s;
  std::unique_ptr<JobMetrics> metrics(new JobMetrics(folder, job, segment_bytes, number_from));
  if (absl::Status s = metrics->TakeOver(); !s.ok()) return s;
  return metrics;
}

std::string JobMetrics::Path(const Segment& segment) const {
  return absl::StrCat(folder_, "/", segment.first, ".seg");
}

absl::Status JobMetrics::TakeOver() {
  std::error_code ignored;
  for (std::filesystem::directory_iterator it(folder_, ignored), end; it != end;
       it.increment(ignored)) {
    if (it->path().extension() != ".seg") continue;
    segments_.push_back({strtoull(it->path().stem().c_str(), nullptr, 10), 0, 0});
  }
  std::sort(segments_.begin(), segments_.end(),
            [](const Segment& a, const Segment& b) { return a.first < b.first; });
  for (Segment& segment : segments_) {
    std::vector<protocol::MetricBatch> records = Load(segment, &segment.bytes);
    last_batch_ = std::max(last_batch_, segment.first - 1);
    if (!records.empty()) last_batch_ = std::max(last_batch_, records.back().batch);
    bytes_ += segment.bytes;
  }
  if (segments_.empty()) return BeginSegment();
  acknowledged_ = segments_.front().first - 1;
  std::string path = Path(segments_.back());
  fd_ = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd_ < 0) return process::ErrnoStatus(errno, path);
  // Appending after a torn record would hide what follows it.
  if (ftruncate(fd_, static_cast<off_t>(segments_.back().bytes)) != 0) {
    return process::ErrnoStatus(errno, path);
  }
  return absl::OkStatus();
}

absl::Status JobMetrics::BeginSegment() {
  Segment segment{NextNumber(), 0, 0};
  std::string path = Path(segment);
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return process::ErrnoStatus(errno, path);
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
  if (segments_.empty() || segments_.back().first != segment.first) segments_.push_back(segment);
  return absl::OkStatus();
}

absl::Status JobMetrics::Append(std::vector<protocol::MetricPoint> points, uint64_t dropped) {
  protocol::MetricBatch batch{job_, NextNumber(), std::move(points), dropped + lost_};
  uint64_t at_risk = batch.points.size() + batch.dropped;
  std::string record = EncodeRecord(batch);
  if (segments_.back().bytes > 0 && segments_.back().bytes + record.size() > segment_bytes_) {
    if (absl::Status s = BeginSegment(); !s.ok()) {
      lost_ = at_risk;
      return s;
    }
  }
  Segment& segment = segments_.back();
  ssize_t n = write(fd_, record.data(), record.size());
  if (n != static_cast<ssize_t>(record.size())) {
    int error = n < 0 ? errno : ENOSPC;
    if (ftruncate(fd_, static_cast<off_t>(segment.bytes)) != 0) error = errno;
    lost_ = at_risk;
    return process::ErrnoStatus(error, Path(segment));
  }
  lost_ = 0;
  last_batch_ = batch.batch;
  segment.bytes += record.size();
  bytes_ += record.size();
  return absl::OkStatus();
}

std::optional<protocol::MetricBatch> JobMetrics::Next(uint64_t after) {
  if (after >= last_batch_) return std::nullopt;
  while (!ahead_.empty() && ahead_.front().batch <= after) ahead_.pop_front();
  bool gapless = !ahead_.empty() && ahead_.front().batch == after + 1;
  for (size_t i = 0; i < segments_.size() && !gapless; ++i) {
    if (i + 1 < segments_.size() && segments_[i + 1].first <= after + 1) continue;
    uint64_t end = 0;
    std::vector<protocol::MetricBatch> records = Load(segments_[i], &end);
    ahead_.clear();
    for (protocol::MetricBatch& record : records) {
      if (record.batch > after) ahead_.push_back(std::move(record));
    }
    if (!ahead_.empty()) break;
  }
  if (ahead_.empty()) return std::nullopt;
  protocol::MetricBatch batch = std::move(ahead_.front());
  ahead_.pop_front();
  batch.job = job_;
  return batch;
}

void JobMetrics::Trim(uint64_t batch) {
  acknowledged_ = std::max(acknowledged_, std::min(batch, last_batch_));
  while (segments_.size() > 1 && segments_[1].first <= acknowledged_ + 1) Remove(0);
  if (empty() && segments_.back().bytes > kTrimBytes && BeginSegment().ok()) Remove(0);
}

void JobMetrics::Remove(size_t index) {
  unlink(Path(segments_[index]).c_str());
  bytes_ -= segments_[index].bytes;
  segments_.erase(segments_.begin() + static_cast<ptrdiff_t>(index));
  ahead_.clear();
}

bool JobMetrics::Thin() {
  if (segments_.size() == 1 && segments_[0].bytes > 0 && !BeginSegment().ok()) return false;
  size_t best = segments_.size() - 1;  // the last is being written
  for (size_t i = segments_.size() - 1; i-- > 0;) {
    if (best == segments_.size() - 1 || segments_[i].thinned <= segments_[best].thinned) best = i;
  }
  if (best == segments_.size() - 1) return false;
  if (segments_[best].thinned >= kThinnedOften) {
    CountLost(segments_[best]);
    Remove(best);
  } else {
    Rewrite(best);
  }
  return true;
}

void JobMetrics::CountLost(const Segment& segment) {
  uint64_t end = 0;
  for (const protocol::MetricBatch& record : Load(segment, &end)) {
    if (record.batch > acknowledged_) lost_ += record.points.size() + record.dropped;
  }
}

// Every second point goes; each record says how many went. Where even the smaller copy finds no
// room, the segment goes as a whole.
void JobMetrics::Rewrite(size_t index) {
  Segment& segment = segments_[index];
  uint64_t end = 0;
  std::string copy;
  size_t turn = 0;
  for (protocol::MetricBatch& record : Load(segment, &end)) {
    if (record.batch <= acknowledged_) continue;
    std::vector<protocol::MetricPoint> kept;
    for (protocol::MetricPoint& point : record.points) {
      if (turn++ % 2 == 0) kept.push_back(std::move(point));
    }
    record.dropped += record.points.size() - kept.size();
    record.points = std::move(kept);
    copy += EncodeRecord(record);
  }
  if (!process::WriteFile(Path(segment), copy, false).ok()) {
    CountLost(segment);
    return Remove(index);
  }
  bytes_ -= segment.bytes - copy.size();
  segment.bytes = copy.size();
  ++segment.thinned;
  ahead_.clear();
}

std::vector<protocol::MetricBatch> JobMetrics::Load(const Segment& segment, uint64_t* end) const {
  std::vector<protocol::MetricBatch> records;
  std::string bytes = process::ReadFile(Path(segment)).value_or("");
  std::string_view rest = bytes;
  size_t size = 0;
  while (std::optional<protocol::MetricBatch> record = DecodeRecord(rest, &size)) {
    records.push_back(std::move(*record));
    rest.remove_prefix(size);
  }
  *end = bytes.size() - rest.size();
  return records;
}

}  // namespace coxswain::worker
