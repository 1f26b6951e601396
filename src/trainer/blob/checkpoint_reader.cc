// The reading half of checkpoint_io.h.
#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <thread>
#include <tuple>

#include "absl/functional/function_ref.h"
#include "trainer/blob/checkpoint_io.h"
#include "trainer/blob/shard_reader.h"
#include "trainer/blob/text.h"

namespace coxswain::trainer::blob {
namespace {

constexpr size_t kReaders = 4;

// Runs work(0..count-1) on a few threads; the error of the lowest index.
absl::Status InParallel(size_t count, absl::FunctionRef<absl::Status(size_t)> work) {
  std::vector<absl::Status> results(count);
  std::atomic<size_t> next = 0;
  std::atomic<bool> failed = false;
  auto run = [&] {
    for (size_t i = next++; i < count && !failed; i = next++) {
      results[i] = work(i);
      if (!results[i].ok()) failed = true;
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(count, kReaders); ++i) threads.emplace_back(run);
  run();
  for (std::thread& thread : threads) thread.join();
  for (absl::Status& result : results) {
    if (!result.ok()) return std::move(result);
  }
  return absl::OkStatus();
}

// One checkpoint being read.
class Reader {
 public:
  Reader(std::unique_ptr<BlobStore> store, std::shared_ptr<Patience> patience)
      : store_(std::move(store)), patience_(std::move(patience)) {}

  absl::Status ReadManifest(const ReadOptions& options);
  absl::Status ReadHeaders();
  // To tensors' memory; `data` empty: only hashes.
  absl::Status ReadShards(const std::vector<std::unique_ptr<char[]>>& data);

  const Manifest& manifest() const { return manifest_; }
  const std::string& manifest_hash() const { return manifest_hash_; }
  bool committed() const { return committed_; }

 private:
  absl::StatusOr<std::string> Get(const char* name);
  absl::Status CheckCommitted();
  absl::Status PlacePieces(ShardReader& shard);
  absl::Status CheckCoverage() const;
  std::string At(std::string_view name) const { return Cat(store_->uri(), "/", name); }

  const std::unique_ptr<BlobStore> store_;
  const std::shared_ptr<Patience> patience_;
  Manifest manifest_;
  std::string manifest_hash_;
  bool committed_ = false;
  std::map<std::string, size_t> tensor_index_;
  std::deque<ShardReader> shards_;
  std::vector<std::tuple<size_t, uint64_t, uint64_t>> placed_;  // tensor, offset, bytes
};

absl::StatusOr<std::string> Reader::Get(const char* name) {
  absl::StatusOr<std::string> text = absl::UnknownError("");
  absl::Status status = patience_->Run([&] {
    text = store_->Get(name);
    return text.status();
  });
  if (!status.ok()) return status;
  return text;
}

absl::Status Reader::CheckCommitted() {
  absl::StatusOr<std::string> text = Get(kCommittedName);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  if (!text.ok()) return text.status();
  absl::StatusOr<std::string> hash = ParseCommitted(*text);
  if (!hash.ok()) {
    return absl::DataLossError(Cat(At(kCommittedName), ": ", hash.status().message()));
  }
  if (*hash != manifest_hash_) {
    return absl::DataLossError(Cat(At(kManifestName), " was changed: found hash ", manifest_hash_,
                                   ", expected ", *hash, " (from `committed`)"));
  }
  committed_ = true;
  return absl::OkStatus();
}

absl::Status Reader::ReadManifest(const ReadOptions& options) {
  absl::StatusOr<std::string> text = Get(kManifestName);
  if (absl::IsNotFound(text.status())) {
    std::string why = Cat("no checkpoint at ", store_->uri(), ": it has no ", kManifestName);
    return options.manifest_hash.empty() ? absl::NotFoundError(why) : absl::DataLossError(why);
  }
  if (!text.ok()) return text.status();
  manifest_hash_ = HashHex(*text);
  if (!options.manifest_hash.empty() && options.manifest_hash != manifest_hash_) {
    return absl::DataLossError(Cat(At(kManifestName), " was changed: found hash ", manifest_hash_,
                                   ", expected ", options.manifest_hash));
  }
  if (absl::Status status = CheckCommitted(); !status.ok()) return status;
  if (!committed_ && options.manifest_hash.empty() && !options.allow_uncommitted) {
    return absl::FailedPreconditionError(
        Cat("the checkpoint at ", store_->uri(),
            " was never committed (it has no object `committed`); to take it all the same, "
            "allow uncommitted ones (--uncommitted)"));
  }
  absl::StatusOr<Manifest> manifest = ParseManifest(*text);
  if (!manifest.ok()) {
    std::string why = Cat(At(kManifestName), ": ", manifest.status().message());
    return absl::IsFailedPrecondition(manifest.status()) ? absl::FailedPreconditionError(why)
                                                         : absl::DataLossError(why);
  }
  manifest_ = *std::move(manifest);
  for (size_t i = 0; i < manifest_.tensors.size(); ++i) {
    if (!tensor_index_.emplace(manifest_.tensors[i].name, i).second) {
      return absl::DataLossError(
          Cat(At(kManifestName), " has two tensors '", manifest_.tensors[i].name, "'"));
    }
  }
  return absl::OkStatus();
}

absl::Status Reader::PlacePieces(ShardReader& shard) {
  for (const PlacedPiece& piece : shard.pieces()) {
    auto found = tensor_index_.find(piece.tensor.name);
    if (found == tensor_index_.end()) {
      return shard.Refuse(Cat("tensor '", piece.tensor.name, "' is not in the manifest"));
    }
    const TensorInfo& tensor = manifest_.tensors[found->second];
    if (!(piece.tensor == tensor) || piece.bytes > tensor.bytes() ||
        piece.offset > tensor.bytes() - piece.bytes) {
      return shard.Refuse(Cat("bytes ", piece.offset, " to ", piece.offset + piece.bytes,
                              " of tensor '", tensor.name, "' do not fit the manifest's"));
    }
    placed_.emplace_back(found->second, piece.offset, piece.bytes);
  }
  return absl::OkStatus();
}

absl::Status Reader::CheckCoverage() const {
  auto placed = placed_;
  std::sort(placed.begin(), placed.end());
  auto next = placed.begin();
  for (size_t i = 0; i < manifest_.tensors.size(); ++i) {
    uint64_t covered = 0;
    for (; next != placed.end() && std::get<0>(*next) == i; ++next) {
      if (std::get<1>(*next) != covered) break;
      covered += std::get<2>(*next);
    }
    bool twice = next != placed.end() && std::get<0>(*next) == i;
    if (covered != manifest_.tensors[i].bytes() || twice) {
      return absl::DataLossError(Cat("the shards of ", store_->uri(), " hold bytes 0 to ", covered,
                                     " of tensor '", manifest_.tensors[i].name, "' once, expected ",
                                     manifest_.tensors[i].bytes()));
    }
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadHeaders() {
  for (const protocol::Shard& shard : manifest_.shards) {
    shards_.emplace_back(*store_, *patience_, shard);
  }
  absl::Status status =
      InParallel(shards_.size(), [&](size_t i) { return shards_[i].ReadHeader(); });
  for (size_t i = 0; status.ok() && i < shards_.size(); ++i) status = PlacePieces(shards_[i]);
  if (!status.ok()) return status;
  status = CheckCoverage();
  if (status.ok()) return status;
  absl::Status hashes = ReadShards({});  // a flipped bit in a header is the likelier cause
  return hashes.ok() ? status : hashes;
}

absl::Status Reader::ReadShards(const std::vector<std::unique_ptr<char[]>>& data) {
  return InParallel(shards_.size(), [&](size_t i) {
    std::vector<char*> destinations;
    for (const PlacedPiece& piece : shards_[i].pieces()) {
      char* tensor = data.empty() ? nullptr : data[tensor_index_.at(piece.tensor.name)].get();
      destinations.push_back(tensor ? tensor + piece.offset : nullptr);
    }
    return shards_[i].ReadData(destinations);
  });
}

absl::StatusOr<std::unique_ptr<Reader>> OpenReader(std::string_view uri, StoreSettings settings,
                                                   const ReadOptions& options) {
  if (!settings.patience) {
    settings.patience = std::make_shared<Patience>(RetryPolicy{}, Cat("checkpoint store ", uri));
  }
  absl::StatusOr<std::unique_ptr<BlobStore>> store = OpenStore(uri, settings);
  if (!store.ok()) return store.status();
  auto reader = std::make_unique<Reader>(*std::move(store), settings.patience);
  absl::Status status = reader->ReadManifest(options);
  if (status.ok()) status = reader->ReadHeaders();
  if (!status.ok()) return status;
  return reader;
}

}  // namespace

int RestoredState::Find(std::string_view name) const {
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

absl::StatusOr<RestoredState> ReadCheckpoint(std::string_view uri, const StoreSettings& settings,
                                             const ReadOptions& options) {
  absl::StatusOr<std::unique_ptr<Reader>> reader = OpenReader(uri, settings, options);
  if (!reader.ok()) return reader.status();
  const Manifest& manifest = (*reader)->manifest();
  RestoredState state{manifest.info, (*reader)->manifest_hash(), manifest.tensors, {}};
  for (const TensorInfo& tensor : state.tensors) {
    state.data.push_back(std::make_unique_for_overwrite<char[]>(tensor.bytes()));
  }
  if (absl::Status status = (*reader)->ReadShards(state.data); !status.ok()) return status;
  return state;
}

absl::StatusOr<Manifest> InspectCheckpoint(std::string_view uri, const StoreSettings& settings,
                                           const ReadOptions& options) {
  absl::StatusOr<std::unique_ptr<Reader>> reader = OpenReader(uri, settings, options);
  if (!reader.ok()) return reader.status();
  return (*reader)->manifest();
}

absl::StatusOr<VerifiedCheckpoint> VerifyCheckpoint(std::string_view uri,
                                                    const StoreSettings& settings,
                                                    const ReadOptions& options) {
  ReadOptions lenient = options;
  lenient.allow_uncommitted = true;
  absl::StatusOr<std::unique_ptr<Reader>> reader = OpenReader(uri, settings, lenient);
  if (!reader.ok()) return reader.status();
  if (absl::Status status = (*reader)->ReadShards({}); !status.ok()) return status;
  VerifiedCheckpoint verified{(*reader)->manifest(), (*reader)->manifest_hash(),
                              (*reader)->committed(), 0};
  for (const protocol::Shard& shard : verified.manifest.shards) verified.bytes += shard.bytes;
  return verified;
}

bool IsCorrupt(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsNotFound(status);
}

}  // namespace coxswain::trainer::blob
