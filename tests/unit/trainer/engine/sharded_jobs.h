// Jobs with a sharded optimizer, and ranks of one on threads of their own that may fail.
#pragma once

#include <c10/util/Exception.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/trainer/engine/ranks.h"

namespace coxswain::trainer::engine {

inline const data::Dataset& ShardImages() {
  static const auto set = MakeImages(120, 8, 10);
  return *set;
}
inline const data::Dataset& ShardTestImages() {
  static const auto set = MakeImages(37, 8, 10);
  return *set;
}
inline Datasets Sets() { return {&ShardImages(), &ShardTestImages()}; }

inline config::JobSpec ShardSpec() {
  config::JobSpec spec;
  spec.workers = 2;
  spec.model.recipe = config::Recipe::kMlp;
  spec.model.hidden = {24};
  spec.train.precision = config::Precision::kFloat64;
  spec.train.global_batch_size = 13;  // odd: ranks get unequal shares
  spec.train.epochs = 6;
  spec.train.optimizer.learning_rate = 3e-3;
  return spec;
}

inline config::JobSpec Sharded(config::JobSpec spec) {
  spec.train.optimizer.sharded = true;
  return spec;
}

inline std::map<std::string, config::JobSpec> Kinds() {
  std::map<std::string, config::JobSpec> kinds;
  kinds["adamw"] = ShardSpec();
  config::JobSpec all = ShardSpec();
  all.train.clip_norm = 0.5;
  all.train.optimizer.decay = config::Decay::kMatrices;
  all.train.optimizer.weight_decay = 0.3;
  all.train.micro_batch_size = 3;
  all.train.ema = {0.9, true};
  all.train.schedule = {config::ScheduleName::kCosine, 5, 0.1};
  kinds["clipping, decay of matrices, accumulation, ema"] = all;
  config::JobSpec sgd = ShardSpec();
  sgd.train.optimizer.name = config::OptimizerName::kSgd;
  sgd.train.optimizer.learning_rate = 0.05;
  sgd.train.optimizer.momentum = 0.9;
  sgd.train.optimizer.nesterov = true;
  kinds["sgd"] = sgd;
  config::JobSpec norms = ShardSpec();
  norms.model.recipe = config::Recipe::kCnn;
  norms.model.channels = {4, 6};
  norms.model.batch_norm = true;
  norms.train.ema = {0.8, false};
  norms.train.micro_batch_size = 3;
  kinds["batch norm"] = norms;
  return kinds;
}

inline void ExpectSameState(const Saved& one, const Saved& other) {
  ASSERT_EQ(one.tensors, other.tensors);
  EXPECT_EQ(one.step, other.step);
  EXPECT_EQ(one.position, other.position);
  for (size_t i = 0; i < one.tensors.size(); ++i) {
    ASSERT_EQ(one.bytes[i] == other.bytes[i], true) << one.tensors[i].name;
  }
}

// Ranks on threads of their own, which may be given others' places.
class Fleet {
 public:
  explicit Fleet(config::JobSpec spec) : spec_(std::move(spec)) {
    signal(SIGPIPE, SIG_IGN);  // as a trainer has it: Gloo writes to peers that have gone
  }

  // A rank that has nothing yet. Returns which engine it is.
  size_t Add() {
    const size_t index = engines_.size();
    engines_.push_back(MakeEngine());
    listeners_.emplace_back();
    fail_at_.emplace_back();
    EngineSettings settings;
    settings.spec = spec_;
    settings.at_update = [this, index](UpdateMoment moment) {
      if (fail_at_[index] != moment) return;
      fail_at_[index].reset();
      TORCH_CHECK_WITH(DistBackendError, false, "a planned failure");
    };
    CHECK(engines_.back()->Prepare(settings, Sets()).ok());
    return index;
  }

  // These are the ranks from now on.
  std::vector<Joined> Join(std::vector<size_t> members, const Engine::Restore& restore) {
    members_ = std::move(members);
    ++generation_;
    const Listener& first = listeners_[members_[0]];
    std::vector<Joined> joined(members_.size());
    Each([&](uint32_t rank, Engine& engine) {
      auto done =
          engine.Join({base::Generation(generation_), rank, static_cast<uint32_t>(members_.size()),
                       "127.0.0.1", first.port, first.fd},
                      restore);
      CHECK(done.ok()) << done.status().ToString();
      joined[rank] = *done;
    });
    return joined;
  }
  // Fails on this rank; on some others it may succeed.
  void FailingJoin(uint32_t rank, UpdateMoment moment) {
    fail_at_[members_[rank]] = moment;
    ++generation_;
    const Listener& first = listeners_[members_[0]];
    Each([&](uint32_t of, Engine& engine) {
      auto done =
          engine.Join({base::Generation(generation_), of, static_cast<uint32_t>(members_.size()),
                       "127.0.0.1", first.port, first.fd},
                      StartAfresh);
      EXPECT_TRUE(of != rank || !done.ok());
      // A trainer that succeeds goes on with a step, which fails: its group is no more.
      if (done.ok()) done = engine.Step({}).status();
      EXPECT_FALSE(done.ok());
    });
  }
  double Step() {
    double loss = 0;
    Each([&](uint32_t rank, Engine& engine) {
      auto result = engine.Step({});
      CHECK(result.ok()) << result.status().ToString();
      if (rank == 0) loss = result->loss;
    });
    return loss;
  }
  // A step that fails on these; returns how many ranks finished it.
  int FailingStep(const std::map<uint32_t, UpdateMoment>& where) {
    for (const auto& [rank, moment] : where) fail_at_[members_[rank]] = moment;
    std::atomic<int> done = 0;
    Each([&](uint32_t, Engine& engine) {
      auto result = engine.Step({});
      if (result.ok()) return void(++done);
      EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable) << result.status();
      // Its end is what frees the others.
    });
    return done;
  }
  Saved Save(int64_t step, int64_t position) {
    Saved saved;
    for (size_t member : members_) saved.Add(*engines_[member], step, position);
    return saved;
  }
  const Engine& engine(size_t index) const { return *engines_[index]; }

 private:
  template <class Work>
  void Each(Work work) {
    std::vector<std::thread> threads;
    for (uint32_t rank = 0; rank < members_.size(); ++rank) {
      threads.emplace_back([&, rank] { work(rank, *engines_[members_[rank]]); });
    }
    for (std::thread& thread : threads) thread.join();
  }

  const config::JobSpec spec_;
  uint64_t generation_ = 0;
  std::deque<Listener> listeners_;  // each engine's own
  std::vector<std::unique_ptr<Engine>> engines_;
  std::vector<std::optional<UpdateMoment>> fail_at_;
  std::vector<size_t> members_;
};

inline uint64_t OptimizerBytes(const Engine& engine) {
  uint64_t bytes = 0;
  for (const blob::Piece& piece : engine.Share()) {
    const std::string& name = engine.StateTensors()[piece.tensor].name;
    if (name.starts_with("optimizer.")) bytes += piece.bytes;
  }
  return bytes;
}

}  // namespace coxswain::trainer::engine
