// spec.train.cuda_graphs: what it goes with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/config/example_job.h"

namespace coxswain::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Overrides = std::vector<std::string>;

std::vector<std::string> With(Overrides more) {
  Overrides all = {"spec.train.cuda_graphs=true", "spec.workers=1", "spec.resources.gpus=1"};
  all.insert(all.end(), more.begin(), more.end());
  return MistakesIn(kJob, all);
}

TEST(JobGraphs, OffUnlessWanted) {
  EXPECT_FALSE(Parsed(kJob).spec.train.cuda_graphs);
  EXPECT_THAT(With({}), IsEmpty());
  EXPECT_THAT(MistakesIn(kJob, {"spec.train.cuda_graphs=false"}), IsEmpty());
}

TEST(JobGraphs, NeedOneRankOnAGpu) {
  EXPECT_THAT(With({"spec.resources.gpus=0"}),
              ElementsAre(HasSubstr("spec.train.cuda_graphs: needs a GPU; found true with "
                                    "spec.resources.gpus: 0, expected gpus: 1")));
  EXPECT_THAT(With({"spec.workers=2"}),
              ElementsAre(HasSubstr("spec.train.cuda_graphs: found true with 2 workers")));
  EXPECT_THAT(With({"spec.max_workers=4"}),
              ElementsAre(HasSubstr("found true with 4 workers (spec.max_workers)")));
}

TEST(JobGraphs, NeedABatchOfOneSizeAndARecipe) {
  EXPECT_THAT(With({"spec.train.global_batch_size={min: 64, max: 256}"}),
              ElementsAre(HasSubstr("spec.train.cuda_graphs: found true with a range of batches")));
  EXPECT_THAT(
      With({"spec.model={module: model.pt}"}),
      ElementsAre(HasSubstr("spec.train.cuda_graphs: found true with a model of your own")));
}

}  // namespace
}  // namespace coxswain::config
