// Memory that the ranks of one group share when all of them run on one machine, and the words by
// which each tells the others how far it is.
//
// A memfd of rank 0, opened by the others through /proc: it ends with the last process that has it,
// however that ends. Every rank has kSlots slots of kSlotBytes; a chunk of a sum uses slot
// `chunk % kSlots`. Chunks are counted from the group's start, over all sums.
//
// Threads: all methods from one thread, but for Fail.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/time.h"

namespace coxswain::trainer::engine {

// What a rank has done with a chunk, each a count of chunks.
enum class ChunkStage : uint32_t { kPublished, kSummed, kTaken };

class SharedSegment {
 public:
  static constexpr size_t kSlotBytes = size_t{1} << 20;
  static constexpr uint32_t kSlots = 3;

  // Rank 0's, its memory reserved. Error: RESOURCE_EXHAUSTED, UNIMPLEMENTED (an old kernel).
  static absl::StatusOr<std::unique_ptr<SharedSegment>> Create(uint32_t ranks);
  // By the name that rank 0 gave. Error: FAILED_PRECONDITION if it is on another machine or in
  // another container, or may not be opened.
  static absl::StatusOr<std::unique_ptr<SharedSegment>> Open(const std::string& name, uint32_t rank,
                                                             uint32_t ranks);
  ~SharedSegment();
  SharedSegment(const SharedSegment&) = delete;
  SharedSegment& operator=(const SharedSegment&) = delete;

  // Machine, process and descriptor of this rank's memory; for Open.
  std::string name() const;
  // From now on, Await ends when one of these processes (one a rank) has ended. Error: UNAVAILABLE,
  // one has ended already.
  absl::Status WatchProcesses(const std::vector<pid_t>& pids);

  std::byte* slot(uint32_t rank, uint32_t chunk) const;
  void Advance(ChunkStage stage, uint32_t chunks);
  struct Patience {
    std::function<bool()> given_up;  // asked about a hundred times a second
    base::Duration limit{};
  };
  // Until every rank has come so far. Error: UNAVAILABLE, saying which rank did not and why.
  absl::Status Await(ChunkStage stage, uint32_t chunks, const Patience& patience) const;
  // Tells the others that this rank takes no further part. From any thread.
  void Fail();

 private:
  struct Header;
  struct RankWords;

  SharedSegment(int fd, char* memory, uint32_t rank, uint32_t ranks);
  static absl::StatusOr<std::unique_ptr<SharedSegment>> Map(int fd, uint32_t rank, uint32_t ranks);
  Header& header() const;
  RankWords& words(uint32_t rank) const;
  absl::Status AwaitRank(uint32_t rank, ChunkStage stage, uint32_t chunks,
                         const Patience& patience) const;
  absl::Status WhyNoMore(const Patience& patience) const;

  const int fd_;
  char* const memory_;
  const uint32_t rank_, ranks_;
  std::vector<int> processes_;  // a pidfd for each rank
};

}  // namespace coxswain::trainer::engine
