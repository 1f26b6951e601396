// A directory of code as one archive, and back. Packed as tar (pax) with zstd; any tar archive is
// taken, also with gzip, xz or as it is, so that pipelines may make theirs with `tar`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace coxswain::code {

inline constexpr size_t kMostArchiveBytes = 64u << 20;      // packed
inline constexpr uint64_t kMostUnpackedBytes = 512u << 20;  // all files together
inline constexpr size_t kMostEntries = 20'000;
// Of patterns to leave out, one a line; in the directory itself.
inline constexpr char kIgnoreFile[] = ".coxignore";

struct Packed {
  std::string archive;
  size_t files = 0;
  uint64_t bytes = 0;  // before packing
};

// Left out: .git, __pycache__, and what .coxignore names: shell patterns, one a line, against the
// name or, where the pattern has a '/', the path; a '#' begins a comment. The same files give the
// same bytes: sorted, without times and owners. Symbolic links are kept as such.
//
// NOT_FOUND: no such directory. INVALID_ARGUMENT: it is no directory, has nothing to pack, a link
// that leads out of it, or something that is no file. RESOURCE_EXHAUSTED: a limit above; names the
// largest files. PERMISSION_DENIED, UNAVAILABLE: it cannot be read. The text names the path.
absl::StatusOr<Packed> Pack(const std::string& directory);

// Reads all of it and writes nothing. INVALID_ARGUMENT: it is no archive, is damaged, or holds what
// Unpack refuses: other things than files, directories and links; a path that is absolute or leads
// out with ".."; a link that leads out; more than the limits.
absl::Status CheckArchive(std::string_view archive);

// Into `directory`, which is made anew. As CheckArchive; UNAVAILABLE: the disk.
absl::Status Unpack(std::string_view archive, const std::string& directory);

}  // namespace coxswain::code
