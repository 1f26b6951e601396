// 1,000 submissions through the real core, shell and store code over a disk whose power is cut:
// whatever had been acknowledged or shown before the cut is there after it, nothing is there twice,
// and no id can be given again. Without fsync the same check must find losses.
//
// The power is cut "in place": at a write, the disk as a cut would leave it is copied and opened as
// a restarted coordinator would, while the run goes on. All writes: run the DISABLED_ tests by name
// (--gtest_also_run_disabled_tests --gtest_filter='*EveryWrite').
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <set>

#include "coordinator/runtime/runtime.h"
#include "tests/fakes/store/power_cut_vfs.h"

namespace coxswain::coordinator::runtime {
namespace {

constexpr char kJob[] = R"(apiVersion: coxswain/v1
kind: TrainingJob
metadata: {name: digits, labels: {team: vision}}
spec:
  workers: 1
  model: {recipe: mlp}
  data:
    format: idx
    train: {images: file:///data/train-images.gz, labels: file:///data/train-labels.gz}
  train: {epochs: 1}
  checkpoint: {store: "file:///store"}  # named, so that the text is kept to the byte
)";
constexpr int kSubmissions = 1000;

// What the world has been told.
class Told {
 public:
  void Acknowledge(core::JobId id, const std::string& key) {
    std::lock_guard lock(mutex_);
    keys_[id] = key;
  }
  void Show(core::JobId id) {
    std::lock_guard lock(mutex_);
    shown_.insert(id);
  }
  struct Copy {
    std::map<core::JobId, std::string> keys;
    std::set<core::JobId> shown;
  };
  Copy Get() {
    std::lock_guard lock(mutex_);
    return {keys_, shown_};
  }

 private:
  std::mutex mutex_;
  std::map<core::JobId, std::string> keys_;
  std::set<core::JobId> shown_;
};

// The first thing that is wrong after a restart on that image; empty: nothing.
std::string WhatIsWrong(const fakes::PowerCutOptions& options, fakes::PowerCutDisk::Image image,
                        const Told::Copy& told) {
  fakes::PowerCutDisk disk("after-the-cut", options, std::move(image));
  store::SqliteOptions sqlite;
  sqlite.path = "state.db";
  sqlite.vfs = disk.name();
  auto store = store::OpenSqliteStore(sqlite);
  if (!store.ok()) return "does not open: " + std::string(store.status().message());
  auto snapshot = (*store)->Load(core::ClusterId("new"));
  if (!snapshot.ok()) return "does not load: " + std::string(snapshot.status().message());
  std::map<core::JobId, std::string> found;
  std::set<std::string> keys;
  for (const core::JobRow& job : snapshot->jobs) {
    found[job.id] = job.idempotency_key;
    if (!keys.insert(job.idempotency_key).second) return job.idempotency_key + " is there twice";
    if (job.id > snapshot->cluster.last_job) return base::ToString(job.id) + " may be given again";
    if (job.spec_yaml != kJob) return base::ToString(job.id) + " has lost its job file";
  }
  for (const auto& [id, key] : told.keys) {
    if (!found.contains(id)) return base::ToString(id) + " was acknowledged and is lost";
    if (found[id] != key) return base::ToString(id) + " is another job";
  }
  for (core::JobId id : told.shown) {
    if (!found.contains(id)) return base::ToString(id) + " was shown and is lost";
  }
  return "";
}

struct Run {
  fakes::PowerCutOptions disk;
  bool synchronous = true;
  int in_flight = 1;  // submissions at once: more make group commits
  std::function<bool(uint64_t write)> cut_here;
  uint64_t seed = 1;
};
struct Outcome {
  uint64_t writes = 0, cuts = 0;
  std::vector<std::string> wrong;
};

class Submitter {
 public:
  Submitter(Runtime* runtime, Told* told) : runtime_(runtime), told_(told) {}
  // All submissions, so many at once.
  void Run(int in_flight) {
    std::unique_lock lock(mutex_);
    for (int i = 0; i < kSubmissions; ++i) {
      done_.wait(lock, [&] { return running_ < in_flight; });
      ++running_;
      lock.unlock();
      SubmitOne("key-" + std::to_string(i));
      lock.lock();
    }
    done_.wait(lock, [this] { return running_ == 0; });
  }

 private:
  void SubmitOne(const std::string& key) {
    SubmitRequest request;
    request.spec_yaml = kJob;
    request.idempotency_key = key;
    runtime_->Submit(request, [this, key](absl::StatusOr<SubmitResult> result, auto) {
      EXPECT_TRUE(result.ok()) << result.status();
      if (result.ok()) told_->Acknowledge(result->job.record.job.id, key);
      std::lock_guard lock(mutex_);
      --running_;
      done_.notify_all();
    });
  }
  Runtime* runtime_;
  Told* told_;
  std::mutex mutex_;
  std::condition_variable done_;
  int running_ = 0;
};

// Looks at the newest job whenever it hears of a change, as a watcher would.
std::unique_ptr<Subscription> Look(Runtime* runtime, Told* told) {
  return runtime->Subscribe({}, [runtime, told] {
    store::JobFilter newest;
    newest.limit = 1;
    auto jobs = runtime->ListJobs(newest);
    ASSERT_TRUE(jobs.ok()) << jobs.status();
    for (const JobView& job : *jobs) told->Show(job.record.job.id);
  });
}

std::unique_ptr<Runtime> StartOn(const fakes::PowerCutDisk& disk, bool synchronous,
                                 Options options = {}) {
  auto metrics = store::OpenSqliteMetricStore("metrics.db", disk.name());
  EXPECT_TRUE(metrics.ok()) << metrics.status();
  store::SqliteOptions sqlite;
  sqlite.path = "state.db";
  sqlite.vfs = disk.name();
  sqlite.synchronous = synchronous;
  auto state = store::OpenSqliteStore(sqlite);
  EXPECT_TRUE(state.ok()) << state.status();
  options.settings.default_store = "file:///ckpt";
  auto runtime = Runtime::Start(options, *std::move(state), *std::move(metrics));
  EXPECT_TRUE(runtime.ok()) << runtime.status();
  return *std::move(runtime);
}

Outcome CutAt(const Run& run) {
  fakes::PowerCutDisk disk("disk", run.disk);
  Told told;
  Outcome outcome;
  disk.OnWrite([&](uint64_t n) {
    outcome.writes = n;
    if (!run.cut_here(n) || outcome.wrong.size() >= 5) return;
    ++outcome.cuts;
    Told::Copy before =
        told.Get();  // first this, then the image: what is told later does not count
    std::string wrong = WhatIsWrong(run.disk, disk.ImageAfterCut(run.seed + n), before);
    if (!wrong.empty()) outcome.wrong.push_back("write " + std::to_string(n) + ": " + wrong);
  });
  auto runtime = StartOn(disk, run.synchronous);
  auto looking = Look(runtime.get(), &told);
  Submitter(runtime.get(), &told).Run(run.in_flight);
  runtime->Stop();
  EXPECT_EQ(told.Get().keys.size(), static_cast<size_t>(kSubmissions));
  return outcome;
}

void ExpectNothingWrong(const Run& run, uint64_t least_cuts) {
  Outcome outcome = CutAt(run);
  EXPECT_GE(outcome.cuts, least_cuts);
  std::printf("%llu writes, cut at %llu of them\n", static_cast<unsigned long long>(outcome.writes),
              static_cast<unsigned long long>(outcome.cuts));
  for (const std::string& wrong : outcome.wrong) ADD_FAILURE() << wrong;
}

// Every write of the first start, then each 151st (a prime: it meets every place within a commit),
// and every one in some stretches.
bool Sampled(uint64_t n) { return n < 60 || n % 151 == 0 || n % 4000 < 30; }
bool Every(uint64_t) { return true; }

TEST(PowerCut, OneAfterAnother_NothingAcknowledgedOrShownIsLost) {
  ExpectNothingWrong({.disk = {}, .synchronous = true, .in_flight = 1, .cut_here = Sampled}, 200);
}

TEST(PowerCut, GroupCommits_NothingAcknowledgedOrShownIsLost) {
  ExpectNothingWrong({.disk = {}, .synchronous = true, .in_flight = 16, .cut_here = Sampled}, 50);
}

TEST(PowerCut, DiskThatTearsNeighbours_NothingAcknowledgedOrShownIsLost) {
  ExpectNothingWrong({.disk = {.powersafe_overwrite = false},
                      .synchronous = true,
                      .in_flight = 4,
                      .cut_here = Sampled},
                     50);
}

TEST(PowerCut, WithoutSync_TheCheckFindsLosses) {
  Outcome outcome = CutAt({.disk = {}, .synchronous = false, .in_flight = 1, .cut_here = Sampled});
  EXPECT_FALSE(outcome.wrong.empty());
}

TEST(PowerCut, DISABLED_OneAfterAnother_EveryWrite) {
  ExpectNothingWrong({.disk = {}, .synchronous = true, .in_flight = 1, .cut_here = Every}, 5000);
}

TEST(PowerCut, DISABLED_GroupCommits_EveryWrite) {
  ExpectNothingWrong({.disk = {}, .synchronous = true, .in_flight = 16, .cut_here = Every}, 1000);
}

TEST(PowerCut, LostFsync_EndsTheProcess) {
  fakes::PowerCutDisk disk("disk", {});
  std::promise<absl::Status> fatal;
  Options options;
  options.on_fatal = [&](const absl::Status& why) { fatal.set_value(why); };
  auto runtime = StartOn(disk, true, options);
  disk.FailSyncs(true);
  SubmitRequest request;
  request.spec_yaml = kJob;
  std::promise<absl::Status> answer;
  runtime->Submit(request, [&](auto result, auto) { answer.set_value(result.status()); });
  absl::Status why = fatal.get_future().get();
  EXPECT_TRUE(absl::IsDataLoss(why)) << why;
  runtime->Stop();
  EXPECT_FALSE(answer.get_future().get().ok());
}

}  // namespace
}  // namespace coxswain::coordinator::runtime
