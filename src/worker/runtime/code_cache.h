// Code that jobs have brought (spec.code), fetched from the coordinator once and kept.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/code/code_store.h"
#include "worker/runtime/coordinator_link.h"

namespace coxswain::worker {

// Where archives come from.
class CodeSource {
 public:
  virtual ~CodeSource() = default;
  // The bytes from `offset`, some of them at least. Blocks, for a limited time. NOT_FOUND: it is
  // not there; others: the coordinator cannot be reached now, and why.
  virtual absl::StatusOr<code::CodePart> Read(const std::string& id, uint64_t offset) = 0;
};

// In worker/rpc.
std::unique_ptr<CodeSource> MakeCodeSource(const CoordinatorSettings& settings);

// Thread-safe; fetches on a thread of its own, one archive after the other.
class CodeCache {
 public:
  CodeCache(std::string folder, std::unique_ptr<CodeSource> source);
  ~CodeCache();  // at most one read of the source later

  // Where the archive is, checked. UNAVAILABLE: it is being fetched, ask again; the text says what
  // holds it up. NOT_FOUND: the source does not have it; asking again asks it again.
  // INVALID_ARGUMENT: no name of an archive.
  absl::StatusOr<std::string> Find(const std::string& id);
  // What was not used for so long. Blocks for the disk.
  void RemoveOld(base::Duration unused) { store_.RemoveUnused({}, unused); }

 private:
  void Run();
  absl::Status Fetch(const std::string& id);

  code::CodeStore store_;
  const std::unique_ptr<CodeSource> source_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_. What is to be fetched, and how that went last; OK: it has not been tried.
  std::map<std::string, absl::Status> wanted_;
  std::map<std::string, absl::Status> given_up_;  // guarded by mutex_; not yet told
  bool stopping_ = false;                         // guarded by mutex_
  std::thread thread_;
};

}  // namespace coxswain::worker
