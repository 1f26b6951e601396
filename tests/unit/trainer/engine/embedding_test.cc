#include "trainer/engine/model/embedding.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace coxswain::trainer::engine {
namespace {

class EmbeddingTest : public testing::Test {
 protected:
  EmbeddingTest() : weight(Parameter()), embedding(weight), same(Parameter()) {}

  static at::Tensor Parameter() {
    return at::arange(1, 13, at::kDouble).div(7).reshape({4, 3}).set_requires_grad(true);
  }
  static at::Tensor Ids(int64_t first) {
    return at::arange(first, first + 6, at::kLong).remainder(4).reshape({2, 3});
  }
  // Through the logits (tied) or without them.
  void BackwardOurs(const at::Tensor& ids, bool tied) {
    at::Tensor x = embedding.Forward(ids).reshape({6, 3}).tanh();
    (tied ? embedding.Logits(x) : x).square().sum().backward();
  }
  void BackwardAsAutograd(const at::Tensor& ids, bool tied) {
    at::Tensor x = at::embedding(same, ids).reshape({6, 3}).tanh();
    (tied ? at::linear(x, same) : x).square().sum().backward();
  }
  void Reset() {
    embedding.KeepGradientMemory();
    weight.mutable_grad().reset();
    same.mutable_grad().reset();
  }

  at::Tensor weight;
  Embedding embedding;
  at::Tensor same;
};

TEST_F(EmbeddingTest, GradientsAreAutograds_InNewMemoryAndInKept) {
  for (bool tied : {true, false}) {
    for (int step = 0; step < 3; ++step) {
      Reset();
      for (int micro_batch = 0; micro_batch < 2; ++micro_batch) {
        BackwardOurs(Ids(step + micro_batch), tied);
        BackwardAsAutograd(Ids(step + micro_batch), tied);
      }
      EXPECT_TRUE(at::allclose(weight.grad(), same.grad(), 1e-12)) << "tied " << tied;
    }
  }
}

TEST_F(EmbeddingTest, NextStepsGradient_LiesWhereTheLastOneLay) {
  for (bool tied : {true, false}) {
    BackwardOurs(Ids(0), tied);
    at::Tensor first = weight.grad();
    Reset();
    BackwardOurs(Ids(1), tied);
    EXPECT_EQ(weight.grad().data_ptr(), first.data_ptr());
    embedding.DropGradientMemory();
    weight.mutable_grad().reset();
    BackwardOurs(Ids(1), tied);
    EXPECT_NE(weight.grad().data_ptr(), first.data_ptr());
    Reset();
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine
