// The ranks of this worker: those that run and those whose end is not yet acknowledged.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/protocol/worker_messages.h"
#include "worker/core/connection.h"

namespace coxswain::worker::core {

struct RankEntry {
  protocol::StartRank start;
  protocol::RankState state = protocol::RankState::kStarting;
  int64_t pid = 0;   // 0: not yet executed
  bool told = true;  // the coordinator was told, on its present stream, of `pid` and `exit`
  std::optional<protocol::ExitRecord> exit;
  std::optional<protocol::TrainerReady> ready;
  ConnectionId connection;                           // 0: its trainer is not connected
  std::vector<protocol::TrainerOrder> waiting;       // orders that came while it was not
  std::map<size_t, protocol::TrainerReport> unsent;  // newest by kind, while no coordinator listens
  std::optional<protocol::StartRank> next;           // starts in its place once it has ended
  bool Live() const { return state != protocol::RankState::kExited; }
};

class RankTable {
 public:
  RankEntry* Find(const protocol::RankKey& key);
  // Only if it is this incarnation.
  RankEntry* Find(const protocol::RankKey& key, base::Incarnation incarnation);
  RankEntry* FindByConnection(ConnectionId connection);
  const RankEntry* FindByConnection(ConnectionId connection) const;
  // The live rank that holds this GPU.
  const RankEntry* HolderOf(const std::string& gpu_uuid) const;

  RankEntry& Insert(RankEntry entry);
  void Erase(const protocol::RankKey& key);

  bool AnyLive() const;
  bool AnyOf(base::JobId job) const;
  std::map<protocol::RankKey, RankEntry>& all() { return ranks_; }
  const std::map<protocol::RankKey, RankEntry>& all() const { return ranks_; }

  static protocol::RankReport Report(const RankEntry& entry);

 private:
  std::map<protocol::RankKey, RankEntry> ranks_;
};

// "j12/2/0": job, attempt, rank.
std::string ToString(const protocol::RankKey& key);

}  // namespace coxswain::worker::core
