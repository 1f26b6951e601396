#include "worker/runtime/code_cache.h"

#include "absl/strings/str_cat.h"
#include "common/code/code_id.h"
#include "common/log/log.h"

namespace coxswain::worker {
namespace {

constexpr std::chrono::milliseconds kPause(500);  // after a failed try

}  // namespace

CodeCache::CodeCache(std::string folder, std::unique_ptr<CodeSource> source)
    : store_(std::move(folder)), source_(std::move(source)), thread_([this] { Run(); }) {}

CodeCache::~CodeCache() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

absl::StatusOr<std::string> CodeCache::Find(const std::string& id) {
  if (!code::IsCodeId(id)) {
    return absl::InvalidArgumentError(absl::StrCat("'", id, "' is no name of an archive of code"));
  }
  if (absl::StatusOr<std::string> path = store_.PathOf(id); path.ok()) return path;
  std::lock_guard lock(mutex_);
  if (auto told = given_up_.extract(id)) return told.mapped();
  const absl::Status& last = wanted_[id];
  changed_.notify_all();
  return absl::UnavailableError(
      absl::StrCat("fetching code ", id, last.ok() ? "" : absl::StrCat(": ", last.message())));
}

void CodeCache::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !wanted_.empty(); });
    if (stopping_) return;
    const std::string id = wanted_.begin()->first;
    lock.unlock();
    const absl::Status fetched = Fetch(id);
    lock.lock();
    const bool final = fetched.ok() || absl::IsNotFound(fetched);
    if (absl::IsNotFound(fetched)) given_up_[id] = fetched;
    if (final) {
      wanted_.erase(id);
      continue;
    }
    if (wanted_[id] != fetched) log::Warn(absl::StrCat("code ", id, ": ", fetched.message()));
    wanted_[id] = fetched;
    changed_.wait_for(lock, kPause, [&] { return stopping_; });
  }
}

absl::Status CodeCache::Fetch(const std::string& id) {
  uint64_t offset = 0;
  while (true) {
    absl::StatusOr<code::CodePart> part = source_->Read(id, offset);
    if (!part.ok()) return part.status();
    absl::StatusOr<uint64_t> next = store_.Add(id, part->total_bytes, offset, part->data);
    // What came is not what the name says: it may have been damaged on the way, and is asked for
    // again from the beginning.
    if (!next.ok()) return absl::UnavailableError(next.status().message());
    if (*next == part->total_bytes) return absl::OkStatus();
    if (*next == offset && part->data.empty()) {
      return absl::UnavailableError("the coordinator sends nothing");
    }
    offset = *next;
    std::lock_guard lock(mutex_);
    if (stopping_) return absl::UnavailableError("ending");
  }
}

}  // namespace coxswain::worker
