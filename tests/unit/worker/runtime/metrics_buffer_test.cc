#include "worker/runtime/metrics_buffer.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "worker/runtime/metric_record.h"
#include "worker/runtime/metric_relay.h"

namespace coxswain::worker {
namespace {

namespace fs = std::filesystem;
constexpr base::JobId kJob(1);

std::vector<protocol::MetricPoint> Points(int64_t first, int count) {
  std::vector<protocol::MetricPoint> points;
  for (int64_t step = first; step < first + count; ++step) {
    protocol::MetricPoint point;
    point.name = "loss";
    point.step = step;
    point.value = 1.0 / static_cast<double>(step + 1);
    points.push_back(point);
  }
  return points;
}

class MetricsBufferTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cox-metrics-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    buffer_.reset();
    fs::remove_all(folder_);
  }
  void Open(uint64_t limit = 64 << 20, const std::string& boot_id = "boot-1") {
    buffer_.reset();
    auto buffer = MetricsBuffer::Open(folder_, limit, boot_id);
    ASSERT_TRUE(buffer.ok()) << buffer.status();
    buffer_ = std::move(*buffer);
  }
  void Append(int64_t first, int count) {
    absl::Status s = buffer_->Append(kJob, Points(first, count), 0);
    ASSERT_TRUE(s.ok()) << s;
  }
  // All batches after `after`, as "batch:first step+count" and what was dropped.
  std::vector<protocol::MetricBatch> All(uint64_t after = 0) {
    std::vector<protocol::MetricBatch> all;
    while (auto batch = buffer_->Next(kJob, after)) {
      after = batch->batch;
      all.push_back(std::move(*batch));
    }
    return all;
  }
  fs::path Segment(uint64_t first) { return folder_ / "j1" / (std::to_string(first) + ".seg"); }

  fs::path folder_;
  std::unique_ptr<MetricsBuffer> buffer_;
};

TEST_F(MetricsBufferTest, BatchesComeBackInOrder_AlsoAfterAKill) {
  Open();
  for (int i = 0; i < 5; ++i) Append(i * 10, 10);
  auto before = All();
  ASSERT_EQ(before.size(), 5u);
  EXPECT_EQ(before[3].batch, 4u);
  EXPECT_EQ(before[3].points, Points(30, 10));
  Open();  // nothing was flushed or closed on purpose
  EXPECT_EQ(All().size(), 5u);
  Append(50, 1);
  auto after = All(5);
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].batch, 6u);
}

// The coordinator has batches 1 to 3, of which a power cut took the last two from this disk: what
// is measured next must not look like a repeat of them.
TEST_F(MetricsBufferTest, AfterAPowerCut_NoNumberComesAgain) {
  Open();
  for (int i = 0; i < 3; ++i) Append(10 * i, 2);
  auto size = fs::file_size(Segment(1));
  buffer_.reset();
  fs::resize_file(Segment(1), size / 3);
  Open(64 << 20, "boot-2");
  Append(50, 1);
  uint64_t second = All(3).at(0).batch;
  EXPECT_GT(second, 3u);
  buffer_->Trim(kJob, second);
  EXPECT_TRUE(All(second).empty());
  Open(64 << 20, "boot-2");
  Append(60, 1);
  EXPECT_EQ(All(second).at(0).batch, second + 1) << "the same boot: numbers go on";
  Open(64 << 20, "boot-3");
  Append(70, 1);
  EXPECT_GT(All(second + 1).at(0).batch, second + 2);
  buffer_->Forget(kJob);
  buffer_->Trim(kJob, All(second + 1).back().batch);
  EXPECT_TRUE(buffer_->Jobs().empty());
}

TEST_F(MetricsBufferTest, DamagedCountOfBoots_IsSaid) {
  std::ofstream(folder_ / "boots") << "boot-1 x";
  EXPECT_EQ(MetricsBuffer::Open(folder_, 1 << 20, "boot-1").status().code(),
            absl::StatusCode::kDataLoss);
}

TEST_F(MetricsBufferTest, TornEnd_IsCutOffAndWritingGoesOn) {
  Open();
  for (int i = 0; i < 3; ++i) Append(i, 1);
  buffer_.reset();
  auto whole = fs::file_size(Segment(1));
  for (uintmax_t cut = 1; cut < whole / 3; cut += 7) {
    fs::resize_file(Segment(1), whole - cut);
    Open();
    EXPECT_EQ(All().size(), 2u) << cut;
    Append(2, 1);
    auto all = All();
    ASSERT_EQ(all.size(), 3u) << cut;
    EXPECT_EQ(all[2].batch, 3u);
    buffer_.reset();
    ASSERT_EQ(fs::file_size(Segment(1)), whole);
  }
}

TEST_F(MetricsBufferTest, DamagedRecord_IsNotRead) {
  std::string record = EncodeRecord({kJob, 7, Points(0, 3), 2});
  size_t size = 0;
  ASSERT_TRUE(DecodeRecord(record, &size).has_value());
  EXPECT_EQ(size, record.size());
  EXPECT_EQ(DecodeRecord(record, &size)->dropped, 2u);
  for (size_t i = 0; i < record.size(); ++i) {
    std::string damaged = record;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_FALSE(DecodeRecord(damaged, &size).has_value()) << i;
  }
}

TEST_F(MetricsBufferTest, Acknowledged_SegmentsGoAndNumbersGoOn) {
  Open(64 << 10);  // segments of 16 KiB
  for (int i = 0; i < 40; ++i) Append(i * 20, 20);
  EXPECT_GT(std::distance(fs::directory_iterator(folder_ / "j1"), {}), 2);
  buffer_->Trim(kJob, 40);
  EXPECT_LE(std::distance(fs::directory_iterator(folder_ / "j1"), {}), 1);
  EXPECT_TRUE(All(40).empty());
  Open(64 << 10);
  Append(0, 1);
  EXPECT_EQ(All(40).at(0).batch, 41u);
}

TEST_F(MetricsBufferTest, Full_ThinsTheOldestAndCountsWhatWent) {
  Open(128 << 10);
  uint64_t points = 0;
  for (int i = 0; i < 300; ++i) {
    Append(i * 20, 20);
    points += 20;
    EXPECT_LE(buffer_->bytes(), 128u << 10);
  }
  uint64_t kept = 0, dropped = 0, last = 0;
  std::vector<uint64_t> kept_by_batch;
  for (const auto& batch : All()) {
    EXPECT_GT(batch.batch, last);
    last = batch.batch;
    kept += batch.points.size();
    dropped += batch.dropped;
    kept_by_batch.push_back(batch.points.size());
  }
  EXPECT_EQ(last, 300u);
  EXPECT_EQ(kept_by_batch.back(), 20u);  // the newest are whole
  EXPECT_LT(kept_by_batch.front(), 20u);
  // What was removed with a whole segment is told by the next batch to come.
  Append(20000, 1);
  dropped += All(last).at(0).dropped;
  EXPECT_EQ(kept + dropped, points);
}

TEST_F(MetricsBufferTest, Forgotten_GoesWhenAllIsAcknowledged) {
  Open();
  Append(0, 1);
  buffer_->Forget(kJob);
  EXPECT_TRUE(fs::exists(folder_ / "j1"));
  buffer_->Trim(kJob, 1);
  EXPECT_FALSE(fs::exists(folder_ / "j1"));
}

TEST_F(MetricsBufferTest, DiskRefuses_LossIsToldWithTheNextBatch) {
  Open();
  Append(0, 1);
  fs::create_directory(Segment(2));  // the next segment's file cannot be made
  std::vector<protocol::MetricPoint> many = Points(0, 40'000);
  EXPECT_FALSE(buffer_->Append(kJob, many, 5).ok());
  fs::remove(Segment(2));
  Append(1, 1);
  auto all = All(1);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].dropped, 40'005u);
}

TEST_F(MetricsBufferTest, Relay_SendsAgainWhatWasNotAcknowledged) {
  Open();
  for (int i = 0; i < 5; ++i) Append(i, 1);
  std::vector<uint64_t> sent;
  bool full = false;
  MetricRelay relay(*buffer_, [&](protocol::MetricBatch& batch) {
    if (!full) sent.push_back(batch.batch);
    return !full;
  });
  relay.Pump();
  EXPECT_TRUE(sent.empty());  // nobody listens
  relay.Begin();
  EXPECT_EQ(sent, (std::vector<uint64_t>{1, 2, 3, 4, 5}));
  relay.Acknowledged(kJob, 2);
  relay.End();
  sent.clear();
  relay.Begin();
  EXPECT_EQ(sent, (std::vector<uint64_t>{3, 4, 5}));
  full = true;
  Append(5, 1);
  relay.Pump();
  full = false;
  relay.Pump();
  EXPECT_EQ(sent, (std::vector<uint64_t>{3, 4, 5, 6}));
}

TEST_F(MetricsBufferTest, Relay_SendsAgainWhenItIsAsked) {
  Open();
  for (int i = 0; i < 4; ++i) Append(i, 1);
  std::vector<uint64_t> sent;
  MetricRelay relay(*buffer_, [&](protocol::MetricBatch& batch) {
    sent.push_back(batch.batch);
    return true;
  });
  relay.Begin();
  relay.Acknowledged(kJob, 2);
  sent.clear();
  relay.Acknowledged(kJob, 0);
  EXPECT_EQ(sent, (std::vector<uint64_t>{3, 4}));
}

TEST_F(MetricsBufferTest, Relay_GoesABoundedNumberAhead) {
  Open();
  for (size_t i = 0; i < MetricRelay::kBatchesAhead + 10; ++i) Append(0, 1);
  std::vector<uint64_t> sent;
  MetricRelay relay(*buffer_, [&](protocol::MetricBatch& batch) {
    sent.push_back(batch.batch);
    return true;
  });
  relay.Begin();
  EXPECT_EQ(sent.size(), MetricRelay::kBatchesAhead);
  relay.Acknowledged(kJob, 4);
  EXPECT_EQ(sent.size(), MetricRelay::kBatchesAhead + 4);
}

}  // namespace
}  // namespace coxswain::worker
