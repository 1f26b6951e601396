// Reads one output stream of a rank from the files its shim keeps ("stdout.0", "stdout.8388608").
// Offsets count from the stream's first byte, whatever has been removed since.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace coxswain::worker::process {

struct LogRange {
  uint64_t oldest = 0;  // offset of the oldest byte kept
  uint64_t end = 0;     // of the byte after the newest
};

class LogFiles {
 public:
  LogFiles(std::string folder, bool stderr_stream);

  // NotFound if there is no file of the stream.
  absl::StatusOr<LogRange> Range() const;

  // Up to `most` bytes from `offset`; fewer at a file's end; empty at the stream's end. OutOfRange:
  // "rotated away: the oldest byte kept is N".
  absl::StatusOr<std::string> Read(uint64_t offset, size_t most) const;

  // Where the last `lines` lines begin (an unended line counts as one).
  absl::StatusOr<uint64_t> TailOffset(uint32_t lines) const;

  const std::string& folder() const { return folder_; }

 private:
  const std::string folder_;
  const std::string prefix_;  // "stdout."
};

}  // namespace coxswain::worker::process
