#include "trainer/engine/collective/shared_segment.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <sstream>

#include "common/base/clock.h"

namespace coxswain::trainer::engine {
namespace {

constexpr uint64_t kMagic = 0x636f78'73756d'31;  // of this layout
constexpr size_t kPage = 4096;
constexpr long kSliceNanoseconds = 10'000'000;

size_t Bytes(uint32_t ranks) {
  return kPage * (1 + ranks) + SharedSegment::kSlotBytes * SharedSegment::kSlots * ranks;
}

absl::Status SystemError(absl::StatusCode code, const std::string& what) {
  return absl::Status(code, what + ": " + std::strerror(errno));
}

// One boot of one machine, one PID namespace (so that processes see each other in /proc), one
// network: what has an address of its own is a machine of its own.
std::string Machine() {
  std::string machine;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> machine;
  for (const char* path : {"/proc/self/ns/pid", "/proc/self/ns/net"}) {
    struct stat space {};
    if (stat(path, &space) == 0) machine += ":" + std::to_string(space.st_ino);
  }
  return machine;
}

int OpenProcess(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

bool Ended(int process) {
  pollfd entry{process, POLLIN, 0};
  return poll(&entry, 1, 0) == 1;
}

void WaitOn(std::atomic<uint32_t>& word, uint32_t seen) {
  timespec slice{0, kSliceNanoseconds};
  syscall(SYS_futex, &word, FUTEX_WAIT, seen, &slice, nullptr, 0);
}

}  // namespace

struct SharedSegment::Header {
  uint64_t magic;
  uint32_t ranks;
  std::atomic<uint32_t> failed;  // 1 + a rank that takes no further part
};

struct SharedSegment::RankWords {
  alignas(64) std::atomic<uint32_t> chunks[3];  // by ChunkStage
};

absl::StatusOr<std::unique_ptr<SharedSegment>> SharedSegment::Create(uint32_t ranks) {
  int probe = OpenProcess(getpid());
  if (probe < 0) return SystemError(absl::StatusCode::kUnimplemented, "pidfd_open");
  close(probe);
  int fd = memfd_create("coxswain-sum", MFD_CLOEXEC);
  if (fd < 0) return SystemError(absl::StatusCode::kUnimplemented, "memfd_create");
  // Reserved now: a page that cannot be had later would end the process.
  if (fallocate(fd, 0, 0, static_cast<off_t>(Bytes(ranks))) != 0) {
    absl::Status error = SystemError(absl::StatusCode::kResourceExhausted, "shared memory");
    close(fd);
    return error;
  }
  auto segment = Map(fd, 0, ranks);
  if (segment.ok()) {
    (*segment)->header().magic = kMagic;
    (*segment)->header().ranks = ranks;
  }
  return segment;
}

absl::StatusOr<std::unique_ptr<SharedSegment>> SharedSegment::Open(const std::string& name,
                                                                   uint32_t rank, uint32_t ranks) {
  std::istringstream parts(name);
  std::string machine;
  pid_t pid = 0;
  int number = -1;
  parts >> machine >> pid >> number;
  if (!parts || machine != Machine()) {
    return absl::FailedPreconditionError("rank 0 is on another machine or in another container");
  }
  std::string path = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(number);
  int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return SystemError(absl::StatusCode::kFailedPrecondition, path);
  struct stat info {};
  if (fstat(fd, &info) != 0 || static_cast<size_t>(info.st_size) != Bytes(ranks)) {
    close(fd);
    return absl::FailedPreconditionError(path + " is not a group's shared memory");
  }
  auto segment = Map(fd, rank, ranks);
  if (!segment.ok()) return segment;
  Header& header = (*segment)->header();
  if (header.magic != kMagic || header.ranks != ranks) {
    return absl::FailedPreconditionError(path + " is not this group's shared memory");
  }
  return segment;
}

absl::StatusOr<std::unique_ptr<SharedSegment>> SharedSegment::Map(int fd, uint32_t rank,
                                                                  uint32_t ranks) {
  void* memory = mmap(nullptr, Bytes(ranks), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    absl::Status error = SystemError(absl::StatusCode::kResourceExhausted, "shared memory");
    close(fd);
    return error;
  }
  return std::unique_ptr<SharedSegment>(
      new SharedSegment(fd, static_cast<char*>(memory), rank, ranks));
}

SharedSegment::SharedSegment(int fd, char* memory, uint32_t rank, uint32_t ranks)
    : fd_(fd), memory_(memory), rank_(rank), ranks_(ranks) {}

SharedSegment::~SharedSegment() {
  Fail();
  for (int process : processes_) close(process);
  munmap(memory_, Bytes(ranks_));
  close(fd_);
}

std::string SharedSegment::name() const {
  return Machine() + " " + std::to_string(getpid()) + " " + std::to_string(fd_);
}

absl::Status SharedSegment::WatchProcesses(const std::vector<pid_t>& pids) {
  for (pid_t pid : pids) {
    int process = OpenProcess(pid);
    if (process < 0) return SystemError(absl::StatusCode::kUnavailable, "a rank's process");
    processes_.push_back(process);
  }
  return absl::OkStatus();
}

SharedSegment::Header& SharedSegment::header() const { return *reinterpret_cast<Header*>(memory_); }

SharedSegment::RankWords& SharedSegment::words(uint32_t rank) const {
  return *reinterpret_cast<RankWords*>(memory_ + kPage * (1 + rank));
}

std::byte* SharedSegment::slot(uint32_t rank, uint32_t chunk) const {
  size_t slots = size_t{rank} * kSlots + chunk % kSlots;
  return reinterpret_cast<std::byte*>(memory_ + kPage * (1 + ranks_) + slots * kSlotBytes);
}

void SharedSegment::Advance(ChunkStage stage, uint32_t chunks) {
  std::atomic<uint32_t>& word = words(rank_).chunks[static_cast<uint32_t>(stage)];
  word.store(chunks, std::memory_order_release);
  syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

absl::Status SharedSegment::Await(ChunkStage stage, uint32_t chunks,
                                  const Patience& patience) const {
  for (uint32_t rank = 0; rank < ranks_; ++rank) {
    if (rank == rank_) continue;
    absl::Status status = AwaitRank(rank, stage, chunks, patience);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SharedSegment::AwaitRank(uint32_t rank, ChunkStage stage, uint32_t chunks,
                                      const Patience& patience) const {
  std::atomic<uint32_t>& word = words(rank).chunks[static_cast<uint32_t>(stage)];
  base::Time begin{};
  for (bool last_look = false;;) {
    uint32_t seen = word.load(std::memory_order_acquire);
    if (static_cast<int32_t>(seen - chunks) >= 0) return absl::OkStatus();
    // A rank that has ended may have come so far before: looked at once more.
    absl::Status over = WhyNoMore(patience);
    if (!over.ok() && last_look) return over;
    last_look = !over.ok();
    if (last_look) continue;
    base::Time now = base::MonotonicNow();
    if (begin == base::Time{}) begin = now;
    if (now - begin > patience.limit) {
      return absl::UnavailableError("rank " + std::to_string(rank) +
                                    " did not take part in an all-reduce in time");
    }
    WaitOn(word, seen);
  }
}

absl::Status SharedSegment::WhyNoMore(const Patience& patience) const {
  if (patience.given_up()) return absl::UnavailableError("the group was given up");
  if (uint32_t failed = header().failed.load(std::memory_order_acquire); failed != 0) {
    return absl::UnavailableError("rank " + std::to_string(failed - 1) + " has left the group");
  }
  for (uint32_t rank = 0; rank < processes_.size(); ++rank) {
    if (rank != rank_ && Ended(processes_[rank])) {
      return absl::UnavailableError("the process of rank " + std::to_string(rank) + " has ended");
    }
  }
  return absl::OkStatus();
}

void SharedSegment::Fail() {
  uint32_t none = 0;
  header().failed.compare_exchange_strong(none, 1 + rank_, std::memory_order_acq_rel);
}

}  // namespace coxswain::trainer::engine
