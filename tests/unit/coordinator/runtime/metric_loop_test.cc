#include "coordinator/runtime/metric_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>

namespace coxswain::coordinator::runtime {
namespace {

using testing::HasSubstr;

// Cannot store anything of j7; otherwise forgets it.
class PickyStore : public store::MetricStore {
 public:
  absl::Status Append(std::span<const store::NodeBatch> batches, base::WallTime) override {
    for (const store::NodeBatch& each : batches) {
      if (each.batch.job == core::JobId(7)) return absl::InternalError("not of j7");
    }
    return absl::OkStatus();
  }
  uint64_t dropped_points() const override { return 0; }
  absl::Status DeleteJobs(const std::vector<base::JobId>&) override { return absl::OkStatus(); }
  absl::StatusOr<size_t> Prune(const store::MetricLimits&, base::WallTime) override {
    return size_t{0};
  }
  absl::StatusOr<std::unique_ptr<store::MetricReader>> NewReader() override {
    return absl::UnimplementedError("nothing to read");
  }
};

TEST(MetricLoop, WhatCannotBeStored_HoldsUpNoOtherJob) {
  std::set<core::JobId> acknowledged;  // by the loop's thread, until it has ended
  std::promise<std::string> problem;
  std::promise<void> both;
  bool told = false;
  {
    MetricLoop::Hooks hooks;
    hooks.acknowledge = [&](core::SessionId, const protocol::AcknowledgeMetrics& message) {
      if (message.batch == 0) return;  // it is asked for again
      if (acknowledged.insert(message.job).second && acknowledged.size() == 2) both.set_value();
    };
    hooks.changed = [](const std::set<core::JobId>&) {};
    hooks.problem = [&](const std::string& text) {
      if (!std::exchange(told, true)) problem.set_value(text);
    };
    MetricLoop loop(std::make_unique<PickyStore>(), base::milliseconds(1), hooks);
    for (uint64_t job : {6, 7, 8}) {
      protocol::MetricBatch batch;
      batch.job = core::JobId(job);
      batch.batch = 1;
      batch.points.resize(1);
      loop.Append({}, core::NodeId("a"), batch);
    }
    both.get_future().wait();
    EXPECT_THAT(problem.get_future().get(), HasSubstr("of j7 and perhaps of others: not of j7"));
  }
  EXPECT_FALSE(acknowledged.contains(core::JobId(7)));
}

class CountingStore : public PickyStore {
 public:
  explicit CountingStore(std::atomic<int>* stored) : stored_(stored) {}
  absl::Status Append(std::span<const store::NodeBatch> batches, base::WallTime) override {
    *stored_ += static_cast<int>(batches.size());
    return absl::OkStatus();
  }

 private:
  std::atomic<int>* const stored_;
};

TEST(MetricLoop, Then_ComesAfterWhatWasAppendedBefore) {
  std::atomic<int> stored = 0;
  MetricLoop::Hooks hooks;
  hooks.acknowledge = [](core::SessionId, const protocol::AcknowledgeMetrics&) {};
  hooks.changed = [](const std::set<core::JobId>&) {};
  MetricLoop loop(std::make_unique<CountingStore>(&stored), base::milliseconds(1), hooks);
  for (int round = 1; round <= 20; ++round) {
    protocol::MetricBatch batch;
    batch.job = core::JobId(6);
    batch.batch = static_cast<uint64_t>(round);
    batch.points.resize(1);
    loop.Append({}, core::NodeId("a"), batch);
    std::promise<int> then;
    loop.Then([&] { then.set_value(stored); });
    EXPECT_EQ(then.get_future().get(), round);
  }
  loop.Stop();
  bool at_once = false;
  loop.Then([&] { at_once = true; });
  EXPECT_TRUE(at_once);
}

// Fails once for batch 5, alone too, and keeps the numbers of what it takes.
class FlakyStore : public PickyStore {
 public:
  explicit FlakyStore(std::vector<uint64_t>* taken) : taken_(taken) {}
  absl::Status Append(std::span<const store::NodeBatch> batches, base::WallTime) override {
    for (const store::NodeBatch& each : batches) {
      if (each.batch.batch == 5 && failures_ < 2) {
        ++failures_;
        return absl::ResourceExhaustedError("the disk is full");
      }
    }
    for (const store::NodeBatch& each : batches) taken_->push_back(each.batch.batch);
    return absl::OkStatus();
  }

 private:
  std::vector<uint64_t>* const taken_;
  int failures_ = 0;
};

// An acknowledgement of 6 would be one of 5, too.
TEST(MetricLoop, WhatFollowsOneThatWasNotStored_IsAskedForAgainWithIt) {
  std::vector<uint64_t> taken, acknowledged;
  std::promise<void> asked, done;
  bool was_asked = false;
  MetricLoop::Hooks hooks;
  hooks.acknowledge = [&](core::SessionId, const protocol::AcknowledgeMetrics& message) {
    if (message.batch == 0) {
      if (!std::exchange(was_asked, true)) asked.set_value();
      return;
    }
    acknowledged.push_back(message.batch);
    if (message.batch == 7) done.set_value();
  };
  hooks.changed = [](const std::set<core::JobId>&) {};
  hooks.problem = [](const std::string&) {};
  {
    MetricLoop loop(std::make_unique<FlakyStore>(&taken), base::milliseconds(20), hooks);
    auto send = [&](uint64_t number) {
      protocol::MetricBatch batch;
      batch.job = core::JobId(1);
      batch.batch = number;
      batch.points.resize(1);
      loop.Append({}, core::NodeId("a"), batch);
    };
    send(5);
    send(6);
    asked.get_future().wait();
    for (uint64_t number : {5, 6, 7}) send(number);
    done.get_future().wait();
  }
  EXPECT_EQ(taken, (std::vector<uint64_t>{5, 6, 7}));
  EXPECT_EQ(acknowledged, (std::vector<uint64_t>{5, 6, 7}));
}

}  // namespace
}  // namespace coxswain::coordinator::runtime
