#include "worker/core/rank_table.h"

#include <algorithm>
#include <utility>

namespace coxswain::worker::core {

using protocol::RankKey;

RankEntry* RankTable::Find(const RankKey& key) {
  auto it = ranks_.find(key);
  return it == ranks_.end() ? nullptr : &it->second;
}

RankEntry* RankTable::Find(const RankKey& key, base::Incarnation incarnation) {
  RankEntry* entry = Find(key);
  return entry != nullptr && entry->start.incarnation == incarnation ? entry : nullptr;
}

const RankEntry* RankTable::FindByConnection(ConnectionId connection) const {
  if (!connection) return nullptr;
  for (const auto& [key, entry] : ranks_) {
    if (entry.connection == connection) return &entry;
  }
  return nullptr;
}

RankEntry* RankTable::FindByConnection(ConnectionId connection) {
  return const_cast<RankEntry*>(std::as_const(*this).FindByConnection(connection));
}

const RankEntry* RankTable::HolderOf(const std::string& gpu_uuid) const {
  for (const auto& [key, entry] : ranks_) {
    const auto& gpus = entry.start.gpu_uuids;
    if (entry.Live() && std::find(gpus.begin(), gpus.end(), gpu_uuid) != gpus.end()) return &entry;
  }
  return nullptr;
}

RankEntry& RankTable::Insert(RankEntry entry) {
  RankKey key = entry.start.key;
  return ranks_[key] = std::move(entry);
}

void RankTable::Erase(const RankKey& key) { ranks_.erase(key); }

bool RankTable::AnyLive() const {
  return std::any_of(ranks_.begin(), ranks_.end(), [](const auto& r) { return r.second.Live(); });
}

bool RankTable::AnyOf(base::JobId job) const {
  auto it = ranks_.lower_bound(RankKey{job, base::Attempt(0), 0});
  return it != ranks_.end() && it->first.job == job;
}

protocol::RankReport RankTable::Report(const RankEntry& entry) {
  protocol::RankReport report;
  report.key = entry.start.key;
  report.incarnation = entry.start.incarnation;
  report.state = entry.state;
  report.pid = entry.pid;
  report.exit = entry.exit;
  report.ready = entry.ready;
  return report;
}

std::string ToString(const RankKey& key) {
  return base::ToString(key.job) + "/" + std::to_string(key.attempt.value) + "/" +
         std::to_string(key.rank);
}

}  // namespace coxswain::worker::core
