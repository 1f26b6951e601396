#include "cli/output/curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "cli/output/console.h"

namespace coxswain::cli::output {
namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<CurvePoint> Falling(int count) {
  std::vector<CurvePoint> points;
  for (int i = 1; i <= count; ++i) points.push_back({i, 2.3 * std::exp(-i / 20.0) + 0.1});
  return points;
}

TEST(Curve, FallsFromTheTopLeftToTheBottomRight) {
  CurveStyle style{.title = "loss", .x_name = "step", .columns = 40, .rows = 6, .unicode = false};
  const auto lines = Lines(DrawCurve(Falling(100), style));
  ASSERT_EQ(lines.size(), 9u);
  EXPECT_EQ(lines[0], "     loss");
  // The means of the two points in the first and in the last of 29 columns.
  EXPECT_THAT(lines[1], testing::StartsWith("    2.234 |*"));
  EXPECT_THAT(lines[6], testing::StartsWith("   0.1159 |"));
  EXPECT_THAT(lines[6], testing::EndsWith("*"));
  EXPECT_EQ(lines[8], "           step 1                    100");
}

TEST(Curve, EveryLineFitsTheColumns) {
  for (bool unicode : {false, true}) {
    CurveStyle style{
        .title = "loss", .x_name = "step", .columns = 50, .rows = 8, .unicode = unicode};
    for (const std::string& line : Lines(DrawCurve(Falling(5000), style))) {
      EXPECT_LE(DisplayWidth(line), 50u);
    }
  }
}

TEST(Curve, EachDotColumnShowsTheMeanOfItsPoints) {
  // Noise of +-1 around 5, then around 0: averaged, the drawing has two levels and nothing else.
  std::vector<CurvePoint> points;
  for (int i = 0; i < 4000; ++i)
    points.push_back({i, (i < 2000 ? 5.0 : 0.0) + (i % 2 == 0 ? 1 : -1)});
  const auto lines = Lines(
      DrawCurve(points, {.title = "", .x_name = "", .columns = 41, .rows = 5, .unicode = false}));
  EXPECT_THAT(lines[1], testing::HasSubstr("**********"));
  EXPECT_THAT(lines[5], testing::HasSubstr("**********"));
  EXPECT_LE(std::count(lines[3].begin(), lines[3].end(), '*'), 2);
}

TEST(Curve, NothingToDraw) {
  EXPECT_EQ(DrawCurve({}, {}), "");
  EXPECT_EQ(DrawCurve({{1, 2.0}}, {}), "");
  EXPECT_EQ(DrawCurve({{1, NAN}, {2, INFINITY}, {3, 1.0}}, {}), "");
}

TEST(Curve, AConstantIsALineInTheMiddle) {
  const auto lines =
      Lines(DrawCurve({{1, 3.0}, {50, 3.0}},
                      {.title = "", .x_name = "", .columns = 40, .rows = 5, .unicode = false}));
  EXPECT_THAT(lines[3], testing::HasSubstr("*****************************"));
}

}  // namespace
}  // namespace coxswain::cli::output
