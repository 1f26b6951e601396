// The trainer's background thread for store work: a step never waits for it.
//
// Jobs run one after another in the order given. Retryable errors are tried again by `policy` (an
// outage shorter than give_up_after fails nothing), and waiting_for() says so meanwhile. `done`
// runs on the upload thread, exactly once a job; it must not block and may call Add*.
// Owner: the trainer's runtime. Threads: every method from any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "trainer/blob/checkpoint_io.h"

namespace coxswain::trainer::blob {

class UploadLoop {
 public:
  // `settings.patience` is ignored: each job has its own. `store`: in which all of them are, for
  // people; empty: each job's own URI is told.
  UploadLoop(StoreSettings settings, RetryPolicy policy = kSavePolicy, std::string store = "");
  ~UploadLoop();  // cancels what is left, joins

  void AddShard(std::string uri, std::shared_ptr<const ShardBuffer> shard,
                std::function<void(absl::Status)> done);
  // Without tensors: they are those that the shards describe.
  void AddManifest(std::string uri, Manifest manifest,
                   std::function<void(absl::StatusOr<std::string> manifest_hash)> done);
  void AddCommitted(std::string uri, std::string manifest_hash,
                    std::function<void(absl::Status)> done);

  // Ends every job for `uri`, waiting or running, with CANCELLED. Returns at once.
  void Cancel(const std::string& uri);

  // What the running job waits for; empty: nothing. For TrainerProgress::waiting_for.
  std::string waiting_for() const;
  // Jobs not yet done, the running one included.
  size_t pending() const;

 private:
  struct Job {
    std::string uri;
    std::function<absl::Status(BlobStore&)> work;
    std::function<void(absl::Status)> done;
    std::shared_ptr<Patience> patience;
  };
  void Add(std::string uri, std::function<absl::Status(BlobStore&)> work,
           std::function<void(absl::Status)> done);
  void Run();
  absl::Status RunJob(const Job& job);

  const StoreSettings settings_;
  const RetryPolicy policy_;
  const std::string store_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;  // front: running
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace coxswain::trainer::blob
