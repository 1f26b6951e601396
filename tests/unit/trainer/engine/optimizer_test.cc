// The fused updates against torch::optim, and which parameters decay.
#include "trainer/engine/optim/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

namespace coxswain::trainer::engine {
namespace {

class OptimizerTest : public testing::Test {
 protected:
  static std::vector<at::Tensor> Parameters() {
    std::vector<at::Tensor> out;
    for (const std::vector<int64_t>& shape :
         std::vector<std::vector<int64_t>>{{3, 4}, {3}, {2, 3, 1, 1}}) {
      out.push_back(at::arange(1, 1 + c10::multiply_integers(shape), at::kDouble)
                        .div(7)
                        .view(shape)
                        .set_requires_grad(true));
    }
    return out;
  }
  static void SetGradients(std::vector<at::Tensor>& parameters, int step) {
    for (at::Tensor& each : parameters) each.mutable_grad() = (each.detach() + step).sin();
  }
  void MakeOurs(const config::Optimizer& settings) {
    for (size_t i = 0; i < ours.size(); ++i) named.push_back({"p" + std::to_string(i), ours[i]});
    optimizer = std::make_unique<Optimizer>(settings, named);
  }
  void ExpectSame(torch::optim::Optimizer& reference) {
    for (int step = 1; step <= 5; ++step) {
      SetGradients(ours, step);
      SetGradients(theirs, step);
      {
        at::NoGradGuard no_grad;
        optimizer->Apply(step, 0.1);
      }
      reference.step();
      for (size_t i = 0; i < ours.size(); ++i) {
        ASSERT_TRUE(at::allclose(ours[i], theirs[i], 1e-12, 1e-12)) << "step " << step;
      }
    }
  }

  std::vector<at::Tensor> ours = Parameters(), theirs = Parameters();
  std::vector<NamedTensor> named;
  std::unique_ptr<Optimizer> optimizer;
};

TEST_F(OptimizerTest, AdamW_IsThatOfTorch) {
  config::Optimizer settings;
  settings.weight_decay = 0.3;
  settings.beta1 = 0.8;
  MakeOurs(settings);
  torch::optim::AdamW reference(
      theirs, torch::optim::AdamWOptions(0.1).betas({0.8, 0.999}).weight_decay(0.3));
  ExpectSame(reference);
}

TEST_F(OptimizerTest, SgdWithMomentumNesterovAndDecay_IsThatOfTorch) {
  config::Optimizer settings;
  settings.name = config::OptimizerName::kSgd;
  settings.weight_decay = 0.3;
  settings.momentum = 0.9;
  settings.nesterov = true;
  MakeOurs(settings);
  torch::optim::SGD reference(
      theirs, torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.3).nesterov(true));
  ExpectSame(reference);
}

// As two parameter groups of torch::optim.
TEST_F(OptimizerTest, DecayOfMatricesAlone_IsThatOfTwoGroups) {
  for (bool adamw : {true, false}) {
    ours = Parameters();
    theirs = Parameters();
    named.clear();
    config::Optimizer settings;
    settings.name = adamw ? config::OptimizerName::kAdamW : config::OptimizerName::kSgd;
    settings.weight_decay = 0.3;
    settings.decay = config::Decay::kMatrices;
    MakeOurs(settings);
    using torch::optim::OptimizerParamGroup;
    std::vector<OptimizerParamGroup> groups;
    const std::vector<at::Tensor> matrices = {theirs[0], theirs[2]}, vectors = {theirs[1]};
    if (adamw) {
      groups.emplace_back(matrices, std::make_unique<torch::optim::AdamWOptions>(
                                        torch::optim::AdamWOptions(0.1).weight_decay(0.3)));
      groups.emplace_back(vectors, std::make_unique<torch::optim::AdamWOptions>(
                                       torch::optim::AdamWOptions(0.1).weight_decay(0)));
      torch::optim::AdamW reference(groups, torch::optim::AdamWOptions(0.1));
      ExpectSame(reference);
    } else {
      groups.emplace_back(matrices, std::make_unique<torch::optim::SGDOptions>(
                                        torch::optim::SGDOptions(0.1).weight_decay(0.3)));
      groups.emplace_back(vectors, std::make_unique<torch::optim::SGDOptions>(
                                       torch::optim::SGDOptions(0.1).weight_decay(0)));
      torch::optim::SGD reference(groups, torch::optim::SGDOptions(0.1));
      ExpectSame(reference);
    }
  }
}

TEST_F(OptimizerTest, DecayOfMatricesAlone_KeepsTheStatesOrder) {
  config::Optimizer settings;
  settings.decay = config::Decay::kMatrices;
  MakeOurs(settings);
  std::vector<std::string> names;
  for (const StatePart& each : optimizer->state()) names.push_back(each.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"optimizer.exp_avg.p0", "optimizer.exp_avg.p1",
                                      "optimizer.exp_avg.p2", "optimizer.exp_avg_sq.p0",
                                      "optimizer.exp_avg_sq.p1", "optimizer.exp_avg_sq.p2"}));
}

}  // namespace
}  // namespace coxswain::trainer::engine
