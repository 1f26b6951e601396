#include "sim/blob_store.h"

namespace coxswain::sim {

std::string ShardName(base::Rank rank) { return "shard-" + std::to_string(rank); }

std::string BlobStore::Place(const std::string& uri, uint32_t machine) const {
  if (!uri.starts_with("file:")) return "s3";
  return shared_files_ ? "shared" : "disk-" + std::to_string(machine);
}

void BlobStore::Put(const std::string& place, const std::string& uri, const std::string& name,
                    Blob blob) {
  folders_[{place, uri}][name] = std::move(blob);
}

bool BlobStore::Has(const std::string& place, const std::string& uri,
                    const std::string& name) const {
  auto folder = folders_.find({place, uri});
  return folder != folders_.end() && folder->second.contains(name);
}

bool BlobStore::Remove(const std::string& place, const std::string& uri) {
  return folders_.erase({place, uri}) > 0;
}

Reading BlobStore::Read(const std::string& place, const std::string& uri,
                        const std::string& manifest_hash, bool uncommitted) const {
  Reading out;
  auto refuse = [&](Reading::Verdict verdict, std::string why) {
    out.verdict = verdict;
    out.why = std::move(why);
    return out;
  };
  auto folder = folders_.find({place, uri});
  if (folder == folders_.end() || !folder->second.contains("manifest")) {
    return refuse(manifest_hash.empty() ? Reading::kNotFound : Reading::kCorrupt, "no manifest");
  }
  const Folder& objects = folder->second;
  const Blob& manifest = objects.at("manifest");
  if (manifest_hash.empty() && !objects.contains("committed") && !uncommitted) {
    return refuse(Reading::kUncommitted, "not committed");
  }
  if (manifest.damaged || (!manifest_hash.empty() && manifest.hash != manifest_hash)) {
    return refuse(Reading::kCorrupt, "another manifest");
  }
  out.step = manifest.step;
  out.position = manifest.position;
  for (const protocol::Shard& shard : manifest.shards) {
    auto found = objects.find(shard.object);
    if (found == objects.end()) return refuse(Reading::kCorrupt, shard.object + " is missing");
    if (found->second.damaged || found->second.hash != shard.hash) {
      return refuse(Reading::kCorrupt, shard.object + " reads differently");
    }
    if (&shard == &manifest.shards.front()) out.state = found->second.state;
    out.consistent &= found->second.state == out.state;
  }
  out.consistent &= out.state.step == out.step && out.state.position == out.position;
  return out;
}

bool BlobStore::DamageOne(uint64_t bits, std::string* uri) {
  if (folders_.empty()) return false;
  auto folder = std::next(folders_.begin(), static_cast<int64_t>(bits % folders_.size()));
  auto object = folder->second.find(ShardName(0));
  if (object == folder->second.end()) return false;
  object->second.damaged = true;
  *uri = folder->first.second;
  damaged_[*uri] = true;
  return true;
}

}  // namespace coxswain::sim
