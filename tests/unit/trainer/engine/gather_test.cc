// A gather over Gloo, as ranks on several machines do it.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/unit/trainer/engine/loopback_listener.h"
#include "trainer/engine/collective/group.h"
#include "trainer/engine/collective/group_sockets.h"

namespace coxswain::trainer::engine {
namespace {

at::Tensor Values(int64_t size, uint32_t rank) {
  return at::arange(size, at::kFloat).add(int64_t{1000} * rank);
}

TEST(GlooGather, UnequalParts_EachRankHasAll) {
  const std::vector<std::vector<int64_t>> sizes = {{3, (1 << 20) + 7}, {}, {5, 0, 2}};
  const auto ranks = static_cast<uint32_t>(sizes.size());
  Listener listener;
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      GroupLimits limits{"127.0.0.1", base::seconds(30), base::seconds(30), [] { return false; },
                         /*share_memory=*/false};
      std::atomic<protocol::Phase> phase{};
      auto group =
          FormGlooGroup({base::Generation(1), rank, ranks, "127.0.0.1", listener.port, listener.fd},
                        limits, &phase);
      std::vector<std::vector<at::Tensor>> parts(ranks);
      for (uint32_t of = 0; of < ranks; ++of) {
        for (int64_t size : sizes[of]) {
          parts[of].push_back(of == rank ? Values(size, of) : at::zeros({size}));
        }
      }
      group->AllGather(parts);
      for (uint32_t of = 0; of < ranks; ++of) {
        for (size_t i = 0; i < sizes[of].size(); ++i) {
          EXPECT_TRUE(at::equal(parts[of][i], Values(sizes[of][i], of)))
              << "part " << i << " of rank " << of << " on rank " << rank;
        }
      }
      at::Tensor last = at::ones({1});
      group->AllReduce(last)->Wait();  // nobody leaves before all have theirs
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace coxswain::trainer::engine
