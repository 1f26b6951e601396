// Archives of code by their names (code_id.h), each a file of its own. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/time.h"

namespace coxswain::code {

// A part of an archive on its way.
struct CodePart {
  std::string data;
  uint64_t total_bytes = 0;  // of the whole archive
};

class CodeStore {
 public:
  // `folder` is made when it is first written to; empty: there is nothing, and nothing is taken.
  // What an earlier life had not finished is kept.
  explicit CodeStore(std::string folder) : folder_(std::move(folder)) {}

  bool Has(const std::string& id) const;
  // Where it is; counts as used now. NOT_FOUND.
  absl::StatusOr<std::string> PathOf(const std::string& id) const;

  // Takes the bytes at `offset`, if they are the next ones; returns the number of bytes that are
  // there then, from which to go on: `total_bytes`: it is whole, checked and on disk. Several may
  // send the same archive at once; each goes on from what it is told. No data: only asks.
  // INVALID_ARGUMENT: no name of an archive, a size beyond the limit, or the bytes are not those
  // that the name says, or no archive (they are dropped then).
  // RESOURCE_EXHAUSTED, UNAVAILABLE: the disk. FAILED_PRECONDITION: there is no folder.
  absl::StatusOr<uint64_t> Add(const std::string& id, uint64_t total_bytes, uint64_t offset,
                               std::string_view data);
  // At most `most` bytes from `offset`; counts as used now. NOT_FOUND; OUT_OF_RANGE.
  absl::StatusOr<CodePart> Read(const std::string& id, uint64_t offset, size_t most) const;

  // Removes what is not in `keep`, is not whole, or both, and has not been used for so long.
  // Returns the names of the archives among it.
  std::vector<std::string> RemoveUnused(const std::set<std::string>& keep, base::Duration unused);

 private:
  std::string FileOf(const std::string& id) const;  // the whole archive
  std::string PartOf(const std::string& id) const;  // as much as has come
  absl::Status Append(const std::string& part, std::string_view data);
  absl::Status Finish(const std::string& id);

  const std::string folder_;
  std::mutex mutex_;  // of all writing
};

}  // namespace coxswain::code
