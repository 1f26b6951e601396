// The power goes at every file operation of a number of checkpoint saves, and what the disk had not
// synced is lost, torn or kept: nothing that was acknowledged may be lost.
#include <gtest/gtest.h>

#include <map>

#include "tests/fakes/blob/power_cut_files.h"
#include "tests/unit/trainer/blob/sample_state.h"
#include "trainer/blob/file_blob_store.h"

namespace coxswain::trainer::blob {
namespace {

using fakes::PowerCutFiles;
using fakes::Survival;

constexpr int kSaves = 4, kKeep = 2;
constexpr uint32_t kRanks = 2;

// Ranks that save to one disk, and what they were told.
class Run {
 public:
  Run(bool ignore_file_sync, bool ignore_folder_sync) {
    files_.IgnoreSync(ignore_file_sync, ignore_folder_sync);
    settings_.open = [this](std::string_view uri) {
      return std::make_unique<FileBlobStore>(std::string(uri.substr(7)), files_, nullptr);
    };
  }
  PowerCutFiles& files() { return files_; }

  // Until all is saved or the power goes.
  void Save() {
    for (int save = 0; save < kSaves && !files_.cut(); ++save) {
      SaveOne(save);
      if (save >= kKeep) Collect(save - kKeep);
    }
  }

  // After a restart: everything that is lost or wrong.
  std::vector<std::string> Losses() {
    std::vector<std::string> losses;
    for (int save = 0; save < kSaves; ++save) {
      auto recorded = recorded_.find(save);
      bool owed = recorded != recorded_.end();
      auto read =
          ReadCheckpoint(Uri(save), settings_, {.manifest_hash = owed ? recorded->second : ""});
      if (owed && !read.ok()) losses.push_back(read.status().ToString());
      if (read.ok() && !SampleState(save, 3).Equals(*read)) losses.push_back("other bytes");
      if (committed_.count(save) && !ReadCheckpoint(Uri(save), settings_, {}).ok()) {
        losses.push_back("`committed` of " + Uri(save));
      }
      if (collected_.count(save)) {
        auto left = OpenStore(Uri(save), settings_).value()->List("");
        if (!left.ok() || !left->empty()) losses.push_back("collected, but there: " + Uri(save));
      }
    }
    return losses;
  }

 private:
  std::string Uri(int save) { return "file:///ckpt/c/j1/step-" + std::to_string(save); }

  void SaveOne(int save) {
    SampleState state(save, 3);
    for (uint32_t rank = 0; rank < kRanks; ++rank) {  // each rank has a store of its own
      auto store = OpenStore(Uri(save), settings_).value();
      if (!StoreShard(*store, *state.Shard(rank, kRanks)).ok()) return;
    }
    auto store = OpenStore(Uri(save), settings_).value();
    absl::StatusOr<std::string> hash = StoreManifest(*store, state.ManifestOf(kRanks));
    if (!hash.ok()) return;
    recorded_[save] = *hash;
    if (StoreCommitted(*store, *hash).ok()) committed_[save] = true;
  }

  void Collect(int save) {
    recorded_.erase(save);
    committed_.erase(save);
    auto store = OpenStore("file:///ckpt", settings_).value();
    std::string name = "c/j1/step-" + std::to_string(save);
    auto objects = store->List(name);
    if (!objects.ok()) return;
    for (const BlobInfo& object : *objects) {
      if (!store->Delete(object.name).ok()) return;
    }
    collected_[save] = true;
  }

  PowerCutFiles files_;
  StoreSettings settings_;
  std::map<int, std::string> recorded_;  // what the coordinator was told
  std::map<int, bool> committed_, collected_;
};

// Losses over a cut at every operation; `first` stops at the first.
std::vector<std::string> CutEverywhere(bool ignore_file_sync, bool ignore_folder_sync, bool first) {
  Run whole(false, false);
  whole.Save();
  EXPECT_GT(whole.files().operations(), 200);
  std::vector<std::string> losses;
  for (int64_t cut = 0; cut <= whole.files().operations() && !(first && !losses.empty()); ++cut) {
    for (Survival survival : {Survival::kNothing, Survival::kNamesOnly, Survival::kRandom}) {
      Run run(ignore_file_sync, ignore_folder_sync);
      run.files().CutAt(cut);
      run.Save();
      run.files().Restart(survival, cut);
      for (std::string& loss : run.Losses()) {
        losses.push_back("cut at " + std::to_string(cut) + ": " + loss);
      }
    }
  }
  return losses;
}

TEST(PowerCut, AtEveryOperation_NothingAcknowledgedIsLost) {
  for (const std::string& loss : CutEverywhere(false, false, false)) ADD_FAILURE() << loss;
}

TEST(PowerCut, WithoutFileSync_TheTestSeesTheLoss) {
  EXPECT_FALSE(CutEverywhere(true, false, true).empty());
}

TEST(PowerCut, WithoutFolderSync_TheTestSeesTheLoss) {
  EXPECT_FALSE(CutEverywhere(false, true, true).empty());
}

}  // namespace
}  // namespace coxswain::trainer::blob
