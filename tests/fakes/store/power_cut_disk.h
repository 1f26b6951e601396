// Private to power_cut_vfs: files with what is durable of them, and what is pending.
#pragma once

#include <atomic>
#include <mutex>
#include <set>

#include "tests/fakes/store/power_cut_vfs.h"

namespace coxswain::fakes {

inline constexpr size_t kSectorBytes = 512;

// One change that no sync has covered.
struct Pending {
  bool truncate = false;
  uint64_t at = 0;  // offset, or the new size
  std::vector<uint8_t> bytes;
};

struct DiskFile {
  std::vector<uint8_t> current, durable;
  std::vector<Pending> pending;
  // Shared memory of the write-ahead log's index, and who holds its locks.
  std::vector<std::unique_ptr<uint8_t[]>> regions;
  int shared[8] = {};
  bool exclusive[8] = {};
  // File locks of the rollback journal.
  int readers = 0;
  bool reserved = false, pending_lock = false, writing = false;

  void Write(uint64_t at, const uint8_t* bytes, size_t n);
  void Truncate(uint64_t size);
  void Sync();
  std::vector<uint8_t> AfterCut(uint64_t seed, bool powersafe) const;
};

struct PowerCutDisk::State {
  std::string name;
  PowerCutOptions options;
  std::function<void(uint64_t)> hook;
  std::atomic<uint64_t> writes = 0;
  std::atomic<bool> fail_syncs = false;

  std::mutex mutex;
  // The folder as programs see it, and as it would be found: two sets of names.
  std::map<std::string, std::shared_ptr<DiskFile>> files;
  std::map<std::string, std::shared_ptr<DiskFile>> durable_names;

  // Before each change, without the lock.
  void Changing() {
    uint64_t n = ++writes;
    if (hook) hook(n);
  }
};

}  // namespace coxswain::fakes
