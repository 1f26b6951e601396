// A file system in memory that keeps apart what is written and what is on the disk. When the power
// goes, every write, creation, rename and removal that was not synced may be kept, lost, or (a
// write) torn. Syncing a file makes its bytes durable, not its name; syncing a folder makes its
// entries durable. Threads: the file calls from any; the rest while none of them runs.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "trainer/blob/file_ops.h"

namespace coxswain::fakes {

// What becomes of things not synced.
enum class Survival { kNothing, kNamesOnly, kRandom };

class PowerCutFiles final : public trainer::blob::FileOps {
 public:
  PowerCutFiles();

  // The power goes at the n-th operation from now (0: the next): it and all later ones fail with
  // EIO and change nothing.
  void CutAt(int64_t operation) { left_ = operation; }
  bool cut() const { return left_ < 0; }
  // Power is back: what was open is closed, only what survived is there, nothing is cut any more.
  void Restart(Survival survival, uint64_t seed);
  // A disk that answers syncs at once and does nothing.
  void IgnoreSync(bool of_files, bool of_folders);
  int64_t operations() const { return operations_; }

  int CreateFile(const std::string& path) override;
  int OpenForRead(const std::string& path) override;
  int64_t Write(int fd, const char* from, uint64_t bytes) override;
  int64_t ReadAt(int fd, char* to, uint64_t bytes, uint64_t offset) override;
  int64_t Size(int fd) override;
  int Sync(int fd) override;
  void Close(int fd) override;
  int Rename(const std::string& from, const std::string& to) override;
  int RenameNoReplace(const std::string& from, const std::string& to) override;
  int Unlink(const std::string& path) override;
  int MakeFolder(const std::string& path) override;
  int RemoveFolder(const std::string& path) override;
  int ReadFolder(const std::string& path, std::vector<trainer::blob::FileEntry>* entries) override;

 private:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  using Entries = std::map<std::string, NodePtr>;
  using EntryChange = std::map<std::string, NodePtr>;  // one operation; null: removed
  struct Chunk {
    uint64_t offset;
    std::string bytes;
  };
  struct Node {
    bool folder = false;
    std::string bytes, durable_bytes;
    std::vector<Chunk> unsynced;
    Entries entries, durable_entries;
    std::vector<EntryChange> unsynced_changes;
  };
  struct Place {
    NodePtr parent, node;  // null: not there
    std::string name;
  };

  bool Step();  // false: no power
  Place Find(const std::string& path) const;
  static void Change(const NodePtr& folder, EntryChange change);
  static void ApplyTo(Entries* entries, const EntryChange& change);
  void Revive(Node& node, Survival survival, base::Rng& random);

  std::recursive_mutex mutex_;
  NodePtr root_;
  std::map<int, NodePtr> open_;
  int next_fd_ = 3;
  int64_t left_ = INT64_MAX;
  int64_t operations_ = 0;
  bool ignore_file_sync_ = false, ignore_folder_sync_ = false;
};

}  // namespace coxswain::fakes
