#include "trainer/engine/model/linear.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace coxswain::trainer::engine {
namespace {

class LinearTest : public testing::Test {
 protected:
  LinearTest() : weight(Parameter({3, 4})), bias(Parameter({3})), linear(weight, bias) {}

  static at::Tensor Parameter(at::IntArrayRef shape) {
    return at::arange(1, 1 + c10::multiply_integers(shape), at::kDouble)
        .div(7)
        .reshape(shape)
        .set_requires_grad(true);
  }
  static at::Tensor Input(double first) {
    return at::arange(first, first + 8, at::kDouble).reshape({2, 4});
  }
  static void Backward(const at::Tensor& y) { y.square().sum().backward(); }
  void Reset() {
    linear.KeepGradientMemory();
    weight.mutable_grad().reset();
    bias.mutable_grad().reset();
  }

  at::Tensor weight, bias;
  Linear linear;
};

TEST_F(LinearTest, GradientsAreThoseOfAtLinear_BitForBit) {
  at::Tensor x = Input(1).set_requires_grad(true), same = Input(1).set_requires_grad(true);
  at::Tensor w = Parameter({3, 4}), b = Parameter({3});
  Backward(at::linear(same, w, b));
  for (int step = 0; step < 2; ++step) {  // into new memory, then into kept memory
    Reset();
    x.mutable_grad().reset();
    Backward(linear.Forward(x));
    EXPECT_TRUE(at::equal(weight.grad(), w.grad()));
    EXPECT_TRUE(at::equal(bias.grad(), b.grad()));
    EXPECT_TRUE(at::equal(x.grad(), same.grad()));
  }
}

// As GPT-2 keeps its weights, and without a bias.
TEST_F(LinearTest, InputsFirst_GradientsAreThoseOfMatmul_BitForBit) {
  for (bool with_bias : {true, false}) {
    at::Tensor w = Parameter({4, 3}), b = with_bias ? Parameter({3}) : at::Tensor();
    at::Tensor w2 = Parameter({4, 3}), b2 = with_bias ? Parameter({3}) : at::Tensor();
    Linear other(w2, b2, Linear::Layout::kInputsFirst);
    at::Tensor x = Input(1).set_requires_grad(true), same = Input(1).set_requires_grad(true);
    Backward(with_bias ? at::addmm(b, same, w) : same.mm(w));
    for (int step = 0; step < 2; ++step) {
      other.KeepGradientMemory();
      for (at::Tensor* each : {&x, &w2}) each->mutable_grad().reset();
      if (with_bias) b2.mutable_grad().reset();
      Backward(other.Forward(x));
      EXPECT_TRUE(at::equal(w2.grad(), w.grad()));
      EXPECT_TRUE(at::equal(x.grad(), same.grad()));
      if (with_bias) {
        EXPECT_TRUE(at::equal(b2.grad(), b.grad()));
      }
    }
  }
}

TEST_F(LinearTest, NextStepsGradient_LiesWhereTheLastOneLay) {
  Backward(linear.Forward(Input(1)));
  at::Tensor first = weight.grad();
  Reset();
  Backward(linear.Forward(Input(2)));
  EXPECT_EQ(weight.grad().data_ptr(), first.data_ptr());
  linear.DropGradientMemory();
  weight.mutable_grad().reset();
  Backward(linear.Forward(Input(3)));
  EXPECT_NE(weight.grad().data_ptr(), first.data_ptr());
}

TEST_F(LinearTest, SecondMicroBatch_IsAddedToTheFirst) {
  for (int step = 0; step < 2; ++step) {
    Reset();
    Backward(linear.Forward(Input(1)));
    at::Tensor one = weight.grad().clone();
    Backward(linear.Forward(Input(1)));
    EXPECT_TRUE(at::equal(weight.grad(), one * 2));
  }
}

}  // namespace
}  // namespace coxswain::trainer::engine
