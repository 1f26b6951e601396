#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "coordinator/store/metric_store.h"

namespace coxswain::coordinator::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr base::WallTime kNow{1'700'000'000'000'000};

class SqliteMetricStore : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::temp_directory_path() / "cox-metrics-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    auto store = OpenSqliteMetricStore(folder_ + "/metrics.db");
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    auto reader = store_->NewReader();
    ASSERT_TRUE(reader.ok()) << reader.status();
    reader_ = *std::move(reader);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Steps `from` to `to` of "loss" of rank 0; the value is the step plus 1000 times the generation.
  static NodeBatch Steps(uint64_t batch, int64_t from, int64_t to, uint64_t generation = 1,
                         uint64_t job = 1, const std::string& name = "loss") {
    NodeBatch b;
    b.node = base::NodeId("a");
    b.batch.job = base::JobId(job);
    b.batch.batch = batch;
    for (int64_t step = from; step <= to; ++step) {
      protocol::MetricPoint p;
      p.name = name;
      p.rank = 0;
      p.step = step;
      p.value = static_cast<double>(step + 1000 * generation);
      p.time = base::WallTime{step};
      p.generation = base::Generation(generation);
      b.batch.points.push_back(p);
    }
    return b;
  }
  void Append(const std::vector<NodeBatch>& batches) {
    absl::Status status = store_->Append(batches, kNow);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::vector<StoredPoint> Read(MetricQuery query = {}) {
    if (!query.job) query.job = base::JobId(1);
    auto points = reader_->Read(query);
    EXPECT_TRUE(points.ok()) << points.status();
    return points.ok() ? *points : std::vector<StoredPoint>();
  }
  static std::vector<double> Values(const std::vector<StoredPoint>& points) {
    std::vector<double> values;
    for (const StoredPoint& p : points) values.push_back(p.point.value);
    return values;
  }

  std::string folder_;
  std::unique_ptr<MetricStore> store_;
  std::unique_ptr<MetricReader> reader_;
};

TEST_F(SqliteMetricStore, Point_ComesBackWhole) {
  NodeBatch batch = Steps(1, 7, 7, 3);
  batch.batch.points[0].rank = -1;
  Append({batch});
  std::vector<StoredPoint> points = Read();
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].point, batch.batch.points[0]);
  EXPECT_FALSE(points[0].repeated_by_later);
}

// A program may say it, and SQLite has none.
TEST_F(SqliteMetricStore, NumbersThatAreNone_ComeBack) {
  NodeBatch batch = Steps(1, 1, 4);
  batch.batch.points[0].value = std::numeric_limits<double>::quiet_NaN();
  batch.batch.points[1].value = std::numeric_limits<double>::infinity();
  batch.batch.points[2].value = -std::numeric_limits<double>::infinity();
  Append({batch});
  const std::vector<StoredPoint> points = Read();
  ASSERT_EQ(points.size(), 4u);
  EXPECT_TRUE(std::isnan(points[0].point.value));
  EXPECT_EQ(points[1].point.value, std::numeric_limits<double>::infinity());
  EXPECT_EQ(points[2].point.value, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(points[3].point.value, batch.batch.points[3].value);
}

TEST_F(SqliteMetricStore, SameBatchTwice_ChangesNothing) {
  Append({Steps(1, 1, 2), Steps(1, 1, 2)});
  Append({Steps(2, 3, 3)});
  Append({Steps(1, 1, 2)});
  EXPECT_THAT(Values(Read()), ElementsAre(1001, 1002, 1003));
}

TEST_F(SqliteMetricStore, BatchesOutOfOrder_AreBothTaken) {
  Append({Steps(2, 3, 3)});
  Append({Steps(1, 1, 2)});
  EXPECT_EQ(Read().size(), 3u);
}

TEST_F(SqliteMetricStore, BatchFarBehind_CountsAsTaken) {
  Append({Steps(10'000, 1, 1)});
  Append({Steps(10, 2, 2)});
  EXPECT_EQ(Read().size(), 1u);
}

TEST_F(SqliteMetricStore, LaterGeneration_ReplacesAndKeepsTheEarlierAsRepeated) {
  Append({Steps(1, 1, 4, 1)});
  Append({Steps(2, 3, 5, 2)});
  EXPECT_THAT(Values(Read()), ElementsAre(1001, 1002, 2003, 2004, 2005));
  MetricQuery all;
  all.include_repeated = true;
  std::vector<StoredPoint> points = Read(all);
  EXPECT_THAT(Values(points), ElementsAre(1001, 1002, 1003, 1004, 2003, 2004, 2005));
  EXPECT_TRUE(points[2].repeated_by_later);
  EXPECT_FALSE(points[4].repeated_by_later);
}

TEST_F(SqliteMetricStore, EarlierGenerationThatComesLate_IsRepeatedAtOnce) {
  Append({Steps(2, 3, 3, 2)});
  Append({Steps(1, 3, 3, 1)});
  EXPECT_THAT(Values(Read()), ElementsAre(2003));
}

TEST_F(SqliteMetricStore, Cursor_RisesOverTheWholeStoreAndIsNotUsedAgain) {
  Append({Steps(1, 1, 3)});
  uint64_t last = Read().back().cursor;
  ASSERT_TRUE(store_->DeleteJobs({base::JobId(1)}).ok());
  EXPECT_THAT(Read(), IsEmpty());
  Append({Steps(1, 1, 3)});
  EXPECT_GT(Read().front().cursor, last);
}

TEST_F(SqliteMetricStore, Query_ByNameCursorAndLimit) {
  Append({Steps(1, 1, 4), Steps(2, 1, 4, 1, 1, "accuracy"), Steps(1, 1, 4, 1, 2)});
  MetricQuery query;
  query.names = {"accuracy", "none"};
  query.limit = 2;
  std::vector<StoredPoint> first = Read(query);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[1].point.name, "accuracy");
  query.after_cursor = first[1].cursor;
  query.limit = 100;
  EXPECT_THAT(Values(Read(query)), ElementsAre(1003, 1004));
}

TEST_F(SqliteMetricStore, Thinned_EvenlyPerNameWithTheLast) {
  Append({Steps(1, 1, 100), Steps(2, 1, 3, 1, 1, "accuracy")});
  MetricQuery query;
  query.max_points = 4;
  EXPECT_THAT(Values(Read(query)), ElementsAre(1025, 1050, 1075, 1100, 1001, 1002, 1003));
}

TEST_F(SqliteMetricStore, Prune_TakesTheJobsWithTheOldestLastPoint) {
  Append({Steps(1, 1, 9, 1, 1), Steps(1, 1, 3, 1, 2), Steps(1, 1, 6, 1, 3)});
  MetricLimits limits;
  base::WallTime now{10};
  EXPECT_EQ(*store_->Prune(limits, now), 0u);
  limits.age = base::Duration(5);  // last points at 9, 3 and 6
  EXPECT_EQ(*store_->Prune(limits, now), 1u);
  limits = {.age = {}, .bytes = 1};
  EXPECT_EQ(*store_->Prune(limits, now), 1u);  // one at a time: job 3
  EXPECT_EQ(Read().size(), 9u);
  MetricQuery third;
  third.job = base::JobId(3);
  EXPECT_THAT(Read(third), IsEmpty());
}

TEST_F(SqliteMetricStore, DroppedPoints_AreCounted) {
  NodeBatch batch = Steps(1, 1, 1);
  batch.batch.dropped = 5;
  Append({batch, batch});
  batch.batch.batch = 2;
  Append({batch});
  EXPECT_EQ(reader_->ReadDropped(base::JobId(1))->points, 10u);
  EXPECT_EQ(reader_->ReadDropped(base::JobId(1))->last, kNow);
  EXPECT_EQ(reader_->ReadDropped(base::JobId(2))->points, 0u);
  EXPECT_EQ(store_->dropped_points(), 10u) << "the batch that came twice counts once";
}

}  // namespace
}  // namespace coxswain::coordinator::store
