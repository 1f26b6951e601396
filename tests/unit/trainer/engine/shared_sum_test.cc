// Sums through shared memory: right, the same bits everywhere, and never waited for in vain.
#include "trainer/engine/collective/shared_sum.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace coxswain::trainer::engine {
namespace {

constexpr auto kSlotFloats = static_cast<int64_t>(SharedSegment::kSlotBytes / sizeof(float));

// The segments of ranks that are threads of this process.
std::vector<std::unique_ptr<SharedSegment>> MakeSegments(uint32_t ranks,
                                                         std::vector<pid_t> pids = {}) {
  if (pids.empty()) pids.assign(ranks, getpid());
  std::vector<std::unique_ptr<SharedSegment>> segments;
  auto first = SharedSegment::Create(ranks);
  TORCH_CHECK(first.ok(), first.status().ToString());
  segments.push_back(*std::move(first));
  for (uint32_t rank = 1; rank < ranks; ++rank) {
    auto other = SharedSegment::Open(segments[0]->name(), rank, ranks);
    TORCH_CHECK(other.ok(), other.status().ToString());
    segments.push_back(*std::move(other));
  }
  for (auto& segment : segments) TORCH_CHECK(segment->WatchProcesses(pids).ok());
  return segments;
}

SharedSegment::Patience Endless() {
  return {[] { return false; }, base::seconds(600)};
}

// Whole numbers, so that the order of adding does not show.
at::Tensor Values(int64_t size, at::ScalarType type, uint32_t rank) {
  return at::arange(size, at::TensorOptions().dtype(type)).remainder(1000).add(int64_t{7} * rank);
}

void SumOnEveryRank(uint32_t ranks, const std::vector<int64_t>& sizes, at::ScalarType type) {
  at::set_num_threads(1);  // as ranks that share a machine do
  auto segments = MakeSegments(ranks);
  std::vector<std::vector<at::Tensor>> tensors(ranks);
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    for (int64_t size : sizes) tensors[rank].push_back(Values(size, type, rank));
    threads.emplace_back([&, rank] {
      SharedSum sum(std::move(segments[rank]), rank, ranks, Endless());
      std::vector<c10::intrusive_ptr<c10::ivalue::Future>> futures;
      for (const at::Tensor& tensor : tensors[rank]) futures.push_back(sum.Start(tensor));
      for (auto& future : futures) future->waitAndThrow();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < sizes.size(); ++i) {
    at::Tensor expected = at::zeros({sizes[i]}, at::TensorOptions().dtype(type));
    for (uint32_t rank = 0; rank < ranks; ++rank) expected.add_(Values(sizes[i], type, rank));
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      EXPECT_TRUE(at::equal(tensors[rank][i], expected)) << "rank " << rank << ", " << sizes[i];
    }
  }
}

TEST(SharedSum, AnySizeAndNumberOfRanks_SumsInPlace) {
  std::vector<int64_t> sizes = {1, 0, 7, kSlotFloats, 3 * kSlotFloats + 3, 1};
  for (uint32_t ranks : {2u, 3u, 4u}) SumOnEveryRank(ranks, sizes, at::kFloat);
}

// Of each rank so many tensors of these sizes, between sums that take their turns.
void GatherOnEveryRank(const std::vector<std::vector<int64_t>>& sizes) {
  at::set_num_threads(1);
  const auto ranks = static_cast<uint32_t>(sizes.size());
  auto segments = MakeSegments(ranks);
  std::vector<std::vector<std::vector<at::Tensor>>> parts(ranks);
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    for (uint32_t of = 0; of < ranks; ++of) {
      parts[rank].emplace_back();
      for (int64_t size : sizes[of]) {
        const at::Tensor own = Values(size, at::kFloat, of);
        parts[rank][of].push_back(rank == of ? own : at::zeros_like(own));
      }
    }
    threads.emplace_back([&, rank] {
      SharedSum sum(std::move(segments[rank]), rank, ranks, Endless());
      for (int round = 0; round < 3; ++round) {
        at::Tensor ones = at::ones({kSlotFloats + 5});
        auto before = sum.Start(ones), gathered = sum.StartGather(parts[rank]);
        before->waitAndThrow();
        gathered->waitAndThrow();
        EXPECT_TRUE(at::equal(ones, at::full({kSlotFloats + 5}, static_cast<double>(ranks))));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    for (uint32_t of = 0; of < ranks; ++of) {
      for (size_t i = 0; i < sizes[of].size(); ++i) {
        EXPECT_TRUE(at::equal(parts[rank][of][i], Values(sizes[of][i], at::kFloat, of)))
            << "part " << i << " of rank " << of << " on rank " << rank;
      }
    }
  }
}

TEST(SharedSum, GatherOfUnequalParts_EachRankHasAll) {
  GatherOnEveryRank({{1, 7}, {3}});
  GatherOnEveryRank({{5, 3 * kSlotFloats + 3, 0, 9}, {}, {kSlotFloats}});
  GatherOnEveryRank({{}, {}, {}, {2}});
}

TEST(SharedSum, DoublesAndWholeNumbers_SumsInPlace) {
  SumOnEveryRank(2, {3, 1000}, at::kDouble);
  SumOnEveryRank(3, {3, 1000}, at::kLong);
}

TEST(SharedSum, FractionsOverManyRounds_HaveTheSameBitsOnEveryRank) {
  auto segments = MakeSegments(3);
  std::vector<at::Tensor> tensors;
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < 3; ++rank) {
    tensors.push_back(at::arange(10007, at::kFloat).mul(0.1 * (1 + rank)).sin());
  }
  at::Tensor expected = (tensors[0] + tensors[1]) + tensors[2];
  for (uint32_t rank = 0; rank < 3; ++rank) {
    threads.emplace_back([&, rank] {
      SharedSum sum(std::move(segments[rank]), rank, 3, Endless());
      at::Tensor start = tensors[rank].clone();
      for (int round = 0; round < 50; ++round) {
        tensors[rank].copy_(start);
        sum.Start(tensors[rank])->waitAndThrow();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const at::Tensor& tensor : tensors) EXPECT_TRUE(at::equal(tensor, expected));
}

std::string ErrorOf(SharedSum& sum) {
  try {
    sum.Start(at::ones({100}))->waitAndThrow();
  } catch (const c10::DistBackendError& error) {
    return error.what_without_backtrace();
  }
  return "";
}

TEST(SharedSum, GivenUp_EndsTheWait) {
  auto segments = MakeSegments(2);
  std::atomic<bool> given_up{false};
  SharedSum sum(std::move(segments[0]), 0, 2,
                {[&] { return given_up.load(); }, base::seconds(600)});
  std::thread other([&] { given_up = true; });
  EXPECT_EQ(ErrorOf(sum), "the group was given up");
  other.join();
  EXPECT_EQ(ErrorOf(sum), "the group was given up") << "a broken group stays broken";
}

TEST(SharedSum, AnotherRankLeaves_EndsTheWait) {
  auto segments = MakeSegments(2);
  SharedSum sum(std::move(segments[0]), 0, 2, Endless());
  segments[1].reset();
  EXPECT_EQ(ErrorOf(sum), "rank 1 has left the group");
}

TEST(SharedSum, AnotherRankDoesNotCome_EndsTheWaitInTime) {
  auto segments = MakeSegments(2);
  SharedSum sum(std::move(segments[0]), 0, 2, {[] { return false; }, base::milliseconds(20)});
  EXPECT_EQ(ErrorOf(sum), "rank 1 did not take part in an all-reduce in time");
}

TEST(SharedSum, ProcessOfAnotherRankIsKilled_EndsTheWait) {
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  auto segments = MakeSegments(2, {getpid(), child});
  SharedSum sum(std::move(segments[0]), 0, 2, Endless());
  kill(child, SIGKILL);
  EXPECT_EQ(ErrorOf(sum), "the process of rank 1 has ended");
  waitpid(child, nullptr, 0);
}

TEST(SharedSegment, OfAnotherMachineProcessOrSize_IsNotOpened) {
  auto segment = SharedSegment::Create(2);
  ASSERT_TRUE(segment.ok()) << segment.status().ToString();
  std::string name = (*segment)->name();
  EXPECT_TRUE(SharedSegment::Open(name, 1, 2).ok());
  EXPECT_EQ(SharedSegment::Open(name, 1, 3).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(SharedSegment::Open("x" + name, 1, 2).status().message(),
            "rank 0 is on another machine or in another container");
  EXPECT_FALSE(SharedSegment::Open("none", 1, 2).ok());
  EXPECT_FALSE(SharedSegment::Open(name.substr(0, name.rfind(' ')) + " 9999", 1, 2).ok());
}

}  // namespace
}  // namespace coxswain::trainer::engine
