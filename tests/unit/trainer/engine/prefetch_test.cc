#include "trainer/engine/device/prefetch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace coxswain::trainer::engine {
namespace {

TEST(Prefetch, WhatWasSentStaysWhenTheRowsChange) {
  data::SampleShape shape;
  shape.dense = {2};
  shape.categories = {5};
  data::Rows rows;
  rows.count = 3;
  const float numbers[] = {1, 2, 3, 4, 5, 6};
  rows.dense.assign(reinterpret_cast<const char*>(numbers),
                    reinterpret_cast<const char*>(numbers + 6));
  rows.ids = {4, 0, 2};
  rows.targets = {0.5, -1, 7};
  const Prefetch prefetch(at::kCPU, shape, at::kFloat);
  const auto sent = prefetch.Send(rows);
  ASSERT_NE(sent, nullptr);
  std::fill(rows.dense.begin(), rows.dense.end(), 0);
  rows.ids = {1, 1, 1};
  rows.targets = {0, 0, 0};
  const RowTensors all = Prefetch::Arrived(*sent);
  EXPECT_FALSE(all.labels.defined());
  const RowTensors last = all.Narrow(1, 3);
  EXPECT_TRUE(at::equal(last.dense, at::arange(3, 7, at::kFloat).view({2, 2})));
  EXPECT_TRUE(at::equal(last.ids.view({-1}), at::arange(0, 4, 2, at::kLong)));
  EXPECT_EQ(last.targets[1].item<double>(), 7);
}

}  // namespace
}  // namespace coxswain::trainer::engine
