#include "common/base/nearest_name.h"

#include <gtest/gtest.h>

namespace coxswain::base {
namespace {

TEST(NearestName, FindsWhatWasMeant) {
  const std::vector<std::string> names = {"epochs", "global_batch_size", "learning_rate",
                                          "optimizer"};
  EXPECT_EQ(NearestName("optimiser", names), "optimizer");
  EXPECT_EQ(NearestName("globalBatchSize", names), "global_batch_size");
  EXPECT_EQ(NearestName("batch_size", names), "global_batch_size");
  EXPECT_EQ(NearestName("lr", names), "learning_rate");
  const std::vector<std::string> choices = {"all", "matrices"};
  EXPECT_EQ(NearestName("matrix", choices), "matrices");
  EXPECT_EQ(NearestName("epcohs", names), "epochs");
  EXPECT_EQ(NearestName("colour", names), std::nullopt);
  EXPECT_EQ(NearestName("", names), std::nullopt);
}

TEST(NearestName, SwappedNeighboursAreOneEdit) {
  EXPECT_EQ(EditDistance("trian", "train"), 1u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
}

}  // namespace
}  // namespace coxswain::base
