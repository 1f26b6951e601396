// Every place that holds checkpoints: one S3 bucket, and the disks of machines. Objects carry what
// they are a copy of, so that checkers see whether a checkpoint is whole.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/protocol/trainer_messages.h"

namespace coxswain::sim {

// A trainer's state, reduced to what tells one state from another.
struct TrainState {
  int64_t step = 0;
  int64_t position = 0;
  int64_t used = 0;      // samples that went into it: must equal the position
  uint64_t history = 0;  // of every step and the generation that made it
  friend bool operator==(const TrainState&, const TrainState&) = default;
};

struct Blob {
  TrainState state;  // of shards: what they were copied from
  std::string hash;
  bool damaged = false;  // reads back differently from what was written
  // Of manifests.
  int64_t step = 0, position = 0;
  std::vector<protocol::Shard> shards;
};

// What reading a checkpoint back finds.
struct Reading {
  enum Verdict { kWhole, kCorrupt, kNotFound, kUncommitted } verdict = kWhole;
  std::string why;
  TrainState state;  // of kWhole: of its first shard
  int64_t step = 0, position = 0;
  bool consistent = true;  // all shards are of one state, and the manifest says its step
};

class BlobStore {
 public:
  // Where a URI leads from a machine: "s3", "shared", or the machine's own disk.
  explicit BlobStore(bool shared_files) : shared_files_(shared_files) {}
  std::string Place(const std::string& uri, uint32_t machine) const;

  void Put(const std::string& place, const std::string& uri, const std::string& name, Blob blob);
  bool Has(const std::string& place, const std::string& uri, const std::string& name) const;
  // The folder of a checkpoint, or all below a job's prefix; false: nothing was there.
  bool Remove(const std::string& place, const std::string& uri);
  // `manifest_hash` empty: not known, then `committed` must be there, or `uncommitted` allowed.
  Reading Read(const std::string& place, const std::string& uri, const std::string& manifest_hash,
               bool uncommitted) const;

  bool away = false;  // nothing can be read or written now; of S3 and shared files
  // Of one folder, chosen by `bits`, one shard. False: there is none.
  bool DamageOne(uint64_t bits, std::string* uri);
  bool EverDamaged(const std::string& uri) const { return damaged_.contains(uri); }

 private:
  using Folder = std::map<std::string, Blob>;
  const bool shared_files_;
  std::map<std::pair<std::string, std::string>, Folder> folders_;  // by place and URI
  std::map<std::string, bool> damaged_;
};

std::string ShardName(base::Rank rank);

}  // namespace coxswain::sim
