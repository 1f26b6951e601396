#include "tests/fakes/blob/power_cut_files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace coxswain::fakes {

PowerCutFiles::PowerCutFiles() : root_(std::make_shared<Node>()) { root_->folder = true; }

void PowerCutFiles::IgnoreSync(bool of_files, bool of_folders) {
  ignore_file_sync_ = of_files;
  ignore_folder_sync_ = of_folders;
}

bool PowerCutFiles::Step() {
  if (left_ < 0) return false;
  ++operations_;
  return --left_ >= 0;
}

PowerCutFiles::Place PowerCutFiles::Find(const std::string& path) const {
  Place place{nullptr, root_, ""};
  for (size_t begin = 1; begin < path.size() + 1;) {
    size_t end = std::min(path.find('/', begin), path.size());
    std::string name = path.substr(begin, end - begin);
    if (!name.empty()) {
      if (!place.node || !place.node->folder) return {};
      auto found = place.node->entries.find(name);
      NodePtr next = found == place.node->entries.end() ? nullptr : found->second;
      place = {place.node, next, name};
    }
    begin = end + 1;
  }
  return place;
}

void PowerCutFiles::ApplyTo(Entries* entries, const EntryChange& change) {
  for (const auto& [name, node] : change) {
    if (node) {
      (*entries)[name] = node;
    } else {
      entries->erase(name);
    }
  }
}

void PowerCutFiles::Change(const NodePtr& folder, EntryChange change) {
  ApplyTo(&folder->entries, change);
  folder->unsynced_changes.push_back(std::move(change));
}

int PowerCutFiles::CreateFile(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (!Step()) return -EIO;
  Place place = Find(path);
  if (!place.parent) return -ENOENT;
  if (place.node) return -EEXIST;
  NodePtr node = std::make_shared<Node>();
  Change(place.parent, {{place.name, node}});
  open_[next_fd_] = node;
  return next_fd_++;
}

int PowerCutFiles::OpenForRead(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (!Step()) return -EIO;
  Place place = Find(path);
  if (!place.node) return -ENOENT;
  open_[next_fd_] = place.node;
  return next_fd_++;
}

int64_t PowerCutFiles::Write(int fd, const char* from, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  if (!Step()) return -EIO;
  Node& node = *open_.at(fd);
  bytes = std::min<uint64_t>(bytes, 4096);  // short writes, so that a tear can be between two
  node.unsynced.push_back({node.bytes.size(), std::string(from, bytes)});
  node.bytes.append(from, bytes);
  return static_cast<int64_t>(bytes);
}

int64_t PowerCutFiles::ReadAt(int fd, char* to, uint64_t bytes, uint64_t offset) {
  std::lock_guard lock(mutex_);
  if (!Step()) return -EIO;
  const Node& node = *open_.at(fd);
  if (offset >= node.bytes.size()) return 0;
  bytes = std::min<uint64_t>(bytes, node.bytes.size() - offset);
  std::memcpy(to, node.bytes.data() + offset, bytes);
  return static_cast<int64_t>(bytes);
}

int64_t PowerCutFiles::Size(int fd) {
  std::lock_guard lock(mutex_);
  if (!Step()) return -EIO;
  const Node& node = *open_.at(fd);
  return node.folder ? -EISDIR : static_cast<int64_t>(node.bytes.size());
}

int PowerCutFiles::Sync(int fd) {
  std::lock_guard lock(mutex_);
  if (!Step()) return -EIO;
  Node& node = *open_.at(fd);
  if (node.folder ? ignore_folder_sync_ : ignore_file_sync_) return 0;
  node.durable_bytes = node.bytes;
  node.unsynced.clear();
  node.durable_entries = node.entries;
  node.unsynced_changes.clear();
  return 0;
}

void PowerCutFiles::Close(int fd) {
  std::lock_guard lock(mutex_);
  open_.erase(fd);
}

int PowerCutFiles::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  if (!Step()) return -EIO;
  Place source = Find(from), target = Find(to);
  if (!source.node || !target.parent) return -ENOENT;
  if (source.parent == target.parent) {
    Change(source.parent, {{source.name, nullptr}, {target.name, source.node}});
  } else {
    Change(target.parent, {{target.name, source.node}});
    Change(source.parent, {{source.name, nullptr}});
  }
  return 0;
}

int PowerCutFiles::RenameNoReplace(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  if (!cut() && Find(to).node) return -EEXIST;
  return Rename(from, to);
}

int PowerCutFiles::Unlink(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (!Step()) return -EIO;
  Place place = Find(path);
  if (!place.node) return -ENOENT;
  if (place.node->folder) return -EISDIR;
  Change(place.parent, {{place.name, nullptr}});
  return 0;
}

int PowerCutFiles::MakeFolder(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (!Step()) return -EIO;
  Place place = Find(path);
  if (place.node) return -EEXIST;
  if (!place.parent) return -ENOENT;
  NodePtr node = std::make_shared<Node>();
  node->folder = true;
  Change(place.parent, {{place.name, node}});
  return 0;
}

int PowerCutFiles::RemoveFolder(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (!Step()) return -EIO;
  Place place = Find(path);
  if (!place.node) return -ENOENT;
  if (!place.node->folder) return -ENOTDIR;
  if (!place.node->entries.empty()) return -ENOTEMPTY;
  Change(place.parent, {{place.name, nullptr}});
  return 0;
}

int PowerCutFiles::ReadFolder(const std::string& path,
                              std::vector<trainer::blob::FileEntry>* entries) {
  std::lock_guard lock(mutex_);
  if (!Step()) return -EIO;
  Place place = Find(path);
  if (!place.node) return -ENOENT;
  if (!place.node->folder) return -ENOTDIR;
  for (const auto& [name, node] : place.node->entries) entries->push_back({name, node->folder});
  return 0;
}

void PowerCutFiles::Revive(Node& node, Survival survival, base::Rng& random) {
  for (const EntryChange& change : node.unsynced_changes) {
    bool kept =
        survival == Survival::kNamesOnly || (survival == Survival::kRandom && random.Below(2) == 0);
    if (kept) ApplyTo(&node.durable_entries, change);
  }
  for (const Chunk& chunk : node.unsynced) {
    if (survival != Survival::kRandom || random.Below(3) == 0) continue;  // lost
    uint64_t kept = random.Below(2) == 0 ? chunk.bytes.size() : random.Below(chunk.bytes.size());
    std::string& bytes = node.durable_bytes;
    bytes.resize(std::max(bytes.size(), chunk.offset + kept), '\0');
    bytes.replace(chunk.offset, kept, chunk.bytes, 0, kept);
  }
  node.bytes = node.durable_bytes;
  node.unsynced.clear();
  node.entries = node.durable_entries;
  node.unsynced_changes.clear();
  for (auto& [name, child] : node.entries) Revive(*child, survival, random);
}

void PowerCutFiles::Restart(Survival survival, uint64_t seed) {
  base::Rng random(seed);
  open_.clear();
  Revive(*root_, survival, random);
  left_ = INT64_MAX;
}

}  // namespace coxswain::fakes
