#include "sim/upload_loop.h"

#include "sim/machine.h"
#include "sim/rank_process.h"
#include "sim/world.h"

namespace coxswain::sim {
namespace {

namespace tc = trainer::core;
using base::Duration;
using base::milliseconds;
using base::seconds;

std::string Hash(const TrainState& state, base::Rank rank) {
  uint64_t bits = base::Mix64(state.history ^ static_cast<uint64_t>(state.position));
  return std::to_string(base::Mix64(bits ^ rank));
}

}  // namespace

void UploadLoop::Add(Job job) {
  jobs_.push_back(std::move(job));
  if (jobs_.size() == 1) Next();
}

void UploadLoop::Next() {
  if (!jobs_.empty()) Try(milliseconds(200), world_.queue.now() + seconds(1800));
}

void UploadLoop::Try(Duration pause, base::Time give_up) {
  process_.After(world_.dice.Span(milliseconds(2), milliseconds(600)), [this, pause, give_up] {
    Job& job = jobs_.front();
    bool away = world_.blobs.away;
    waiting_ = away;
    if (away && !job.cancelled && world_.queue.now() < give_up) {
      return process_.After(pause, [this, pause, give_up] {
        Try(std::min(pause * 2, Duration(seconds(2))), give_up);
      });
    }
    Job done = std::move(job);
    jobs_.pop_front();
    Next();
    if (!done.cancelled) (away ? done.failed : done.work)();
  });
}

void UploadLoop::Do(const tc::StartUpload& action) {
  auto found = snapshots_.find(action.step);
  if (found == snapshots_.end()) return;
  TrainState state = found->second;
  snapshots_.erase(found);
  std::string place = world_.blobs.Place(action.uri, process_.machine().index());
  protocol::Shard shard{action.rank, ShardName(action.rank), 100, Hash(state, action.rank)};
  Add({action.uri,
       [this, action, place, shard, state] {
         world_.blobs.Put(place, action.uri, shard.object, {.state = state, .hash = shard.hash});
         process_.Handle(tc::ShareStored{action.id, shard});
       },
       [this, id = action.id] {
         process_.Handle(tc::StoreFailed{id, "the store was away"});
       }});
}

void UploadLoop::Do(const tc::StoreManifest& action) {
  std::string place = world_.blobs.Place(action.uri, process_.machine().index());
  Add({action.uri,
       [this, action, place] {
         uint64_t hash = static_cast<uint64_t>(action.step);
         for (const protocol::Shard& shard : action.shards) {
           if (!world_.blobs.Has(place, action.uri, shard.object)) {
             return process_.Handle(tc::StoreFailed{action.id, shard.object + " is missing"});
           }
           for (char c : shard.hash) hash = base::Mix64(hash ^ static_cast<unsigned char>(c));
         }
         Blob manifest{.hash = std::to_string(hash), .step = action.step};
         manifest.position = action.position;
         manifest.shards = action.shards;
         auto count = static_cast<uint32_t>(action.shards.size());
         world_.blobs.Put(place, action.uri, "manifest", manifest);
         process_.Handle(tc::ManifestStored{action.id, manifest.hash, 100 * count, count});
       },
       [this, id = action.id] {
         process_.Handle(tc::StoreFailed{id, "the store was away"});
       }});
}

void UploadLoop::Do(const tc::StoreCommitted& action) {
  std::string place = world_.blobs.Place(action.uri, process_.machine().index());
  Add({action.uri,
       [this, action, place] {
         world_.blobs.Put(place, action.uri, "committed", {.hash = action.manifest_hash});
         process_.Handle(tc::CommittedStored{action.id});
       },
       [this, id = action.id] {
         process_.Handle(tc::StoreFailed{id, "the store was away"});
       }});
}

void UploadLoop::Do(const tc::DropSave& action) {
  snapshots_.erase(action.step);
  for (Job& job : jobs_) job.cancelled |= !action.uri.empty() && job.uri == action.uri;
}

}  // namespace coxswain::sim
