#include "shim/log_pump.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/base/log_line.h"

namespace coxswain::shim {
namespace {

constexpr size_t kTailBytes = 4096;
constexpr size_t kOwnTailBytes = 1024;  // of those, where ours come after a program's
constexpr uint64_t kSmallestSegment = 4096;

// Whole lines, unless one alone is longer.
std::string EndOf(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  text.remove_prefix(text.size() - most);
  size_t line = text.find('\n');
  if (line != std::string_view::npos && line + 1 < text.size()) text.remove_prefix(line + 1);
  return std::string(text);
}

}  // namespace

LogPump::LogPump(std::string stream, uint64_t file_bytes, uint32_t files)
    : stream_(std::move(stream)),
      segment_bytes_(std::max(file_bytes, kSmallestSegment)),
      most_segments_(std::max(files, 1u)) {
  OpenSegment();
}

LogPump::~LogPump() {
  if (fd_ >= 0) close(fd_);
}

void LogPump::Write(std::string_view data) {
  tail_.append(data);
  if (tail_.size() > 4 * kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
  if (lost_bytes_ > 0) {
    std::string line = LossLine();
    if (!Append(line).empty()) {
      lost_bytes_ += data.size();
      return;
    }
    lost_bytes_ = 0;
  }
  lost_bytes_ += Append(data).size();
}

void LogPump::Close() {
  if (lost_bytes_ > 0 && Append(LossLine()).empty()) lost_bytes_ = 0;
}

std::string LogPump::Tail() const { return EndOf(tail_, kTailBytes); }

std::string LastLines(std::string err, const std::string& out) {
  if (err.empty()) return out;
  if (out.empty() || !base::IsOwnLog(err)) return err;
  const std::string ours = EndOf(err, kOwnTailBytes);
  std::string lines = EndOf(out, kTailBytes - kOwnTailBytes - 1);
  if (!lines.ends_with('\n')) lines += '\n';
  return lines + ours;
}

std::string_view LogPump::Append(std::string_view data) {
  while (!data.empty()) {
    bool full = !segments_.empty() && offset_ - segments_.back() >= segment_bytes_;
    if ((fd_ < 0 || full) && !OpenSegment()) return data;
    size_t room = segment_bytes_ - (offset_ - segments_.back());
    ssize_t n = write(fd_, data.data(), std::min(room, data.size()));
    if (n > 0) {
      offset_ += static_cast<uint64_t>(n);
      data.remove_prefix(static_cast<size_t>(n));
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else {
      lost_errno_ = errno;
      if (errno != ENOSPC || segments_.size() < 2) return data;
      DropOldest();  // old lines make room for new ones
    }
  }
  return data;
}

bool LogPump::OpenSegment() {
  std::string name = stream_ + "." + std::to_string(offset_);
  int fd = open(name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) {
    lost_errno_ = errno;
    return false;
  }
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
  if (segments_.empty() || segments_.back() != offset_) segments_.push_back(offset_);
  if (segments_.size() > most_segments_) DropOldest();
  return true;
}

void LogPump::DropOldest() {
  unlink((stream_ + "." + std::to_string(segments_.front())).c_str());
  segments_.pop_front();
}

std::string LogPump::LossLine() const {
  return "\n[coxswain: " + std::to_string(lost_bytes_) +
         " bytes of output are lost here: " + strerror(lost_errno_) + "]\n";
}

}  // namespace coxswain::shim
