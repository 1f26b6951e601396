// Ranges of ranks and of batches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/config/example_job.h"

namespace coxswain::config {
namespace {

using ::testing::ElementsAre;

TEST(JobSizes, WorkersWithoutARangeStayAsTheyAre) {
  const JobSpec job = Parsed(kJob).spec;
  EXPECT_EQ(job.min_workers, 2u);
  EXPECT_EQ(job.max_workers, 2u);
  EXPECT_EQ(job.train.max_global_batch_size, 0);
  const JobSpec more = Parsed(kJob, {"spec.max_workers=8"}).spec;
  EXPECT_EQ(more.min_workers, 2u);
  EXPECT_EQ(more.max_workers, 8u);
  const JobSpec fewer = Parsed(kJob, {"spec.min_workers=1"}).spec;
  EXPECT_EQ(fewer.min_workers, 1u);
  EXPECT_EQ(fewer.max_workers, 2u);
}

TEST(JobSizes, BatchMayBeARange) {
  const std::string range =
      Replaced("global_batch_size: 256", "global_batch_size: {min: 64, max: 512}");
  const Train train = Parsed(range).spec.train;
  EXPECT_EQ(train.global_batch_size, 64);
  EXPECT_EQ(train.max_global_batch_size, 512);
  EXPECT_EQ(
      Parsed(range, {"spec.train.global_batch_size.max=128"}).spec.train.max_global_batch_size,
      128);
  EXPECT_EQ(Parsed(range, {"spec.train.global_batch_size=96"}).spec.train.max_global_batch_size, 0);
  EXPECT_EQ(
      Parsed(kJob, {"spec.train.global_batch_size={min: 8, max: 9}"}).spec.train.global_batch_size,
      8);
  // A range of one size is none.
  EXPECT_EQ(Parsed(range, {"spec.train.global_batch_size.max=64"}).spec.train.max_global_batch_size,
            0);
  // It may begin with fewer samples than the most ranks there may be.
  EXPECT_EQ(Parsed(range, {"spec.max_workers=512"}).spec.max_workers, 512u);
}

struct BadSizes {
  const char* from;
  const char* to;
  const char* expected;
};

constexpr BadSizes kBadSizes[] = {
    {"global_batch_size: 256", "global_batch_size: {min: 1, max: 64}",
     "job.yaml:17: spec.train.global_batch_size: found 1 samples a step for 2 workers; expected at "
     "least one sample for each"},
    {"workers: 2", "workers: 2\n  max_workers: 300",
     "job.yaml:18: spec.train.global_batch_size: found 256 samples a step for 300 workers "
     "(spec.max_workers); expected at least one sample for each"},
    {"global_batch_size: 256", "global_batch_size: {min: 64, max: 32}",
     "job.yaml:17: spec.train.global_batch_size.max: found 32, expected at least 64, the batch to "
     "begin with"},
    {"global_batch_size: 256", "global_batch_size: {max: 512}",
     "job.yaml:17: missing key 'min' in spec.train.global_batch_size: expected the batch to begin "
     "with, such as 128"},
    {"global_batch_size: 256", "global_batch_size: {min: 64, max: 512, mid: 100}",
     "job.yaml:17: unknown key 'mid' in spec.train.global_batch_size (did you mean 'min'?)"},
    {"global_batch_size: 256", "global_batch_size: [64, 512]",
     "job.yaml:17: spec.train.global_batch_size: found a list, expected a whole number from 1 to "
     "16777216"},
    {"global_batch_size: 256", "global_batch_size: {min: 64, max: 512}\n    max_steps: 1000",
     "job.yaml:18: spec.train.max_steps: found 1000 with a range of batches "
     "(spec.train.global_batch_size), whose steps are of unequal size; expected the end by "
     "spec.train.epochs alone, or one batch size"},
    {"workers: 2", "workers: 2\n  min_workers: 3",
     "job.yaml:8: spec.min_workers: found 3, expected at most 2, the number of spec.workers"},
    {"workers: 2", "workers: 2\n  max_workers: 1",
     "job.yaml:8: spec.max_workers: found 1, expected at least 2, the number of spec.workers"},
    {"workers: 2", "workers: 2\n  max_workers: 5000",
     "job.yaml:8: spec.max_workers: found \"5000\", expected a whole number from 1 to 4096"},
    {"  train:\n    epochs: 3", "  max_workers: 4\n  train:\n    micro_batch_size: 100",
     "job.yaml:17: spec.train.micro_batch_size: a global batch of 256 makes 3 micro-batch(es) of "
     "100, but there are up to 4 workers (spec.max_workers); expected at most 64"},
};

TEST(JobSizes, WhatCannotBeIsOneClearLine) {
  for (const BadSizes& bad : kBadSizes) {
    EXPECT_THAT(MistakesIn(Replaced(bad.from, bad.to)), ElementsAre(bad.expected)) << bad.to;
  }
}

}  // namespace
}  // namespace coxswain::config
