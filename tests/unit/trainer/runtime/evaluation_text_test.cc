#include "trainer/runtime/evaluation_text.h"

#include <gtest/gtest.h>

namespace coxswain::trainer {
namespace {

TEST(EvaluationText, SaysOfWhatAndOfHowMany) {
  engine::EvaluationResult result;
  result.loss = 0.17231;
  result.accuracy = 0.9389;
  result.samples = 10000;
  EXPECT_EQ(EvaluationText(result), "loss 0.1723, accuracy 93.89 %, on 10000 samples");
  result.perplexity = 114.836;
  result.samples = 607;
  EXPECT_EQ(EvaluationText(result),
            "loss 0.1723, accuracy 93.89 % of tokens, perplexity 114.836, on 607 windows");
  result.perplexity = 0;
  result.accuracy = -1;
  result.r2 = 0.25;
  result.mse = 3;
  EXPECT_EQ(EvaluationText(result),
            "loss 0.1723, R2 0.2500, mean squared error 3.000000, on 607 samples");
}

}  // namespace
}  // namespace coxswain::trainer
