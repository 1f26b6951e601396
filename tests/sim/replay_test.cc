#include "sim/replay.h"

#include <gmock/gmock.h>

#include "coordinator/record/segment.h"
#include "sim/world.h"

namespace coxswain::sim {
namespace {

namespace record = coordinator::record;
using testing::HasSubstr;

std::vector<std::string> Recorded(uint64_t seed, uint32_t turns_per_segment) {
  World world(seed, Telling::kNothing);
  Tape tape(turns_per_segment);
  world.coordinator->tape = &tape;
  world.Run();
  EXPECT_EQ(world.journal.failure(), "");
  return tape.segments();
}

// Every segment begins in the middle of things: whatever of the core's state did not come back
// would sooner or later decide something else.
class Replays : public testing::TestWithParam<uint64_t> {};

TEST_P(Replays, AWorldFromAnyMoment_DecidesTheSame) {
  uint64_t turns = 0, segments = 0;
  for (const std::string& segment : Recorded(GetParam(), 37)) {
    auto result = ReplaySegment(segment);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->difference, "") << "segment " << segments;
    EXPECT_EQ(result->cut, "");
    turns += result->turns;
    ++segments;
  }
  EXPECT_GT(turns, segments);
}

INSTANTIATE_TEST_SUITE_P(Replay, Replays, testing::Values(1, 2, 3, 5, 8, 12, 13, 21, 34, 55, 89));

class ReplayOfOne : public testing::Test {
 protected:
  const std::string segment_ = Recorded(12, 50).at(1);
};

TEST_F(ReplayOfOne, NoteOfItsEnd_IsRead) {
  auto result = ReplaySegment(segment_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->turns, 50);
  EXPECT_EQ(result->ends, "it is full");
}

TEST_F(ReplayOfOne, CutAnywhere_SaysHowFarItAgrees) {
  size_t first_line = segment_.find('\n') + 1;
  for (size_t keep = segment_.size() - 1; keep > first_line + 1; keep -= keep / 9 + 1) {
    auto result = ReplaySegment(std::string_view(segment_).substr(0, keep));
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->difference, "");
    EXPECT_TRUE(result->cut.empty() || result->cut.ends_with("is cut off")) << result->cut;
    EXPECT_LE(result->turns, 50);
    EXPECT_EQ(result->ends, "");
  }
}

TEST_F(ReplayOfOne, AByteChanged_IsNotWhatWasWritten) {
  for (size_t at = segment_.find('\n') + 13; at < segment_.size(); at += segment_.size() / 7) {
    std::string damaged = segment_;
    damaged[at] ^= 0x20;
    auto result = ReplaySegment(damaged);
    bool seen = !result.ok() || !result->cut.empty();  // a size may be what was changed
    EXPECT_TRUE(seen) << "byte " << at;
    EXPECT_TRUE(result.ok() || absl::IsDataLoss(result.status())) << result.status();
  }
}

TEST_F(ReplayOfOne, AnotherVersion_IsNamed) {
  std::string other = "coxswain-recording 1 9.9.9 0123456789abcdef\n" + segment_;
  auto result = ReplaySegment(other);
  EXPECT_TRUE(absl::IsInvalidArgument(result.status()));
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("9.9.9"));
  EXPECT_THAT(std::string(ReplaySegment("hello\n").status().message()),
              HasSubstr("not a recording"));
  EXPECT_THAT(std::string(ReplaySegment("").status().message()), HasSubstr("not a recording"));
}

// Another core than the one that was recorded: here, what was recorded is changed.
TEST_F(ReplayOfOne, FirstTurnThatDiffers_IsNamed) {
  auto reader = record::SegmentReader::Open(segment_);
  ASSERT_TRUE(reader.ok());
  std::string forged = record::FirstLine();
  record::Beginning beginning;
  record::TurnRecord turn;
  record::Ending ending;
  int turns = 0;
  for (auto next = reader->Read(&beginning, &turn, &ending);
       next.value() != record::SegmentReader::Next::kNothing;
       next = reader->Read(&beginning, &turn, &ending)) {
    if (*next == record::SegmentReader::Next::kBeginning) forged += record::Encode(beginning);
    if (*next != record::SegmentReader::Next::kTurn) continue;
    coordinator::core::Decisions none;
    none.why.push_back({base::JobId(77), "as another version would say"});
    if (++turns >= 7) forged += record::Encode(turn.event, none);
  }
  auto result = ReplaySegment(forged);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->difference, HasSubstr("turn 1 differs (event "));
  EXPECT_THAT(result->difference, HasSubstr("recorded 0 changes, 0 orders, 0 replies, 1 reason"));
}

}  // namespace
}  // namespace coxswain::sim
