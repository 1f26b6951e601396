// One segment of a recording, as bytes: a line that says what it is, then records of
// [size u32][hash u64][type, value]. It begins with the whole state of a core; then come the events
// that entered it, each with a digest of what was decided. Records are checked one by one, so that
// the end of a process may cut off the last one only.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "coordinator/record/recorded.h"

namespace coxswain::coordinator::record {

Verdict VerdictOf(const core::Decisions& decisions);
std::string ToString(const Verdict& verdict);  // "3 changes, 1 order, 0 replies, 1 reason"

// "WorkerReported: RankExited", "JobSubmitted".
std::string KindOf(const core::EventBody& body);

// Changes whenever a recorded type does.
uint64_t Layout();

// The first line with its newline.
std::string FirstLine();
std::string Encode(const Beginning& beginning);
std::string Encode(const core::Event& event, const core::Decisions& decisions);
std::string Encode(const Ending& ending);

class SegmentReader {
 public:
  // `bytes` outlives it. InvalidArgument: not a recording, or of another version.
  static absl::StatusOr<SegmentReader> Open(std::string_view bytes);

  enum class Next : uint8_t { kBeginning, kTurn, kEnding, kNothing };
  // The next record, into what fits it. kNothing: the end of the bytes. DataLoss: the record at
  // at() is not what was written. OutOfRange: it is cut off.
  absl::StatusOr<Next> Read(Beginning* beginning, TurnRecord* turn, Ending* ending);
  size_t at() const { return at_; }

 private:
  SegmentReader(std::string_view bytes, size_t at) : bytes_(bytes), at_(at) {}
  std::string_view bytes_;
  size_t at_ = 0;
};

}  // namespace coxswain::coordinator::record
