// Keeps one output stream of the rank in size-limited files of the current folder, named by the
// offset of their first byte ("stdout.0"), so that offsets stay true when old files are removed.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace coxswain::shim {

class LogPump {
 public:
  // Keeps the newest `files` files of `file_bytes` each.
  LogPump(std::string stream, uint64_t file_bytes, uint32_t files);
  ~LogPump();
  LogPump(const LogPump&) = delete;
  LogPump& operator=(const LogPump&) = delete;

  // Never fails and never waits for space: what the disk refuses is counted, and a line in the log
  // says so once there is room again.
  void Write(std::string_view data);

  // The last lines written, at most 4 KiB, also what the disk refused.
  std::string Tail() const;

  // End of the stream: says what was lost, as far as there is room.
  void Close();

 private:
  // Writes all of `data` and moves on; what could not be written is returned.
  std::string_view Append(std::string_view data);
  bool OpenSegment();
  void DropOldest();
  std::string LossLine() const;

  const std::string stream_;
  const uint64_t segment_bytes_;
  const size_t most_segments_;
  std::deque<uint64_t> segments_;  // start offsets of the files there are, ascending
  int fd_ = -1;
  uint64_t offset_ = 0;  // of the next byte
  uint64_t lost_bytes_ = 0;
  int lost_errno_ = 0;
  std::string tail_;
};

// What an exit record shows of both: the end of stderr, else of stdout. Where nothing but our own
// programs' log is on stderr, the end of stdout comes before it: a user's program has printed that.
std::string LastLines(std::string err, const std::string& out);

}  // namespace coxswain::shim
