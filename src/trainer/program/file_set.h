// A folder as a rank's share of a checkpoint, and back. Each file is a tensor of bytes, named
// "RANK/PATH"; "RANK" alone is a list of the files with their sizes and modes, which every rank
// gives, even one without files.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "trainer/blob/checkpoint_io.h"

namespace coxswain::trainer::program {

// The regular files below a folder; links are followed as long as they lead to such.
class FileSet {
 public:
  // No files at all.
  explicit FileSet(base::Rank rank);
  // INVALID_ARGUMENT: the folder, or something in it, cannot be taken; names it and says why.
  static absl::StatusOr<FileSet> Collect(const std::string& folder, base::Rank rank);

  // Copies and hashes all of it. INVALID_ARGUMENT: a file has become smaller, or cannot be read.
  absl::StatusOr<std::shared_ptr<const blob::ShardBuffer>> Read() const;
  size_t files() const { return files_.size(); }

 private:
  struct File {
    std::string path;  // below the folder
    uint64_t bytes = 0;
    uint32_t mode = 0644;
  };
  std::string List() const;

  base::Rank rank_;
  std::string folder_;
  std::vector<File> files_;  // by path
};

// Writes the files of a checkpoint to `folder`, which is made anew: those of all ranks together,
// and where several have given a file of one name, that of `rank`, else of the lowest.
// INVALID_ARGUMENT: it is a checkpoint of a recipe, not of a program. UNAVAILABLE: the disk.
absl::Status WriteFiles(const blob::RestoredState& state, base::Rank rank,
                        const std::string& folder);

}  // namespace coxswain::trainer::program
