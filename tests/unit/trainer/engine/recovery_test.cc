// A collective that cannot end is freed; the ranks form again in place and lose no step.
#include <gtest/gtest.h>

#include <chrono>
#include <future>

#include "ranks.h"
#include "trainer/engine/collective/group_sockets.h"

namespace coxswain::trainer::engine {
namespace {

struct Connection {
  int client = -1, server = -1;
  explicit Connection(const Listener& listener) {
    client = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(listener.port);
    CHECK(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    server = accept(listener.fd, nullptr, nullptr);
  }
  ~Connection() {
    close(client);
    close(server);
  }
  // 0: ended; -1: still open and silent.
  ssize_t Read() const {
    char byte;
    return recv(client, &byte, 1, MSG_DONTWAIT);
  }
};

TEST(GroupSockets, Shutdown_EndsTheGroupsConnectionsOnly) {
  Listener listener;
  GroupSockets sockets;
  Connection before(listener);
  sockets.Begin();
  Connection own(listener);
  sockets.Settle();
  Connection after(listener);
  sockets.Shutdown();
  EXPECT_EQ(own.Read(), 0);
  EXPECT_EQ(before.Read(), -1);
  EXPECT_EQ(after.Read(), -1);
  sockets.Forget();
  sockets.Shutdown();
  EXPECT_EQ(after.Read(), -1);
}

TEST(GroupSockets, StillForming_WhatIsOpenedMeanwhileIsEnded) {
  Listener listener;
  GroupSockets sockets;
  sockets.Begin();
  Connection own(listener);
  sockets.Shutdown();
  EXPECT_EQ(own.Read(), 0);
}

// Two ranks on threads of their own.
struct Pair {
  const std::unique_ptr<data::ImageDataset> images = MakeImages(120, 8, 10);
  const Datasets sets{images.get(), nullptr};
  config::JobSpec spec;
  Listener listener;
  std::unique_ptr<Engine> ranks[2] = {MakeEngine(), MakeEngine()};

  Pair() {
    spec.workers = 2;
    spec.model.recipe = config::Recipe::kMlp;
    spec.train.global_batch_size = 12;
    spec.train.precision = config::Precision::kFloat64;
    EngineSettings settings;
    settings.spec = spec;
    for (auto& rank : ranks) CHECK(rank->Prepare(settings, sets).ok());
  }
  Joined JoinAs(uint32_t rank, uint64_t generation) {
    auto joined = ranks[rank]->Join(
        {base::Generation(generation), rank, 2, "127.0.0.1", listener.port, listener.fd},
        StartAfresh);
    CHECK(joined.ok()) << joined.status().ToString();
    return *joined;
  }
  template <class Work>
  auto Both(Work work) {
    auto other = std::async(std::launch::async, [&] { return work(1); });
    auto mine = work(0);
    other.get();
    return mine;
  }
  Joined Join(uint64_t generation) {
    return Both([&](uint32_t rank) { return JoinAs(rank, generation); });
  }
  double Step() {
    return Both([&](uint32_t rank) {
      auto result = ranks[rank]->Step({});
      CHECK(result.ok()) << result.status().ToString();
      return result->loss;
    });
  }
};

TEST(Recovery, PeerSilent_AbortFreesTheStepAndANewGenerationGoesOn) {
  Pair pair;
  Curve whole = Train(pair.spec, pair.sets, 2, 6);
  pair.Join(1);
  for (size_t i = 0; i < 3; ++i) EXPECT_DOUBLE_EQ(pair.Step(), whole.losses[i]);

  // Rank 1 is silent: rank 0 cannot finish its step until it is freed.
  auto stuck = std::async(std::launch::async, [&] { return pair.ranks[0]->Step({}).status(); });
  ASSERT_EQ(stuck.wait_for(std::chrono::milliseconds(30)), std::future_status::timeout);
  pair.ranks[0]->Abort();
  EXPECT_EQ(stuck.get().code(), absl::StatusCode::kUnavailable);

  Joined joined = pair.Join(2);
  EXPECT_EQ(joined.step, 3);
  EXPECT_EQ(joined.position, 36);
  for (size_t i = 3; i < 6; ++i) EXPECT_NEAR(pair.Step(), whole.losses[i], 1e-12);
}

TEST(Recovery, RankQuickerThanRankZero_WaitsUntilTheOldGroupHasEnded) {
  Pair pair;
  pair.Join(1);
  pair.Step();
  auto quick = std::async(std::launch::async, [&] { return pair.JoinAs(1, 2); });
  ASSERT_EQ(quick.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  EXPECT_EQ(pair.JoinAs(0, 2).step, 1);
  EXPECT_EQ(quick.get().step, 1);
  pair.Step();
}

TEST(Recovery, RankQuickerThanRankZero_AbortEndsItsWait) {
  Pair pair;
  pair.Join(1);
  auto quick = std::async(std::launch::async, [&] {
    return pair.ranks[1]
        ->Join({base::Generation(2), 1, 2, "127.0.0.1", pair.listener.port, pair.listener.fd},
               StartAfresh)
        .status();
  });
  ASSERT_EQ(quick.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  pair.ranks[1]->Abort();
  EXPECT_EQ(quick.get().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace coxswain::trainer::engine
